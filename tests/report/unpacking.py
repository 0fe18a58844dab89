"""A packed map again, written from what a byte means."""

from __future__ import annotations

import base64

import numpy as np


def unpack(packed: list[float | str], size: int) -> np.ndarray:
    """(size, size)."""
    low, top, text = float(packed[0]), float(packed[1]), str(packed[2])
    cells = [0.0 if code == 0 else low * (top / low) ** ((code - 1) / 254) for code in base64.b64decode(text)]
    return np.array(cells).reshape(size, size)
