"""What is packed in pages, again: maps, from what a byte means, and the parts of a report in one file."""

from __future__ import annotations

import base64
import gzip
import re
from pathlib import Path

import numpy as np


def unpack(packed: list[float | str], size: int) -> np.ndarray:
    """(size, size)."""
    low, top, text = float(packed[0]), float(packed[1]), str(packed[2])
    cells = [0.0 if code == 0 else low * (top / low) ** ((code - 1) / 254) for code in base64.b64decode(text)]
    return np.array(cells).reshape(size, size)


def parts_of(path: Path) -> dict[str, bytes]:
    """Name → content of everything that is packed in a report in one file."""
    found = re.findall(r'<script type="text/plain" data-part="([^"]+)">([^<]*)</script>', path.read_text("utf-8"))
    return {name: gzip.decompress(base64.b64decode(text)) for name, text in found}
