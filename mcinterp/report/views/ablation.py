"""Ablation: how much each set of heads matters, against random sets of the same size."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from mcinterp.analysis.judged import NEGLIGIBLE, Judged
from mcinterp.report.figures import ablation_figure
from mcinterp.report.figures.ablation import CONTROLS, SIGNIFICANT, ablation_rows
from mcinterp.report.numbers import interval, listed, number, plural
from mcinterp.report.palette import class_colours
from mcinterp.report.parts import FigureView, Section
from mcinterp.report.scores import Scores, batch, change, raises
from mcinterp.report.tables import table_view
from mcinterp.results import Result

LATER = ["control_delta", "excess", "excess_low", "excess_high", "verdict", "excess_q"]
HIDDEN = {"control_delta_min", "control_delta_max", "p_value", "q_value", "excess_p", "kind", "n_controls"}
CAPTION = (
    "Change of {score} when {what} ablated, with 95 % interval; filled where it is not 0 (q < 0.05, with the "
    "false-discovery rate controlled over all sets and methods). To the right: the ablation hurts. Grey bars: the "
    "range of {controls}. Methods are switched in the legend."
)


def view(result: Result, checkpoint: Mapping[str, Result]) -> Section:
    """Show the ablations of a checkpoint."""
    scores, frame = Scores.of(result), ablation_rows(result)
    wanted = [name for name in first_columns(scores) if name in frame]
    frame = frame[wanted + [name for name in frame if name not in wanted]]
    meanings = {name: meaning for table in result.tables.values() for name, meaning in table.columns.items()}
    colours = class_colours(result.facts["kinds"])
    single = frame["kind"] == "head"
    figures = [
        FigureView(
            CAPTION.format(score=scores.the, what=what, controls=CONTROLS[heads]), ablation_figure(result, heads)
        )
        for heads, what in ((False, "a set of heads is"), (True, "one head is"))
        if (single == heads).any()
    ]
    tables = [
        table_view(frame[rows], meanings, caption, hide=hidden_columns(scores), folded=folded, colours=colours)
        for rows, caption, folded in ((~single, "Sets of heads", False), (single, "Single heads", True))
        if rows.any()
    ]
    return Section(result.name, result.title, sentences(frame, scores), figures, tables)


def first_columns(scores: Scores) -> list[str]:
    """The telling columns, in order."""
    changes = [f"{column}{end}" for column in (scores.delta, scores.share) for end in ("", "_low", "_high")]
    return ["group", "heads", "method", scores.mean, *changes, *LATER]


def hidden_columns(scores: Scores) -> set[str]:
    """Columns left to the CSV files: scores over everything, what others say too, and what the figures show."""
    whole = [name for name in scores.others if name not in scores.parts]
    also = {scores.ratio, f"{scores.main}_of_zero", *(f"{name}_delta" for name in scores.others)}
    return HIDDEN | also | {scores.column(name, suffix) for name in whole for suffix in ("", "_clean")}


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
    return f"{scores.called(name)} goes from {before} to {after}"


def delta(row: pd.Series, scores: Scores) -> str:
    """A change of the main score with its interval."""
    return interval(*(row[f"{scores.delta}{end}"] for end in ("", "_low", "_high")))


def effect(row: pd.Series, scores: Scores) -> str:
    """What an ablation does to the main score, with the size of an effect that hardly matters."""
    judged = change(row, scores.delta, row[scores.clean])
    if judged.side != "equal":
        return raises(judged, scores.the)
    size = interval(*(100 * row[f"{scores.share}{end}"] for end in ("", "_low", "_high")))
    return Judged.of(row, scores.delta).say(
        f"raises {scores.the} by a negligible {size} %",
        f"lowers {scores.the} by a negligible {size} %",
        f"does not measurably change {scores.the} (by less than {100 * NEGLIGIBLE:g} % either way)",
        f"does not change {scores.the}",
    )


def _all_heads(row: pd.Series, scores: Scores) -> str:
    beside = f"; {_goes(row, scores.others[0], scores)}" if scores.others else ""
    return (
        f"Ablating all heads ({row['method']}, {batch(row['n'], row['seed'], scores.samples)}) {effect(row, scores)}: "
        f"{number(row[scores.clean])} → {number(row[scores.mean])} (× {number(row[scores.ratio])}, change "
        f"{delta(row, scores)}; {scores.zero} gives {number(row[scores.column(scores.main, '_zero')])}){beside}."
    )


def _single_heads(rows: pd.DataFrame, method: str, scores: Scores) -> str:
    sides = [Judged.of(row, scores.delta).side if row["q_value"] < SIGNIFICANT else "" for _, row in rows.iterrows()]
    raising, lowering = (rows[[own == side for own in sides]] for side in ("above", "below"))
    most = rows.iloc[int(rows[scores.delta].abs().argmax())]
    lowers = f", {_count(lowering, 'lower')} it{_negligibly(lowering, scores)}" if len(lowering) else ""
    return (
        f"Of {plural(len(rows), 'single head')} ablated ({method}), {_count(raising, 'raise')} {scores.the}"
        f"{_negligibly(raising, scores)}{lowers}; {_outstanding(rows)}. The largest change is {delta(most, scores)}, "
        f"at {most['group']}."
    )


def _count(rows: pd.DataFrame, verb: str) -> str:
    """`1 raises`, `none raises`, `3 raise`."""
    return f"{len(rows) or 'none'} {verb}{'' if len(rows) > 1 else 's'}"


def _negligibly(rows: pd.DataFrame, scores: Scores) -> str:
    """How many of them by next to nothing, in brackets."""
    small = sum(change(row, scores.delta, row[scores.clean]).side == "equal" for _, row in rows.iterrows())
    return f" ({small} of them by less than {100 * NEGLIGIBLE:g} %)" if small else ""


def _outstanding(rows: pd.DataFrame) -> str:
    """Which heads stand out from the others of their layer, and how."""
    if rows["verdict"].str.startswith("no ").all():
        return "whether one stands out is not told, with too few other heads in its layer"
    found = rows[rows["verdict"].str.contains("every control")]
    names = [f"{row['group']} ({row['verdict']})" for _, row in found.iterrows()]
    whose = "their layers" if len(found) > 1 else "its layer"
    return f"{_count(found, 'stand')} out from the other heads of {whose}{': ' if names else ''}{listed(names)}"
