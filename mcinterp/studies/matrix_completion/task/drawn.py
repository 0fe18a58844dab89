"""Masks drawn by hand: arrays, nested lists and data frames of booleans, True where an entry is observed."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from mcinterp.errors import InputError

EXPECTED = "a mask must be a rectangular boolean array, True where observed"


def drawn_mask(mask: Any, rows: int, cols: int) -> Bool[Tensor, "row col"]:
    """A copy of a mask drawn by hand, on the CPU.

    Raises:
        InputError: if it has another shape, holds anything but True and False, or masks nothing or everything.
    """
    array = _array(mask)
    if array.dtype != torch.bool:
        cure = "; where 1 is observed, mask == 1 is one" if bool(((array == 0) | (array == 1)).all()) else ""
        raise InputError(f"a mask must be boolean (True where observed), got {array.dtype}{cure}")
    if tuple(array.shape) != (rows, cols):
        raise InputError(f"a mask must have shape ({rows}, {cols}), got {tuple(array.shape)}")
    if bool(array.all()):
        raise InputError("a mask drawn by hand must mask something, got True everywhere; mask 'none' is called so")
    if not bool(array.any()):
        raise InputError("a mask must leave something observed, got False everywhere")
    return array


def spelled(observed: Bool[Tensor, "row col"]) -> str:
    """The name of a mask drawn by hand, its rows with 1 where observed, as in `drawn:11/01`."""
    return "drawn:" + "/".join("".join(str(int(seen)) for seen in row) for row in observed.tolist())


def read_spelled(detail: str, rows: int, cols: int) -> np.ndarray:
    """The mask whose rows are spelled so, as in `11/01`.

    Raises:
        ValueError: if these are no such rows.
    """
    lines = [line.strip() for line in detail.split("/")]
    if [len(line) for line in lines] != [cols] * rows or not set("".join(lines)) <= {"0", "1"}:
        raise ValueError(f"expected {rows} rows of {cols} digits between /, 1 where observed and 0 where masked")
    return np.array([[seen == "1" for seen in line] for line in lines])


def _array(mask: Any) -> Tensor:
    if isinstance(mask, Tensor):
        return mask.detach().cpu().clone()
    try:
        array = np.array(mask)
        if array.dtype == object:  # a data frame whose columns are of several kinds
            array = _booleans(array)
        return torch.from_numpy(array)
    except (TypeError, ValueError):
        raise InputError(EXPECTED) from None


def _booleans(array: np.ndarray) -> np.ndarray:
    other = [value for value in array.flat if not isinstance(value, bool | np.bool_)]
    if other:
        raise InputError(f"{EXPECTED}; it holds {' '.join(repr(other[0]).split()):.40}")
    return array.astype(bool)
