"""What a head reads and writes by its weights alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from mcinterp.analysis.judged import Judged
from mcinterp.report.figures import over_steps_figure, written_figure
from mcinterp.report.figures.circuits import LEAST, TERMS
from mcinterp.report.head_circuits import HeadCircuits
from mcinterp.report.numbers import interval, listed, number
from mcinterp.report.parts import FigureView, Section
from mcinterp.report.tables import table_view
from mcinterp.report.views.head.course import Course, first_columns, meanings, missing

TITLE = "What it reads and writes"
SHARES = (
    "Share of the squares of the head's attention scores that its QK circuits account for, with 95 % interval; what "
    f"lies below {number(LEAST)} is drawn there."
)
WRITTEN = (
    "OV circuit of tokens: what a token adds to the answer of a query that attends to it alone, along the residual "
    "stream, by its value; dotted: {blank}."
)


def circuits_section(course: Course, kept: HeadCircuits) -> Section:
    """The circuits in numbers and what tokens write; the pictures stand beside them."""
    rows = course.rows("circuits", "heads")
    if rows.empty:
        return Section("circuits", TITLE, [missing("circuits of this head")])
    figures = [FigureView(SHARES, _shares_figure(course, rows))]
    if curves := kept.written(course.head):
        figures.append(FigureView(WRITTEN.format(blank=kept.blank), written_figure(kept.values, curves, kept.blank)))
    facts = list(course.having("circuits").values())[-1].facts
    table = table_view(
        first_columns(rows, ["step"]), meanings(course, "circuits"), "Its circuits, in numbers", {"head"}, True
    )
    return Section("circuits", TITLE, circuits_sentences(course.head, rows, facts), figures, [table])


def _shares_figure(course: Course, rows: pd.DataFrame) -> object:
    columns = ("step", "share", "share_low", "share_high")
    parts = [
        rows[["step", name, f"{name}_low", f"{name}_high"]].set_axis(columns, axis=1).assign(term=TERMS[name][0])
        for name in TERMS
    ]
    frame = pd.concat(parts, ignore_index=True)
    for column in columns[1:]:
        frame[column] = frame[column].clip(lower=LEAST)
    colours = {name: colour for name, colour, _ in TERMS.values()}
    return over_steps_figure(
        frame, "share", "term", "share accounted for", course.transition, colours=colours.__getitem__
    )


def circuits_sentences(head: str, rows: pd.DataFrame, facts: Mapping[str, Any]) -> list[str]:
    """What the last step's numbers say: how well the circuits account for the head, what it reads, what it writes."""
    last = rows.iloc[-1]
    read = [_read(last, facts["position_groups"]), _blank(last, *facts["blank"])]
    return [said for said in (_accounted(head, last), *read, _written(last), _given(last)) if said]


def _accounted(head: str, row: pd.Series) -> str:
    step = f"At step {number(row['step'])} (n = {number(row['n'])})"
    if pd.isna(row["direct_r2"]):
        return f"{step} the scores of {head} do not differ from key to key: there is nothing to account for."
    return (
        f"{step} the QK circuits account for a share of {_ci(row, 'direct_r2')} of the attention scores of {head}: "
        f"positions alone for {_ci(row, 'position_r2')}, tokens alone for {_ci(row, 'token_r2')}, and with shuffled "
        f"labels both for {_ci(row, 'shuffled_r2')}."
    )


def _read(row: pd.Series, groups: Sequence[str]) -> str:
    parts = [_more(row, name) for name in groups if pd.notna(row[f"same_{name}"])]
    if not parts:
        return ""
    others = "neither" if len(groups) == 2 else "none" if len(groups) > 2 else "it not"
    return f"By its position alone a query scores keys {listed(parts)}, against those that share {others}."


def _more(row: pd.Series, name: str) -> str:
    """How much higher it scores keys of a group, unless shuffled positions do as much."""
    most = float(row[f"same_{name}_shuffled"])
    verdict = _exact(row[f"same_{name}"], most).say("", "", "", "no more than chance; ")
    return f"{_side(row[f'same_{name}'])} for those of its {name} ({verdict}95 % of shuffles: up to {number(most)})"


def _side(value: float) -> str:
    return _exact(value).say(f"{number(abs(value))} higher", f"{number(abs(value))} lower", "as high")


def _exact(value: float, negligible: float = 0.0) -> Judged:
    """A number of the weights alone, which nothing is sampled for."""
    return Judged(value, value, value, 0.0, negligible)


def _blank(row: pd.Series, column: str, meaning: str) -> str:
    if pd.isna(row[column]):
        return ""
    return f"The average query scores keys that hold {meaning} {_side(row[column])}, against those that hold a value."


def _written(row: pd.Series) -> str:
    if pd.isna(row["ov_slope"]):
        return ""
    line = f"; squared correlation with the value {number(row['ov_linear'])}" if pd.notna(row["ov_linear"]) else ""
    return (
        f"Along the residual stream it adds {number(row['ov_slope'])} to the answer for each 1 of the value that it "
        f"attends to (slope of the OV circuit{line})."
    )


def _given(row: pd.Series) -> str:
    if pd.isna(row["ov_r2"]):
        return ""
    return (
        f"Of what it writes towards the answer the OV circuits give a share of {_ci(row, 'ov_r2')}, and with shuffled "
        f"labels {_ci(row, 'ov_shuffled_r2')}."
    )


def _ci(row: pd.Series, name: str) -> str:
    return interval(row[name], row[f"{name}_low"], row[f"{name}_high"])
