"""Which entries are observed: at random, by a name, or drawn by hand.

A mask is a boolean array of shape (rows, cols), True where the entry is *observed*: of NumPy, torch or pandas, or
nested lists. `{"mine": array}` gives it a name. The names of others:

    rows:3,6              rows 3 and 6 masked
    cols:0,2              columns 0 and 2 masked
    block:1-3,2-4         rows 1 to 3 × columns 2 to 4 masked
    checkerboard          every entry with row + column odd masked
    one-per-row           one observed entry a row, on the diagonal (wrapped)
    masked-rows:3@1,6@5   rows 3 and 6 masked except columns 1 and 5 (the structured mask of the paper)
    column-run:2@0-4      column 2 observed in rows 0 to 4, masked below and above; no other column has a run over 2
    column-run:2@0-4,3    … and column 3 observed in its first and its last row alone
    none                  everything observed
    drawn:110/011         the rows of a mask drawn by hand, 1 where observed

Rows and columns count from 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool
from numpy.typing import ArrayLike
from torch import Tensor

from mcinterp.errors import InputError, nearest_name
from mcinterp.studies.matrix_completion.task.drawn import drawn_mask, read_spelled

MaskLike = str | ArrayLike | Tensor | Mapping[str, Any]
"""A name, a boolean array of NumPy, torch or pandas, nested lists, or one of these by a name of its own."""


def random_observed(
    n: int, rows: int, cols: int, p_mask: float, generator: torch.Generator
) -> Bool[Tensor, "n row col"]:
    """Mask each entry of `n` matrices with probability `p_mask`.

    Returns:
        True where observed, on the generator's device.
    """
    return torch.rand((n, rows, cols), generator=generator, device=generator.device) >= p_mask


def observed_mask(mask: MaskLike, rows: int, cols: int) -> Bool[Tensor, "row col"]:
    """One mask for a whole batch, from a name of this module, or drawn by hand.

    Returns:
        True where observed.

    Raises:
        InputError: for an unknown name, an index outside the matrix, several masks, or one that `drawn_mask` refuses.
    """
    if isinstance(mask, Mapping):
        if len(mask) != 1:
            raise InputError(f"one mask is needed here, got {len(mask)}")
        return observed_mask(next(iter(mask.values())), rows, cols)
    if isinstance(mask, str):
        return _named(mask, rows, cols)
    return drawn_mask(mask, rows, cols)


def observed_masks(masks: MaskLike, n: int, rows: int, cols: int) -> Bool[Tensor, "n row col"]:
    """The masks of `n` matrices: one for all, as in `observed_mask`, or one each, boolean (n, rows, cols).

    Raises:
        InputError: as there; of masks for each, if they are not boolean.
    """
    if isinstance(masks, str | Mapping) or np.ndim(masks) != 3:
        return observed_mask(masks, rows, cols).expand(n, -1, -1)
    each = masks if isinstance(masks, Tensor) else torch.from_numpy(np.array(masks))
    if each.dtype != torch.bool:
        raise InputError(f"masks must be boolean (True where observed), got {each.dtype}")
    return each


def _named(name: str, rows: int, cols: int) -> Tensor:
    kind, _, detail = name.strip().partition(":")
    if kind not in MASKS:
        raise InputError(f"no mask is called {kind!r:.80}{nearest_name(kind, MASKS)}")
    try:
        observed = MASKS[kind](detail, rows, cols)
    except ValueError as error:
        raise InputError(f"mask {name!r:.80} does not fit a {rows} × {cols} matrix: {error}") from None
    return torch.as_tensor(observed)


def _everything(detail: str, rows: int, cols: int) -> np.ndarray:
    _no_detail(detail)
    return np.ones((rows, cols), dtype=bool)


def _rows(detail: str, rows: int, cols: int) -> np.ndarray:
    observed = np.ones((rows, cols), dtype=bool)
    observed[[_index(part, rows, "row") for part in detail.split(",")]] = False
    return observed


def _cols(detail: str, rows: int, cols: int) -> np.ndarray:
    observed = np.ones((rows, cols), dtype=bool)
    observed[:, [_index(part, cols, "column") for part in detail.split(",")]] = False
    return observed


def _block(detail: str, rows: int, cols: int) -> np.ndarray:
    parts = detail.split(",")
    if len(parts) != 2:
        raise ValueError("expected block:ROWS,COLUMNS such as block:1-3,2-4")
    observed = np.ones((rows, cols), dtype=bool)
    observed[_span(parts[0], rows, "row"), _span(parts[1], cols, "column")] = False
    return observed


def _checkerboard(detail: str, rows: int, cols: int) -> np.ndarray:
    _no_detail(detail)
    return np.indices((rows, cols)).sum(0) % 2 == 0


def _one_per_row(detail: str, rows: int, cols: int) -> np.ndarray:
    _no_detail(detail)
    row, col = np.indices((rows, cols))
    return row % cols == col


def _masked_rows(detail: str, rows: int, cols: int) -> np.ndarray:
    observed, masked = np.ones((rows, cols), dtype=bool), list[int]()
    for part in detail.split(","):
        before, _, after = part.partition("@")
        row, col = _index(before, rows, "row"), _index(after, cols, "column")
        if row in masked:
            raise ValueError(f"row {row} is given twice")
        masked.append(row)
        observed[row] = False
        observed[row, col] = True
    return observed


def _column_run(detail: str, rows: int, cols: int) -> np.ndarray:
    run, comma, hole = detail.partition(",")
    column, _, span = run.partition("@")
    row, col = np.indices((rows, cols))
    observed = (row + col) % 3 != 0
    if comma:
        observed[:, _index(hole, cols, "column")] = np.isin(np.arange(rows), (0, rows - 1))
    within = np.zeros(rows, dtype=bool)
    within[_span(span, rows, "row")] = True
    observed[:, _index(column, cols, "column")] = within
    return observed


def _no_detail(detail: str) -> None:
    if detail:
        raise ValueError(f"it takes no detail, got {detail!r}")


def _index(text: str, size: int, what: str) -> int:
    number = text.strip()
    if not number.isdecimal():
        raise ValueError(f"{text!r:.80} is not a {what} number")
    if len(number) > 9 or int(number) >= size:
        raise ValueError(f"{what} {number:.40} is outside 0 … {size - 1}")
    return int(number)


def _span(text: str, size: int, what: str) -> slice:
    first, dash, last = text.partition("-")
    start = _index(first, size, what)
    stop = _index(last, size, what) if dash else start
    if stop < start:
        raise ValueError(f"{text!r} ends before it starts")
    return slice(start, stop + 1)


MASKS: dict[str, Callable[[str, int, int], np.ndarray]] = {
    "none": _everything,
    "rows": _rows,
    "cols": _cols,
    "block": _block,
    "checkerboard": _checkerboard,
    "one-per-row": _one_per_row,
    "masked-rows": _masked_rows,
    "column-run": _column_run,
    "drawn": read_spelled,
}
