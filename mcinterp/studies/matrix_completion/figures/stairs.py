"""Errors of entries by step: of every row, every column, and by what is observed of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from mcinterp.report.figures.course import Panel, points, stacked_figure
from mcinterp.report.palette import CLASSES
from mcinterp.results import Result
from mcinterp.studies.matrix_completion.figures.shelf import BEYOND

TOP = 1.25
"""Where the axis of errors ends: what is worse than answering 0 by more is of the first steps."""
TITLES = {"row": "Row", "column": "Column", "observed": "Observed in row and column", "conditioning": "Pivot"}


def stairs_figure(result: Result, drops: Sequence[Mapping[str, Any]]) -> go.Figure:
    """L_mask over that of answering 0 by row, column, number observed and conditioning, a panel each.

    Args:
        result: the stored stairs of a run.
        drops: of its loss, with `start` and `end`.
    """
    frame = result.table("bins")
    last = min([float(frame["step"].max() or 1), *(BEYOND * float(drop["end"]) for drop in drops[:1])])
    return stacked_figure(list(_panels(frame)), last, drops)


def _panels(frame: pd.DataFrame) -> Iterator[Panel]:
    for kind, rows in frame.groupby("by", sort=False):
        lines = [
            trace
            for index, (name, own) in enumerate(rows.groupby("bin", sort=False))
            for trace in points(own, "left", str(name), CLASSES[index % len(CLASSES)])
        ]
        yield Panel(TITLES[str(kind)], lines, {"range": [0, TOP]})
