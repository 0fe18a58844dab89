"""Training curves of single components beside that of the whole model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from mcinterp.report.figures.base import blank, text
from mcinterp.report.numbers import is_absent, number
from mcinterp.report.palette import INK, MUTED, SERIES
from mcinterp.report.scores import curve_name
from mcinterp.results import Result

KEYS = ["component", "kind", "seed"]
DASHES = ("solid", "dash", "dashdot", "longdash")
MARKS = {"start": "circle-open", "steepest": "diamond", "end": "circle"}


def components_figure(components: Result, metric: str | None = None) -> go.Figure:
    """The curve of every training on logarithmic axes, with where its drop starts, is steepest and ends.

    Args:
        components: the stored comparison of a run.
        metric: a column of its table `curves`; None for the score that the drops are of, which alone are marked.
    """
    progress = components.facts["progress_score"]
    metric = metric or progress
    curves, transitions = components.table("curves"), components.table("transitions")
    title = curve_name(components, metric)
    figure = blank(460, "step of its own training", text(title), hovermode="closest")
    figure.update_xaxes(type="log", dtick=1, tickformat=",d")
    figure.update_yaxes(type="log", dtick="D2", tickformat=".3g")
    names = [name for name in curves["component"].unique() if name != "whole model"]
    colours = {"whole model": INK} | {name: SERIES[i % len(SERIES)] for i, name in enumerate(names)}
    seeds: dict[tuple[str, str], int] = {}
    for _, rows in curves.groupby(KEYS, sort=False):
        component, kind, seed = (rows[key].iloc[0] for key in KEYS)
        seeds[component, kind] = seeds.get((component, kind), 0) + 1
        dash = "dot" if kind == "control" else DASHES[(seeds[component, kind] - 1) % len(DASHES)]
        name = _name(component, kind, seed)
        _add_curve(figure, rows, metric, name, colours[component], dash)
        if metric == progress:
            own = transitions[(transitions[KEYS] == [component, kind, seed]).all(axis=1)]
            _add_marks(figure, rows, metric, own, name, colours[component])
    plateau = components.facts.get("plateau")
    if not is_absent(plateau):
        figure.add_hline(y=plateau, line={"color": MUTED, "width": 1, "dash": "dot"})
    return figure


def _name(component: str, kind: str, seed: Any) -> str:
    if kind == "run":
        return component
    return f"{component}, {'not re-initialised' if kind == 'control' else f'seed {int(seed)}'}"


def _add_curve(figure: go.Figure, rows: pd.DataFrame, metric: str, name: str, colour: str, dash: str) -> None:
    figure.add_scatter(
        x=rows["step"].tolist(),
        y=[value if value > 0 else None for value in rows[metric]],
        mode="lines",
        name=text(name),
        legendgroup=text(name),
        line={"color": colour, "width": 2.2 if colour == INK else 1.6, "dash": dash},
        hovertemplate="%{fullData.name}<br>step %{x:,d}: %{y:.3g}<extra></extra>",
    )


def _add_marks(
    figure: go.Figure, rows: pd.DataFrame, metric: str, transitions: pd.DataFrame, name: str, colour: str
) -> None:
    if transitions.empty or not transitions["found"].iloc[0]:
        return
    steps = [float(transitions[mark].iloc[0]) for mark in MARKS]
    figure.add_scatter(
        x=steps,
        y=np.exp(np.interp(steps, rows["step"], np.log(rows[metric]))).tolist(),
        mode="markers",
        name=text(name),
        legendgroup=text(name),
        showlegend=False,
        marker={
            "size": 9,
            "color": colour,
            "symbol": list(MARKS.values()),
            "line": {"width": 2, "color": colour},
        },
        text=[f"{text(name)}<br>{mark} {number(round(step))}" for mark, step in zip(MARKS, steps, strict=True)],
        hovertemplate="%{text}<extra></extra>",
    )
