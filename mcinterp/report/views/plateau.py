"""What moves during the plateau, and which of it before the loss."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from mcinterp.report.figures import over_steps_figure
from mcinterp.report.figures.curve import marked
from mcinterp.report.numbers import is_absent, number
from mcinterp.report.parts import FigureView, Section
from mcinterp.report.scores import Scores, batch, capital
from mcinterp.report.tables import table_view
from mcinterp.report.views.leads import leads_sentence
from mcinterp.results import Result

PANELS = (
    ("collapse", "mean cosine", "How alike the hidden states of different positions are, after each block"),
    ("attention progress", "1 − total variation", "How near every head's attention is to that of the last checkpoint"),
)


def view(result: Result, beside: Mapping[str, Result]) -> Section:
    """Show the measures of a run by step."""
    table, lead = result.tables["measures"], result.tables["lead"]
    transition, loss = transition_of(beside), _loss(table.frame, beside)
    figures = [
        FigureView(_caption(words, measure), _figure(table.frame, measure, title, transition))
        for measure, title, words in (*PANELS, *_answer_panels(result))
        if (table.frame["measure"] == measure).any()
    ]
    return Section(
        result.name,
        result.title,
        [*sentences(result), leads_sentence(lead.frame, result.facts["plateau_step"], loss, start_words(beside))],
        figures,
        [
            table_view(lead.frame, lead.columns, f"Which measures move before the loss ({loss})"),
            table_view(table.frame, table.columns, "Every measure at every checkpoint", folded=True),
        ],
    )


def _loss(frame: pd.DataFrame, beside: Mapping[str, Result]) -> str:
    """What the loss of the table is, and of which samples."""
    row, scores = frame[frame["measure"] == "loss"].iloc[0], Scores.known(beside.get("training"))
    name, samples = (scores.said, scores.samples) if scores else ("the main score", "samples")
    return f"{name}, {batch(row['n'], row['seed'], samples)}"


def _answer_panels(result: Result) -> list[tuple[str, str, str]]:
    """The same for what the task measures of answers."""
    measures = result.facts["answer_measures"]
    return [(name, unit, capital(words)) for name, (words, unit) in measures.items()]


def transition_of(beside: Mapping[str, Result]) -> Mapping[str, object]:
    """The stored transition of the run and its `drops`, empty where it was not stored."""
    return marked(beside["training"]) if "training" in beside else {}


def start_words(beside: Mapping[str, Result]) -> str:
    """What there is at the step that changes are told from: the plateau, unless the run is known to show no drop."""
    known = "training" in beside and not transition_of(beside).get("drops")
    return "first checkpoint" if known else "plateau"


def sentences(result: Result) -> list[str]:
    """How far the hidden states of the last layer collapse, and how far the answers do."""
    frame = result.table("measures")
    deepest = frame[frame["measure"] == "collapse"]["where"].unique()[-1]
    states, start = _by_step(frame, "collapse", deepest), result.facts["plateau_step"]
    return [
        f"At step {number(start)} the hidden states of two positions after {deepest} have a mean cosine of "
        f"{number(states[start])} (untrained {number(_untrained(frame, deepest))}, last checkpoint "
        f"{number(states.iloc[-1])}){_answers(result, frame, start)}."
    ]


def _answers(result: Result, frame: pd.DataFrame, start: int) -> str:
    """The first of the task's measures of answers."""
    first = next(iter(result.facts["answer_measures"].items()), None)
    if first is None:
        return ""
    name, (words, unit) = first
    values = _by_step(frame, name, "answers")
    return f"; {words} is {number(values[start])} ({unit}), at the last checkpoint {number(values.iloc[-1])}"


def _by_step(frame: pd.DataFrame, measure: str, where: str) -> pd.Series:
    rows = frame[(frame["measure"] == measure) & (frame["where"] == where)]
    return rows.set_index("step")["value"]


def _untrained(frame: pd.DataFrame, where: str) -> float:
    return float(frame[(frame["measure"] == "collapse") & (frame["where"] == where)]["untrained"].iloc[0])


def _figure(frame: pd.DataFrame, measure: str, title: str, transition: Mapping[str, object]) -> object:
    rows = frame[frame["measure"] == measure]
    if measure == "attention progress":
        rows = rows[rows["where"] == "all heads"]
    controls = [name for name in ("untrained", "floor") if not is_absent(rows[name].iloc[0])]
    return over_steps_figure(rows, "value", "where", title, transition, controls)


def _caption(words: str, measure: str) -> str:
    controls = "an untrained model" + (" and uniform attention" if measure == "attention progress" else "")
    return f"{words}, by step (shaded: the drop of the loss), with 95 % interval; dashed: {controls}."
