"""The errors of every checkpoint, what attention is worth at each, and which known answers it is near to."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from mcinterp.analysis.judged import NEGLIGIBLE, Judged
from mcinterp.report.figures import over_steps_figure
from mcinterp.report.numbers import interval, number
from mcinterp.report.parts import FigureView, Section
from mcinterp.report.scores import Scores, batch
from mcinterp.report.tables import table_view
from mcinterp.report.views.plateau import transition_of
from mcinterp.results import Result

SHADED = "by step (shaded: the drop of the loss), with 95 % interval"
TITLES = {
    "scores": "Every score at every checkpoint",
    "uniform": "With the attention of all heads made uniform",
    "known": "Distances to known answers",
}


def view(result: Result, beside: Mapping[str, Result]) -> Section:
    """Show a run's course in numbers; the figure of all steps draws most of it."""
    drop, scores = transition_of(beside), Scores.of(result)
    figures = [
        FigureView(
            f"Scores over those of {scores.zero}, {SHADED}: below 1 is better.",
            over_steps_figure(result.table("scores"), "of_zero", "score", f"share of that of {scores.zero}", drop),
        )
    ]
    if "known" in result.tables:
        figures.append(
            FigureView(
                f"Distance of the answers to known ones, as {scores.full} {scores.where}, {SHADED}; "
                "dashed: an untrained model's.",
                over_steps_figure(result.table("known"), "distance", "answers", scores.full, drop, ["untrained"]),
            )
        )
    tables = [
        table_view(result.tables[name].frame, result.tables[name].columns, title, folded=True)
        for name, title in TITLES.items()
        if name in result.tables
    ]
    return Section(result.name, result.title, sentences(result), figures, tables)


def sentences(result: Result) -> list[str]:
    """At the last step: the main score beside knowing nothing, the worth of attention, the nearest known answers."""
    scores = Scores.of(result)
    uniform, frame = result.table("uniform").iloc[-1], result.table("scores")
    row = frame[(frame["step"] == uniform["step"]) & (frame["score"] == scores.main)].iloc[0]
    step, samples = number(int(row["step"])), batch(row["n"], row["seed"], scores.samples)
    worth = Judged.of(uniform, "change", negligible=NEGLIGIBLE * abs(float(uniform["clean"]))).say(
        "is worse", "is better", "is not told apart", "is hardly any other"
    )
    first = (
        f"At step {step} {scores.the} is {_ends(row, 'of_zero')} times that of {scores.zero} ({samples}); with all "
        f"attention made uniform it {worth}: {_ends(uniform, 'ratio')} times as large."
    )
    return [first, *_known(result, int(row["step"]))]


def _known(result: Result, step: int) -> list[str]:
    if "known" not in result.tables:
        return []
    frame = result.table("known")
    own = frame[frame["step"] == step].sort_values("distance", kind="stable")
    best, second = own.iloc[0], own.iloc[1]
    said = Judged.of(second, "behind").say("nearest to", "not told apart", "not told apart")
    others = f"{best['answers']}" if said == "nearest to" else f"between {best['answers']} and {second['answers']}"
    return [
        f"Of {len(own)} known ways to answer it is {said} {others}: a distance of {_ends(best, 'distance')}, the next "
        f"{_ends(second, 'behind')} farther; from its answers to others {_ends(best, 'control')}."
    ]


def _ends(row: pd.Series, column: str) -> str:
    return interval(*(row[f"{column}{end}"] for end in ("", "_low", "_high")))
