"""What a run answers by step while its loss stands still, and which heads carry it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from mcinterp.report.figures.base import blank, error_bars, intervals, on_rows, text
from mcinterp.report.figures.course import Panel, dashed, points, stacked_figure
from mcinterp.report.palette import SERIES
from mcinterp.results import Result
from mcinterp.studies.matrix_completion.passes.shelf_answers import BEST, CUBE, PLACE, TRUTH

DRAWN = {PLACE: PLACE, "sum": "S", CUBE: "S³", BEST: "symmetric", "X Xᵀ X": "X Xᵀ X", TRUTH: TRUTH}
"""Candidates in the picture, and what they are called where there is little room."""
COLOURS = (4, 3, 2, 1, 5, 0)
"""Theirs, in that order."""
SHOWN_METHODS = {"uniform": "attention made uniform", "mean": "z its mean", "patch": "z put into −X"}
BEYOND = 2
"""The axis of steps ends at so many times the end of the first drop."""


def shelf_figure(result: Result, drops: list[Mapping[str, Any]]) -> go.Figure:
    """The loss, the share between matrices and what the answers go with, a panel each over the same steps.

    Args:
        result: the stored shelf of a run.
        drops: of its loss, with `start` and `end`.
    """
    last = float(result.table("answers")["step"].max() or 1)
    ends = [BEYOND * float(drop["end"]) for drop in drops[:1]]
    return stacked_figure(list(_panels(result)), min([last, *ends]), drops)


def _panels(result: Result) -> Iterator[Panel]:
    answers, candidates = result.table("answers"), result.table("candidates")
    loss = 1 - answers[["gain", "gain_low", "gain_high", "possible"]]
    loss = loss.rename(columns={"gain_low": "gain_high", "gain_high": "gain_low"}).assign(step=answers["step"])
    yield Panel(
        "L_mask over that of answering 0 (dashed: best symmetric)",
        [*points(loss, "gain", "L_mask", SERIES[1]), dashed(loss, "possible", SERIES[1])],
        {"range": [0, 1.15]},
    )
    yield Panel(
        "Answers (dashed: of others)",
        [
            *points(answers, "between", "between matrices", SERIES[0]),
            dashed(answers, "dealt_between", SERIES[0]),
            *points(answers, "symmetry", "symmetric", SERIES[2]),
            dashed(answers, "other_symmetry", SERIES[2]),
        ],
    )
    lines = [_lines(candidates, name, SERIES[at]) for name, at in zip(DRAWN, COLOURS, strict=True)]
    yield Panel("Correlation with", [one for own in lines for one in own])
    yield Panel(
        "Mean square of the answers over that of the entries",
        points(answers, "size", "size", SERIES[3]),
        {"type": "log", "exponentformat": "power", "nticks": 4},
    )


def _lines(candidates: pd.DataFrame, name: str, colour: str) -> list[dict[str, Any]]:
    return points(candidates[candidates["candidate"] == name], "correlation", DRAWN[name], colour)


def shelf_heads_figure(result: Result) -> go.Figure:
    """How much of the slope on the best symmetric answer goes with each set of heads, by method.

    Args:
        result: the stored shelf of a run.
    """
    frame = result.table("heads")
    figure = blank(300, "share of the slope on the best symmetric answer")
    for index, (method, name) in enumerate(SHOWN_METHODS.items()):
        rows = frame[(frame["method"] == method) & frame["share"].notna()]
        figure.add_scatter(
            x=rows["share"].tolist(),
            y=[text(group) for group in rows["group"]],
            error_x={**error_bars(rows, "share"), "color": SERIES[index]},
            mode="markers",
            name=text(name),
            cliponaxis=False,
            marker={"size": 9, "color": SERIES[index], "symbol": ("circle", "circle-open", "diamond")[index]},
            customdata=intervals(rows, "share"),
            hovertemplate="%{y}: %{customdata}",
        )
    return on_rows(figure, frame["group"].drop_duplicates().tolist(), around=138)
