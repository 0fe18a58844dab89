"""Matrices of several sizes in one batch: which positions of the largest one's grid each of them has.

Entry (i, j) of a matrix of any size sits at position i·cols + j, with `cols` that of the largest matrix: a position
always means the same row and the same column, so that the positional embedding can mean them too. A smaller matrix has
the top left block of the grid; the other positions hold PAD, are attended to by nobody and are in no loss and no score.
"""

from __future__ import annotations

from functools import cache
from typing import Literal

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from mcinterp.errors import InputError
from mcinterp.studies.matrix_completion.config import TaskConfig

SizeLike = tuple[int, int] | Literal["mixed", "largest"]
"""`mixed`: each matrix's drawn as in training; `largest`: the whole grid for all; or (rows, cols) for all."""


def present_entries(
    config: TaskConfig, n: int, size: SizeLike, generator: torch.Generator
) -> Bool[Tensor, "n row col"] | None:
    """Which positions of the grid each of `n` matrices has; `mixed` sizes are drawn uniformly from `config.sizes`.

    Returns:
        True where it has an entry, on the generator's device; None where every matrix fills the grid, as in all tasks
        of one size.

    Raises:
        InputError: for a size that the task's grid cannot hold.
    """
    device = generator.device
    if size == "mixed":
        if config.sizes is None:
            return None
        chosen = torch.randint(len(config.sizes), (n,), generator=generator, device=device)
        sides = _sides(config.sizes, device)[chosen]
    else:
        sides = _sides((fixed_size(config, size),), device).expand(n, 2)
        if size_is_grid(config, size):
            return None
    row, col = torch.arange(config.rows, device=device)[:, None], torch.arange(config.cols, device=device)
    return (row < sides[:, :1, None]) & (col < sides[:, 1:, None])


@cache
def _sides(sizes: tuple[tuple[int, int], ...], device: torch.device) -> Int[Tensor, "size 2"]:
    """Sizes as a tensor, copied to a device once and not at every step."""
    return torch.tensor(sizes, device=device)


def fixed_size(config: TaskConfig, size: SizeLike) -> tuple[int, int]:
    """(rows, cols) that a mask for `size` has; the grid's where sizes are mixed.

    Raises:
        InputError: for a size that the task's grid cannot hold.
    """
    if size in ("mixed", "largest"):
        return config.rows, config.cols
    if isinstance(size, str) or len(size) != 2:
        raise InputError(f"size must be (rows, cols), 'mixed' or 'largest', got {size!r}")
    rows, cols = size
    if not (1 <= rows <= config.rows and 1 <= cols <= config.cols):
        raise InputError(f"a {rows} × {cols} matrix does not fit the task's {config.rows} × {config.cols}")
    if config.sizes is None and not size_is_grid(config, size):
        raise InputError(
            f"the task has only {config.rows} × {config.cols} matrices and no token to pad {rows} × {cols} ones with; "
            "task.sizes makes a task of several sizes"
        )
    return rows, cols


def size_is_grid(config: TaskConfig, size: SizeLike) -> bool:
    """Whether matrices of this size have no padding."""
    return size == "largest" or tuple(size) == (config.rows, config.cols)
