"""Generation: how much of a matrix the model writes rightly."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import pandas as pd

from mcinterp.analysis.judged import Judged
from mcinterp.report.numbers import interval, is_absent, number
from mcinterp.report.parts import Cell, FigureView, Section
from mcinterp.report.scores import batch
from mcinterp.report.tables import table_view
from mcinterp.report.views.blocks import NOTHING, Row, Steps, each, found
from mcinterp.results import Result
from mcinterp.studies.matrix_completion.figures.generation import generation_figure

TEACHER_FORCED, GREEDY = "teacher forced", "greedy"
CONTROL, CHANCE, ZERO = (
    "control: greedy on another matrix's prompt",
    "chance: that other matrix itself",
    "baseline: the token of 0",
)
CAPTION = (
    "Share of entries whose token is right, with 95 % interval: each token predicted after the true ones before it "
    "(teacher forced) or after those that the model wrote itself (greedy); below, what knows nothing of the matrix."
)


def view(result: Result, checkpoint: Mapping[str, Result]) -> Section:
    """Show the generation of a checkpoint."""
    table = result.tables["generation"]
    return Section(
        result.name,
        result.title,
        sentences(table.frame),
        [FigureView(CAPTION, generation_figure(result))],
        [table_view(table.frame, table.columns, "Accuracy and error of the written entries")],
    )


def rows(steps: Steps) -> list[Row]:
    """The block of the table that shows every checkpoint."""
    if not found(steps, "generation"):
        return []
    kinds = [(answers, entries) for answers in (GREEDY, TEACHER_FORCED) for entries in ("observed", "masked")]
    heading = "Share of entries whose token is right; control: the prompt of another matrix"
    return [
        (heading, f"{answers}, {entries}", "", each(steps, "generation", partial(_cell, answers, entries)))
        for answers, entries in kinds
    ]


def sentences(frame: pd.DataFrame) -> list[str]:
    """What greedy writing gets right, against its control; and what the true tokens add."""
    parts = [_entries(frame, entries) for entries in ("observed", "masked")]
    return [part for part in (*parts, _signs(frame), _forcing(frame), _control(frame)) if part]


def _entries(frame: pd.DataFrame, entries: str) -> str:
    row, control, zero = (_row(frame, answers, entries) for answers in (GREEDY, CONTROL, ZERO))
    if row is None or control is None or is_absent(row["exact"]):
        return ""
    text = (
        f"Written greedily ({batch(row['n'], row['seed'], 'matrices')}), {_share(row)} of the {entries} "
        f"entries have the right token, {_share(row, 'within_one')} the right one or a neighbour; {_verdict(row)} "
        f"after another matrix's prompt ({number(control['exact'])})"
    )
    return text + (
        "." if zero is None else f", and {number(zero['exact'])} would be right if every token were that of 0."
    )


def _verdict(row: pd.Series) -> str:
    return Judged.of(row, "exact_excess").say(
        "that is more than", "that is less than", "that cannot be told from what it is", "that is as many as"
    )


def _signs(frame: pd.DataFrame) -> str:
    row = _row(frame, GREEDY, "masked")
    if row is None or is_absent(row["sign"]) or is_absent(row["sign_low"]):
        return ""
    known = Judged.of(row, "sign", 0.5).say(
        "better than chance", "worse than chance", "not measurably better than chance", "as by chance"
    )
    return (
        f"{_share(row, 'size')} of the masked entries have the right absolute value to one step; of those that are not "
        f"0 and not answered 0, {_share(row, 'sign')} have the right sign, {known} (0.5)."
    )


def _forcing(frame: pd.DataFrame) -> str:
    forced, greedy = (_row(frame, answers, "masked") for answers in (TEACHER_FORCED, GREEDY))
    if forced is None or greedy is None or is_absent(forced["exact"]):
        return ""
    return (
        f"With the true tokens before each entry, {_share(forced)} of the masked ones are right (MSE "
        f"{number(forced['mse'])}), against {_share(greedy)} (MSE {number(greedy['mse'])}) after those that it wrote."
    )


def _control(frame: pd.DataFrame) -> str:
    control, chance = (_row(frame, answers, "all") for answers in (CONTROL, CHANCE))
    if control is None or chance is None:
        return ""
    return (
        f"Control: after another matrix's prompt {_share(control)} of all entries are right; that other matrix itself "
        f"agrees in {_share(chance)} of them, which is chance."
    )


def _share(row: pd.Series, name: str = "exact") -> str:
    return interval(row[name], row[f"{name}_low"], row[f"{name}_high"])


def _row(frame: pd.DataFrame, answers: str, entries: str) -> pd.Series | None:
    found_rows = frame[(frame["answers"] == answers) & (frame["entries"] == entries)]
    return None if found_rows.empty else found_rows.iloc[0]


def _cell(answers: str, entries: str, result: Result) -> Cell:
    frame = result.table("generation")
    row, control = _row(frame, answers, entries), _row(frame, CONTROL, entries)
    if row is None or is_absent(row["exact"]):
        return NOTHING
    note = "" if control is None else f"control {number(control['exact'])}, MSE {number(row['mse'])}"
    return Cell(_share(row), note=note)
