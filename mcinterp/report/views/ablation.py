"""Ablation: how much each set of heads matters, against random sets of the same size."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from mcinterp.report.figures import ablation_figure
from mcinterp.report.figures.ablation import SIGNIFICANT, ablation_rows
from mcinterp.report.numbers import interval, number
from mcinterp.report.palette import class_colours
from mcinterp.report.parts import FigureView, Section
from mcinterp.report.scores import Scores
from mcinterp.report.tables import table_view
from mcinterp.results import Result

LATER = ["control_delta", "excess", "excess_low", "excess_high", "verdict", "q_value"]
HIDDEN = {"control_delta_min", "control_delta_max", "p_value", "kind", "n_controls"}
CAPTION = (
    "Change of the {score} when {what} ablated, with 95 % interval; filled where the change is significant "
    "(p < 0.05; for single heads with the false-discovery rate controlled). To the right: the ablation hurts. "
    "Grey bars: the range of random groups of the same size. Methods are switched in the legend."
)


def view(result: Result, checkpoint: Mapping[str, Result]) -> Section:
    """Show the ablations of a checkpoint."""
    scores, frame = Scores.of(result), ablation_rows(result)
    wanted = [name for name in first_columns(scores) if name in frame]
    frame = frame[wanted + [name for name in frame if name not in wanted]]
    meanings = {name: meaning for table in result.tables.values() for name, meaning in table.columns.items()}
    colours = class_colours(result.facts["kinds"])
    single = frame["kind"] == "head"
    figures = []
    if (~single).any():
        figures.append(
            FigureView(
                CAPTION.format(score=scores.said, what="a set of heads is"), ablation_figure(result, heads=False)
            )
        )
    if single.any():
        figures.append(
            FigureView(CAPTION.format(score=scores.said, what="one head is"), ablation_figure(result, heads=True))
        )
    tables = [
        table_view(frame[rows], meanings, caption, hide=hidden_columns(scores), folded=folded, colours=colours)
        for rows, caption, folded in ((~single, "Sets of heads", False), (single, "Single heads", True))
        if rows.any()
    ]
    return Section(result.name, result.title, sentences(frame, scores), figures, tables)


def first_columns(scores: Scores) -> list[str]:
    """The telling columns, in order."""
    delta = scores.delta
    telling = ["group", "heads", "method", scores.mean, scores.ratio, delta, f"{delta}_low", f"{delta}_high"]
    return [*telling, *LATER]


def hidden_columns(scores: Scores) -> set[str]:
    """Columns left to the CSV files: scores over everything, and what the figures show."""
    whole = [name for name in scores.others if name not in scores.parts]
    return HIDDEN | {scores.column(name, suffix) for name in whole for suffix in ("", "_clean")}


def row_of(frame: pd.DataFrame, method: str, **wanted: str) -> pd.Series | None:
    """The first row of a method with these values, if there is one."""
    chosen = frame["method"] == method
    for column, value in wanted.items():
        chosen &= frame[column] == value
    return frame[chosen].iloc[0] if chosen.any() else None


def sentences(frame: pd.DataFrame, scores: Scores) -> list[str]:
    """What the first method's ablations say: all heads, then single heads."""
    method = frame["method"].iloc[0]
    everything = row_of(frame, method, group="all")
    if frame[scores.clean].isna().all():
        return [_nothing_scored(everything, scores)]
    parts = [] if everything is None else [_all_heads(everything, scores)]
    single = frame[(frame["method"] == method) & (frame["kind"] == "head")]
    return parts if single.empty else [*parts, _single_heads(single, method, scores)]


def _nothing_scored(everything: pd.Series | None, scores: Scores) -> str:
    """What is left to say where the main score has no value to change."""
    said = f"{scores.absent}, so that there is no {scores.said} to change"
    if everything is None or not scores.others:
        return f"{said}."
    heads = f"with all heads ablated ({everything['method']}, n = {number(everything['n'])})"
    return f"{said}: {heads} {_goes(everything, scores.others[0], scores)}."


def _goes(row: pd.Series, name: str, scores: Scores) -> str:
    before, after = (number(row[scores.column(name, suffix)]) for suffix in ("_clean", ""))
    return f"the {scores.words[name]} goes from {before} to {after}"


def delta(row: pd.Series, scores: Scores) -> str:
    """A change of the main score with its interval."""
    return interval(*(row[f"{scores.delta}{end}"] for end in ("", "_low", "_high")))


def verb(row: pd.Series, scores: Scores) -> str:
    """What an ablation does to the main score."""
    if row[f"{scores.delta}_low"] > 0:
        return "raises"
    return "lowers" if row[f"{scores.delta}_high"] < 0 else "does not measurably change"


def _all_heads(row: pd.Series, scores: Scores) -> str:
    beside = f"; {_goes(row, scores.others[0], scores)}" if scores.others else ""
    return (
        f"Ablating all heads ({row['method']}) {verb(row, scores)} the {scores.said}: {number(row[scores.clean])} → "
        f"{number(row[scores.mean])} (× {number(row[scores.ratio])}, change {delta(row, scores)}, n = "
        f"{number(row['n'])}){beside}."
    )


def _single_heads(rows: pd.DataFrame, method: str, scores: Scores) -> str:
    hurting = rows[(rows["q_value"] < SIGNIFICANT) & (rows[scores.delta] > 0)]
    worst = rows.iloc[int(rows[scores.delta].argmax())]
    beyond = (rows["verdict"] == "hurts more than control").sum()
    return (
        f"Of {len(rows)} single heads ablated ({method}), {len(hurting)} raise the {scores.said} significantly and "
        f"{beyond} hurt more than every random control; the largest change is {delta(worst, scores)} at "
        f"{worst['group']}."
    )
