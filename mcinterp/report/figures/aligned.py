"""Curves of several runs, by step and aligned at their drops."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from mcinterp.report.figures.base import blank, text
from mcinterp.report.numbers import interval
from mcinterp.report.palette import INK, MUTED, SERIES, table_colours
from mcinterp.report.scores import capital, curve_name
from mcinterp.results import Result

DECADES = 300
"""Over a wider range of values only powers of ten are written."""
DASHES = ("solid", "dash", "dot", "dashdot")
SYMBOLS = ("circle", "square", "diamond", "cross", "triangle-up", "x")


def by_step_figure(compared: Result) -> go.Figure:
    """The progress score of every run against step, with its fastest fall marked.

    Args:
        compared: the stored comparison of several runs.
    """
    score = str(compared.facts["progress_score"])
    figure = _axes(compared, score, "step")
    figure.update_xaxes(rangemode="nonnegative")
    frame, colours = compared.table("curves"), run_colours(compared)
    for run in compared.facts["runs"]:
        rows = frame[(frame["run"] == run) & (frame["score"] == score)]
        _line(figure, rows, "step", run, colours[run], opacity=1.0)
    for _, row in compared.table("runs").iterrows():
        if row["found"]:
            figure.add_vline(x=row["steepest"], line={"color": colours[row["run"]], "width": 1, "dash": "dot"})
    return figure


def aligned_figure(compared: Result, score: str) -> go.Figure:
    """A score of the runs that drop, each shifted so that its fastest fall is at 0, with their mean and its band.

    Args:
        compared: the stored comparison of several runs.
        score: one of its scores.
    """
    figure = _axes(compared, score, "step − step of the fastest fall")
    frame, mean = compared.table("curves"), compared.table("aligned")
    mean = mean[mean["score"] == score]
    if not mean.empty and mean["value_low"].notna().all():
        _band(figure, mean)
    colours = run_colours(compared)
    for run in compared.facts["dropped"]:
        rows = frame[(frame["run"] == run) & (frame["score"] == score)]
        _line(figure, rows, "aligned_step", run, colours[run], opacity=0.7)
    if not mean.empty and mean["value_low"].notna().all():
        figure.add_scatter(
            x=mean["aligned_step"].tolist(),
            y=_drawn(mean["value"], score in compared.facts["logarithmic"]),
            mode="lines",
            name=f"mean of {len(compared.facts['dropped'])}",
            line={"color": INK, "width": 2.2},
            customdata=[interval(*row) for row in mean[["value", "value_low", "value_high"]].to_numpy()],
            hovertemplate="%{x:,.0f}: %{customdata}",
        )
    figure.add_vline(x=0, line={"color": MUTED, "width": 1})
    return figure


def classes_figure(compared: Result, kind: str) -> go.Figure:
    """The share of the heads of each class at some checkpoints of every run, aligned at the drop.

    Args:
        compared: the stored comparison of several runs.
        kind: of classes.
    """
    frame = compared.table("classes")
    colours = table_colours(frame)
    frame = frame[(frame["kind"] == kind) & frame["aligned_step"].notna() & (frame["class"] != "none")]
    figure = blank(360, "step − step of the fastest fall", "share of the heads")
    figure.update_yaxes(tickformat=".0%", rangemode="tozero")
    figure.update_xaxes(tickformat=",d", hoverformat=",d")
    named: set[str] = set()
    present = [name for name in frame["class"].unique() if frame[frame["class"] == name]["heads"].any()]
    for place, run in enumerate(dict.fromkeys(frame["run"])):
        for name in present:
            rows = frame[(frame["run"] == run) & (frame["class"] == name)]
            figure.add_scatter(
                x=rows["aligned_step"].tolist(),
                y=rows["share"].tolist(),
                mode="lines+markers",
                name=text(name),
                legendgroup=text(name),
                showlegend=name not in named,
                **_style(colours[name], place),
                hovertemplate=f"{text(run)}, {text(name)}<br>%{{x}}: %{{y:.0%}}<extra></extra>",
            )
            named.add(name)
    for place, run in enumerate(dict.fromkeys(frame["run"])):
        figure.add_scatter(
            x=[None], y=[None], mode="lines+markers", name=text(run), **_style(MUTED, place), hoverinfo="skip"
        )
    figure.add_vline(x=0, line={"color": MUTED, "width": 1})
    return figure


def run_colours(compared: Result) -> dict[str, str]:
    """A colour for each run, in the order in which they were given."""
    runs = list(compared.facts["runs"])
    colours = SERIES if len(runs) <= len(SERIES) else sample_colorscale("Viridis", len(runs), high=0.92)
    return dict(zip(runs, colours, strict=False))


def _style(colour: str, place: int) -> dict[str, Any]:
    """Line and mark of a run's curves."""
    return {
        "line": {"color": colour, "width": 1.6, "dash": DASHES[place % len(DASHES)]},
        "marker": {"size": 6, "color": colour, "symbol": SYMBOLS[place % len(SYMBOLS)]},
    }


def _axes(compared: Result, score: str, x: str) -> go.Figure:
    logarithmic = score in compared.facts["logarithmic"]
    name = text(capital(curve_name(compared, score)))
    figure = blank(380, x, name, yaxis_type="log" if logarithmic else "linear")
    if logarithmic:
        values = compared.table("curves").query("score == @score")["value"]
        wide = values.max() > DECADES * values.min()
        figure.update_yaxes(dtick=1 if wide else "D2")
    figure.update_xaxes(tickformat=",d", hoverformat=",d")
    return figure


def _line(figure: go.Figure, rows: pd.DataFrame, x: str, run: str, colour: str, opacity: float) -> None:
    figure.add_scatter(
        x=rows[x].tolist(),
        y=[float(value) for value in rows["value"]],
        mode="lines",
        name=text(run),
        opacity=opacity,
        line={"color": colour, "width": 1.4},
        hovertemplate=f"{text(run)}<br>%{{x}}: %{{y:.3g}}<extra></extra>",
    )


def _band(figure: go.Figure, mean: pd.DataFrame) -> None:
    places = mean["aligned_step"].tolist()
    figure.add_scatter(
        x=[*places, *reversed(places)],
        y=[*mean["value_high"], *reversed(mean["value_low"].tolist())],
        fill="toself",
        fillcolor=MUTED,
        opacity=0.22,
        line={"width": 0},
        hoverinfo="skip",
        name="95 % band of the mean",
    )


def _drawn(values: pd.Series, logarithmic: bool) -> list[Any]:
    return [float(value) if value > 0 or not logarithmic else None for value in values]
