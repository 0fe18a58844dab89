"""The structured masks that passes use by default, for any matrix size."""

from __future__ import annotations

from itertools import groupby

import numpy as np

from mcinterp.studies.matrix_completion.task.masks import observed_mask


def masked_row_masks(rows: int, cols: int) -> list[str]:
    """Two masks with two rows masked but for one entry each; for 7 × 7 the first is the paper's (rows 3 and 6)."""
    if rows < 4 or cols < 2:
        return [f"masked-rows:{rows - 1}@0"]
    return [
        f"masked-rows:{rows // 2}@1,{rows - 1}@{cols - 2}",
        f"masked-rows:0@{cols - 1},{rows - 2}@0",
    ]


def column_run_masks(rows: int, cols: int) -> dict[int, str]:
    """Masks by the column that holds the longest contiguous observed run: the first, the middle and the last.

    In none of them is that column the one with the most observed entries, the fewest, or the longest run of masked
    ones, and no column is complete: who looks at it does not look at one of these. The rows of the run differ.

    Returns:
        column → mask; empty where there are not at least two such columns, as in matrices of fewer than 5 rows.
    """
    # Other columns have runs of 2, and at best two observed entries of every three.
    length = -(-2 * rows // 3) - 1
    starts = {0: 0, cols // 2: (rows - length) // 2, cols - 1: rows - length}
    told = {}
    for col, start in starts.items():
        masks = [f"column-run:{col}@{start}-{start + length - 1},{(col + 1 + at) % cols}" for at in range(cols - 1)]
        if length > 2 and (telling := [mask for mask in masks if _tells(observed_mask(mask, rows, cols).numpy(), col)]):
            told[col] = telling[0]
    return told if len(told) > 1 else {}


def _tells(observed: np.ndarray, col: int) -> bool:
    """Whether a column has the longest run, and is surpassed by others in everything else."""
    runs, holes = ([_longest_run(column) for column in own.T] for own in (observed, ~observed))
    counts = observed.sum(0).tolist()
    others = [other for other in range(observed.shape[1]) if other != col]
    return (
        runs[col] > max(runs[other] for other in others)
        and holes[col] < max(holes[other] for other in others)
        and min(counts[other] for other in others) < counts[col]
        and counts[col] < max(counts[other] for other in others) < len(observed)
    )


def _longest_run(column: np.ndarray) -> int:
    return max(len(list(run)) if seen else 0 for seen, run in groupby(column))


def viewer_masks(rows: int, cols: int) -> list[str]:
    """The masks under which attention is shown, besides random ones."""
    block = f"block:0-{max(0, rows // 2 - 1)},0-{max(0, cols // 2 - 1)}"
    return [*masked_row_masks(rows, cols), *column_run_masks(rows, cols).values(), "checkerboard", "one-per-row", block]
