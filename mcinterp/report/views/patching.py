"""Patching: whose answers the model gives when its heads carry another input."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from mcinterp.analysis.judged import Judged
from mcinterp.report.figures import patching_figure
from mcinterp.report.numbers import interval, is_absent, number
from mcinterp.report.parts import FigureView, Section
from mcinterp.report.scores import Scores, batch
from mcinterp.report.tables import table_view
from mcinterp.results import Result

CAPTION = (
    "How much nearer {what} brings the output to the source's {sample} than to the base's, with 95 % interval "
    "(right of 0: nearer to the source)."
)


def view(result: Result, checkpoint: Mapping[str, Result]) -> Section:
    """Show the patching of a checkpoint."""
    table, scores = result.tables["patching"], Scores.of(result)
    single = table.frame["kind"] == "head"
    parts = (
        (~single, "patching a set of heads", "Sets of heads and controls", False),
        (single, "patching one head", "Single heads", True),
    )
    shown = [part for part in parts if part[0].any()]
    return Section(
        result.name,
        result.title,
        sentences(table.frame, scores),
        [
            FigureView(CAPTION.format(what=what, sample=scores.sample), patching_figure(result, heads))
            for _, what, _, heads in shown
        ],
        [table_view(table.frame[rows], table.columns, name, folded=heads) for rows, _, name, heads in shown],
    )


def find(frame: pd.DataFrame, group: str, score: str) -> pd.Series | None:
    """The row of a group in the first direction, if there is one."""
    rows = frame[(frame["group"] == group) & (frame["entries"] == score)]
    return None if rows.empty else rows.iloc[0]


def nearer(row: pd.Series) -> str:
    """How much nearer to the source, with its interval."""
    return interval(row["nearer"], row["nearer_low"], row["nearer_high"])


def gap(scores: Scores) -> str:
    """What `nearer` is."""
    return f"{scores.short} to base − {scores.short} to source"


def sentences(frame: pd.DataFrame, scores: Scores) -> list[str]:
    """Where all heads bring the answers of the main score, and what the control does."""
    row, control = (find(frame, group, scores.main) for group in ("all", f"other {scores.sample}"))
    if row is None:
        return []
    if is_absent(row["nearer"]):
        return [f"{scores.absent}, so that patching has no {scores.where} to move."]
    near, far = (number(row[f"{scores.unit}_to_{whose}"]) for whose in ("source", "base"))
    samples = batch(row["n"], row["seed"], scores.samples)
    text = (
        f"Patching all heads ({row['direction']}, {samples}) {_verdict(row, scores)}: {scores.short} {near} to the "
        f"source and {far} to the base (difference {nearer(row)})."
    )
    if control is not None:
        text += f" With the heads of an unrelated {scores.sample} the difference is {nearer(control)}."
    return [text]


def _verdict(row: pd.Series, scores: Scores) -> str:
    where, sample = scores.where, scores.sample
    return Judged.of(row, "nearer").say(
        f"brings the {where} nearer to the source's {sample} than to the base's",
        f"leaves the {where} nearer to the base's {sample} than to the source's",
        f"does not decide whether the {where} are nearer to the source's {sample} or to the base's",
    )
