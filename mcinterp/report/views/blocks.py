"""Rows of the table that shows every analysed checkpoint side by side; each pass's view adds a block of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mcinterp.report.parts import Cell
from mcinterp.results import Result

Steps = Mapping[int, Mapping[str, Result]]
"""Step → results of its passes, in the order of the table's columns."""
Row = tuple[str, str, str, list[Cell]]
"""Heading of the block, label, colour of the label, one cell a checkpoint."""
NOTHING = Cell("–")


def each(steps: Steps, pass_name: str, cell: Callable[[Result], Cell]) -> list[Cell]:
    """One cell a checkpoint; a dash where the pass was not run."""
    return [cell(results[pass_name]) if pass_name in results else NOTHING for results in steps.values()]


def found(steps: Steps, pass_name: str) -> list[Result]:
    """The results of a pass, where it was run."""
    return [results[pass_name] for results in steps.values() if pass_name in results]
