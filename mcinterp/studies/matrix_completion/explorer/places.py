"""Where in the explorer a matrix under its mask is shown."""

from __future__ import annotations

import numpy as np

from mcinterp.task.offers import Floats


def explorer_place(step: int, shape: tuple[int, int], truth: Floats, given: Floats, head: str = "") -> str:
    """The part of the explorer's address after the #.

    Args:
        step: checkpoint.
        shape: (rows, cols).
        truth: the matrix, row by row; NaN where a smaller one has no entry.
        given: the same where it is observed, NaN elsewhere.
        head: attends uniformly there; '' for none.
    """
    rows, cols = shape
    there = ~np.isnan(truth)
    if not there.all():
        grid = there.reshape(shape)
        rows, cols = int(grid.any(1).sum()), int(grid.any(0).sum())
    values = ",".join(f"{value + 0.0:g}" for value in truth[there])  # no −0
    mask = "".join("0" if np.isnan(value) else "1" for value in given[there])
    of_head = f"&head={head}&ablated={head}" if head else ""
    return f"step={step}&rows={rows}&cols={cols}&values={values}&mask={mask}{of_head}"
