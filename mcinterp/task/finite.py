"""Numbers that are none: NaN and infinities."""

from __future__ import annotations

import torch
from torch import Tensor


def not_finite(values: Tensor, meant: float | None = None) -> str | None:
    """What a tensor holds beside numbers, such as `NaN in 3 of 256 numbers, first in row 2`; None for nothing.

    Args:
        values: of any shape and kind.
        meant: an infinity that is meant.
    """
    if not values.is_floating_point():
        return None
    wrong = ~torch.isfinite(values)
    if meant is not None:
        wrong &= values != meant
    if not bool(wrong.any()):
        return None
    kind = "NaN" if bool(values.isnan().any()) else "an infinity"
    first = f", first in row {int(wrong.flatten(1).any(1).int().argmax())}" if values.ndim > 1 else ""
    return f"{kind} in {int(wrong.sum()):,} of {values.numel():,} numbers{first}"
