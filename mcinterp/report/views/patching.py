"""Patching: whose matrix the model completes when its heads carry another's."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from mcinterp.report.figures import patching_figure
from mcinterp.report.numbers import interval, number
from mcinterp.report.parts import FigureView, Section
from mcinterp.report.tables import table_view
from mcinterp.results import Result

CAPTION = (
    "How much nearer {what} brings the output to the source's matrix than to the base's, with 95 % interval "
    "(right of 0: nearer to the source)."
)


def view(result: Result, checkpoint: Mapping[str, Result]) -> Section:
    """Show the patching of a checkpoint."""
    table = result.tables["patching"]
    single = table.frame["kind"] == "head"
    parts = (
        (~single, "patching a set of heads", "Sets of heads and controls", False),
        (single, "patching one head", "Single heads", True),
    )
    shown = [part for part in parts if part[0].any()]
    return Section(
        result.name,
        result.title,
        sentences(table.frame),
        [FigureView(CAPTION.format(what=what), patching_figure(result, heads)) for _, what, _, heads in shown],
        [table_view(table.frame[rows], table.columns, name, folded=heads) for rows, _, name, heads in shown],
    )


def find(frame: pd.DataFrame, group: str, entries: str) -> pd.Series | None:
    """The row of a group in the first direction, if there is one."""
    rows = frame[(frame["group"] == group) & (frame["entries"] == entries)]
    return None if rows.empty else rows.iloc[0]


def nearer(row: pd.Series) -> str:
    """How much nearer to the source, with its interval."""
    return interval(row["nearer"], row["nearer_low"], row["nearer_high"])


def sentences(frame: pd.DataFrame) -> list[str]:
    """Where all heads bring the masked entries, and what the control does."""
    row, control = find(frame, "all", "masked"), find(frame, "other matrix", "masked")
    if row is None:
        return []
    text = (
        f"Patching all heads ({row['direction']}, n = {number(row['n'])}) {_verdict(row)}: MSE "
        f"{number(row['mse_to_source'])} to the source and {number(row['mse_to_base'])} to the base (difference "
        f"{nearer(row)})."
    )
    if control is not None:
        text += f" With the heads of an unrelated matrix the difference is {nearer(control)}."
    return [text]


def _verdict(row: pd.Series) -> str:
    if row["nearer_low"] > 0:
        return "brings the masked entries nearer to the source's matrix than to the base's"
    if row["nearer_high"] < 0:
        return "leaves the masked entries nearer to the base's matrix than to the source's"
    return "leaves the masked entries as near to one matrix as to the other"
