"""The structured masks that passes use by default, for any matrix size."""

from __future__ import annotations


def masked_row_masks(rows: int, cols: int) -> list[str]:
    """Two masks with two rows masked but for one entry each; for 7 × 7 the first is the paper's (rows 3 and 6)."""
    if rows < 4 or cols < 2:
        return [f"masked-rows:{rows - 1}@0"]
    return [
        f"masked-rows:{rows // 2}@1,{rows - 1}@{cols - 2}",
        f"masked-rows:0@{cols - 1},{rows - 2}@0",
    ]


def column_run_masks(rows: int, cols: int) -> list[str]:
    """Three masks whose longest contiguous observed run fills the first, the middle or the last column."""
    if rows < 4:
        return []
    return [f"column-run:{col}@0-{rows - 1}" for col in sorted({0, cols // 2, cols - 1})]


def viewer_masks(rows: int, cols: int) -> list[str]:
    """The masks under which attention is shown, besides random ones."""
    block = f"block:0-{max(0, rows // 2 - 1)},0-{max(0, cols // 2 - 1)}"
    return [*masked_row_masks(rows, cols), *column_run_masks(rows, cols), "checkerboard", "one-per-row", block]
