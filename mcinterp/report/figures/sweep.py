"""The curves of a sweep's runs, and when their drops come."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from mcinterp.report.figures.base import blank, text
from mcinterp.report.numbers import declared, number
from mcinterp.report.palette import CONTROL, MUTED, SERIES
from mcinterp.report.scores import curve_name
from mcinterp.results import Result

SPREAD = 0.7
"""Runs with the same value stand beside each other over this share of its room."""


def sweep_curves_figure(summary: Result) -> go.Figure:
    """The progress score of every run against step, coloured by the first field that varies (seeds come last).

    Args:
        summary: the stored summary of a sweep.
    """
    runs, curves = summary.table("runs"), summary.table("curves")
    field, colours = colouring(summary)
    figure = blank(440, "step", text(curve_name(summary, summary.facts["progress_score"])), yaxis_type="log")
    figure.update_yaxes(dtick="D2")
    figure.update_xaxes(rangemode="nonnegative", tickformat=",d", hoverformat=",d")
    named: set[Any] = set()
    for run, value in zip(runs["run"], runs[field], strict=True):
        rows = curves[curves["run"] == run]
        if rows.empty:
            continue
        figure.add_scatter(
            x=rows["step"].tolist(),
            y=[score if score > 0 else None for score in rows["score"]],
            mode="lines",
            name=text(f"{field} {declared(value)}"),
            legendgroup=text(value),
            showlegend=value not in named,
            line={"color": colours[value], "width": 1.6},
            hovertemplate=f"{text(run)}<br>step %{{x}}: %{{y:.3g}}<extra></extra>",
        )
        named.add(value)
    return figure


def sweep_drops_figure(summary: Result, field: str) -> go.Figure:
    """The step of each run's fastest fall, with a bar from start to end of the drop, against one field.

    Args:
        summary: the stored summary of a sweep.
        field: a column of the table `runs` that varies.
    """
    runs = summary.table("runs")
    runs = runs[runs["steps_done"] > 0]
    values = summary.table("runs")[field].drop_duplicates().tolist()
    runs = runs.assign(place=_places(runs[field], values))
    by, colours = colouring(summary)
    figure = blank(330, text(field), "step of the drop", showlegend=False)
    figure.update_xaxes(
        tickvals=list(range(len(values))),
        ticktext=[text(declared(value)) for value in values],
        range=[-0.6, len(values) - 0.4],
        zeroline=False,
    )
    figure.update_yaxes(rangemode="tozero", tickformat=",d")
    _add_drops(figure, runs[runs["found"]], [colours[value] for value in runs[runs["found"]][by]])
    _add_others(figure, runs[~runs["found"]])
    return figure


def sweep_scores_figure(summary: Result, field: str) -> go.Figure:
    """The last score of every finished run against one field that varies, with the mean of each of its values.

    Args:
        summary: the stored summary of a sweep.
        field: a column of the table `runs` that varies.
    """
    runs = summary.table("runs")
    values = runs[field].drop_duplicates().tolist()
    runs = runs[runs["finished"]]
    runs = runs.assign(place=_places(runs[field], values))
    by, colours = colouring(summary)
    figure = blank(300, text(field), text(curve_name(summary, summary.facts["progress_score"])), showlegend=False)
    figure.update_xaxes(
        tickvals=list(range(len(values))),
        ticktext=[text(declared(value)) for value in values],
        range=[-0.6, len(values) - 0.4],
        zeroline=False,
    )
    figure.add_scatter(
        x=runs["place"].tolist(),
        y=runs["last_score"].tolist(),
        mode="markers",
        marker={"size": 8, "color": [colours[value] for value in runs[by]]},
        customdata=[text(run) for run in runs["run"]],
        hovertemplate="%{customdata}<br>%{y:.3g}<extra></extra>",
    )
    means = [runs[runs[field] == value]["last_score"].mean() for value in values]
    figure.add_scatter(
        x=list(range(len(values))),
        y=[None if mean != mean else mean for mean in means],
        mode="markers",
        marker={"size": 26, "symbol": "line-ew-open", "color": MUTED, "line": {"width": 2}},
        hovertemplate="mean of its runs: %{y:.3g}<extra></extra>",
    )
    return figure


def colouring(summary: Result) -> tuple[str, dict[Any, str]]:
    """The field that colours the runs, and the colour of each of its values."""
    field = str([*summary.facts["others"], *summary.facts["fields"]][0])
    values = summary.table("runs")[field].drop_duplicates().tolist()
    few = len(values) <= len(SERIES)
    colours = SERIES if few else sample_colorscale("Viridis", len(values), high=0.92)
    return field, dict(zip(values, colours, strict=False))


def _places(column: pd.Series, values: list[Any]) -> list[float]:
    """Where each run stands on the axis: runs with the same value beside each other."""
    totals, seen = column.value_counts(), dict.fromkeys(values, 0)
    places = []
    for value in column:
        places.append(values.index(value) + SPREAD * ((seen[value] + 0.5) / totals[value] - 0.5))
        seen[value] += 1
    return places


def _add_drops(figure: go.Figure, runs: pd.DataFrame, colours: list[str]) -> None:
    for (_, row), colour in zip(runs.iterrows(), colours, strict=True):
        figure.add_scatter(
            x=[row["place"], row["place"]],
            y=[row["start"], row["end"]],
            mode="lines",
            line={"color": colour, "width": 1.3},
            hoverinfo="skip",
        )
    figure.add_scatter(
        x=runs["place"].tolist(),
        y=runs["steepest"].tolist(),
        mode="markers",
        marker={"size": 9, "color": colours},
        customdata=[
            f"{text(row['run'])}<br>{number(row['start'])} to {number(row['end'])}" for _, row in runs.iterrows()
        ],
        hovertemplate="%{customdata}<br>steepest at %{y:,.0f}<extra></extra>",
    )


def _add_others(figure: go.Figure, runs: pd.DataFrame) -> None:
    """Runs without a drop, at the last step that they have done."""
    figure.add_scatter(
        x=runs["place"].tolist(),
        y=runs["steps_done"].tolist(),
        mode="markers",
        cliponaxis=False,
        marker={"size": 9, "symbol": "triangle-up-open", "color": MUTED, "line": {"color": CONTROL}},
        customdata=[text(run) for run in runs["run"]],
        hovertemplate="%{customdata}<br>no drop by step %{y:,.0f}<extra></extra>",
    )
