"""How much each ablation hurts, with its interval and what random groups of heads of the same size do."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from mcinterp.errors import InputError
from mcinterp.report.figures.base import blank, error_bars, intervals, on_rows, text
from mcinterp.report.numbers import number
from mcinterp.report.palette import CONTROL, SERIES
from mcinterp.report.scores import Scores
from mcinterp.results import Result

KEYS = ["group", "heads", "method"]
SIGNIFICANT = 0.05
CONTROLS = {True: "the other heads of its layer", False: "random groups of as many heads of the same layers"}
"""What a single head, and what a set, is compared with."""


def ablation_rows(ablation: Result) -> pd.DataFrame:
    """Every ablation with its control in one row."""
    frame = ablation.table("ablation")
    if "control" not in ablation.tables:
        return frame.assign(kind="custom")
    control = ablation.table("control")
    if frame[KEYS].astype(str).to_numpy().tolist() != control[KEYS].astype(str).to_numpy().tolist():
        raise InputError("the ablation result's control table does not have the rows of its ablation table")
    return pd.concat([frame, control[control.columns.difference(frame.columns, sort=False)]], axis=1)


def ablation_figure(ablation: Result, heads: bool | None = None) -> go.Figure:
    """Change of the main score by each ablation; further methods are switched on in the legend.

    Args:
        ablation: the stored ablation of a checkpoint.
        heads: only single heads (True), only groups (False), or both.
    """
    frame = ablation_rows(ablation)
    if heads is not None:
        frame = frame[(frame["kind"] == "head") == heads]
    scores = Scores.of(ablation)
    figure = blank(300, f"change of {text(scores.the)}")
    figure.update_xaxes(rangemode="tozero")
    for index, method in enumerate(frame["method"].unique()):
        _add_method(figure, frame[frame["method"] == method], scores.delta, method, index)
    return on_rows(figure, list(frame["group"].unique()))


def _add_method(figure: go.Figure, rows: pd.DataFrame, delta: str, method: str, index: int) -> None:
    visible = True if index == 0 else "legendonly"
    colour = SERIES[index % len(SERIES)]
    groups = [text(group) for group in rows["group"]]
    if "control_delta_min" in rows:
        for alone in (False, True):
            of_kind = (rows["kind"] == "head") == alone
            _add_controls(figure, rows[of_kind], CONTROLS[alone], method, visible)
    figure.add_scatter(
        x=rows[delta].tolist(),
        y=groups,
        error_x={**error_bars(rows, delta), "color": colour},
        mode="markers",
        name=text(method),
        legendgroup=text(method),
        visible=visible,
        cliponaxis=False,
        marker={
            "size": 9,
            "color": colour,
            "symbol": ["circle" if strong else "circle-open" for strong in _significant(rows)],
            "line": {"width": 1.5, "color": colour},
        },
        customdata=[list(item) for item in zip(intervals(rows, delta), _verdicts(rows), strict=True)],
        hovertemplate="%{y}: %{customdata[0]}<br>%{customdata[1]}",
    )


def _add_controls(figure: go.Figure, rows: pd.DataFrame, what: str, method: str, visible: bool | str) -> None:
    known = rows[rows["control_delta_min"].notna()]
    x: list[float | None] = []
    y: list[str | None] = []
    for low, high, group in zip(known["control_delta_min"], known["control_delta_max"], known["group"], strict=True):
        x += [low, high, None]
        y += [text(group), text(group), None]
    if x:
        figure.add_scatter(
            x=x,
            y=y,
            mode="lines",
            line={"color": CONTROL, "width": 9},
            opacity=0.6,
            name=what,
            showlegend=False,
            legendgroup=text(method),
            visible=visible,
            hovertemplate=f"{what}: %{{x:.3g}}",
        )


def _significant(rows: pd.DataFrame) -> list[bool]:
    if "q_value" not in rows:
        return [True] * len(rows)
    return (rows["q_value"] < SIGNIFICANT).tolist()


def _verdicts(rows: pd.DataFrame) -> list[str]:
    if "verdict" not in rows:
        return [""] * len(rows)
    return [
        f"{text(verdict)} (q = {number(q)})" if q == q else text(verdict)
        for verdict, q in zip(rows["verdict"].fillna(""), rows["excess_q"], strict=True)
    ]
