"""The one-dimensional system of the ghost mechanism: its velocity over training, its losses, its learning rates."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from mcinterp.report.figures.base import blank, error_bars, intervals, text
from mcinterp.report.numbers import number
from mcinterp.report.palette import CONTROL, MUTED, SERIES
from mcinterp.results import Result

MARKS = (("start", "start", 1.0, "right"), ("steepest", "steepest", 0.06, "right"), ("end", "end", 1.0, "left"))


def velocity_figure(velocity: Result, run: str) -> go.Figure:
    """The velocity as a function of the state at stages of a run's training.

    Args:
        velocity: the stored velocity fields.
        run: which of its runs.
    """
    stages, x = velocity.table("stages"), velocity.arrays["x"]
    rows, fields = stages[stages["run"] == run], velocity.arrays["velocity"][stages["run"] == run]
    figure = blank(380, "state x", "velocity ẋ", hovermode="closest")
    colours = sample_colorscale("Viridis", len(rows), high=0.92)
    for colour, field, row in zip(colours, fields, rows.to_dict("records"), strict=True):
        figure.add_scatter(
            x=x.tolist(),
            y=field.tolist(),
            mode="lines",
            name=text(f"{row['stage']}, epoch {row['epoch']:,}"),
            line={"color": colour, "width": 2},
            hovertemplate=f"{text(row['stage'])}: lowest {number(row['lowest'])}<extra></extra>",
        )
    top = 2.2 * rows["lowest"].max()
    figure.update_yaxes(range=[min(-0.08 * top, 1.6 * rows["lowest"].min()), top], exponentformat="power")
    figure.add_hline(y=0, line={"color": MUTED, "width": 1})
    return _legend_below(figure)


def ghost_loss_figure(drops: Result) -> go.Figure:
    """The loss of one run with the closed form, the same without a ghost, and what the detector found."""
    arrays, marks = drops.arrays, drops.table("marks").set_index("curve")
    learned = marks.loc["learned"]
    figure = blank(400, "epoch", "loss |T − t*|/T")
    figure.update_xaxes(tickformat=",d", range=[0, float(arrays["epoch"][-1])])
    figure.update_yaxes(rangemode="tozero")
    curves: list[tuple[str, str, str, dict[str, Any]]] = [
        ("without a ghost", "epoch", "without_ghost", {"color": CONTROL, "width": 1.6}),
        ("learned", "epoch", "learned", {"color": SERIES[0], "width": 2.2}),
        ("closed form", "closed_form_epoch", "closed_form", {"color": SERIES[1], "width": 1.6, "dash": "dash"}),
    ]
    for name, x, y, line in curves:
        figure.add_scatter(x=arrays[x].tolist(), y=arrays[y].tolist(), mode="lines", name=name, line=line)
    if learned["found"]:
        _mark(figure, learned)
    return figure


def _mark(figure: go.Figure, learned: Any) -> None:
    """The detector's drop shaded, with its ends and its steepest point."""
    figure.add_vrect(x0=learned["start"], x1=learned["end"], fillcolor=SERIES[1], opacity=0.08, line_width=0)
    for key, label, height, side in MARKS:
        figure.add_vline(
            x=learned[key], line={"color": MUTED, "width": 1, "dash": "solid" if key == "steepest" else "dash"}
        )
        figure.add_annotation(
            text=f"{label} {number(round(learned[key]))}",
            x=learned[key],
            xanchor=side,
            yref="paper",
            y=height,
            yanchor="top" if height > 0.5 else "bottom",
            showarrow=False,
            font={"color": MUTED, "size": 12},
            bgcolor="rgba(255,255,255,0.75)",
        )


def ghost_rates_figure(rates: Result) -> go.Figure:
    """The share of runs that end in the no-learning zone, and of those that never switch, by learning rate."""
    frame = rates.table("rates")
    figure = blank(340, "learning rate over its critical value", "share of runs", xaxis_type="log")
    curves = (
        ("without_switch", "with a root of the velocity, at r ≤ 0", SERIES[1]),
        ("dead", "in the no-learning zone", SERIES[0]),
    )
    for column, name, colour in curves:
        figure.add_scatter(
            x=frame["relative"].tolist(),
            y=frame[column].tolist(),
            error_y=error_bars(frame, column),
            mode="lines+markers",
            name=name,
            line={"color": colour, "width": 1.6},
            text=intervals(frame, column),
            hovertemplate="%{x:.3g} times: %{text}<extra></extra>",
        )
    figure.add_vline(x=1, line={"color": MUTED, "width": 1, "dash": "dash"})
    _ticks(figure, float(frame["relative"].min()), float(frame["relative"].max()))
    return figure


def oscillation_figure(oscillation: Result) -> go.Figure:
    """How far settled runs stay from the optimum, by learning rate, with the closed form for small ones."""
    frame = oscillation.table("oscillation")
    figure = blank(
        340,
        "learning rate over its critical value",
        "mean distance, over the optimum",
        xaxis_type="log",
        yaxis_type="log",
    )
    figure.add_scatter(
        x=frame["relative"].tolist(),
        y=frame["closed_form"].tolist(),
        mode="lines",
        name="closed form",
        line={"color": SERIES[1], "width": 1.6, "dash": "dash"},
    )
    figure.add_scatter(
        x=frame["relative"].tolist(),
        y=frame["size"].tolist(),
        error_y=error_bars(frame, "size"),
        mode="markers",
        name="settled runs",
        marker={"color": SERIES[0], "size": 8},
        text=intervals(frame, "size"),
        hovertemplate="%{x:.3g} times: %{text}<extra></extra>",
    )
    _ticks(figure, float(frame["relative"].min()), float(frame["relative"].max()))
    figure.update_yaxes(dtick="D2", exponentformat="power")
    return figure


def _ticks(figure: go.Figure, low: float, high: float) -> None:
    """One, two and five times the powers of ten between two values of a logarithmic axis."""
    ends = int(np.floor(np.log10(low))), int(np.ceil(np.log10(high)))
    ticks = [factor * 10.0**power for power in range(ends[0], ends[1] + 1) for factor in (1, 2, 5)]
    ticks = [tick for tick in ticks if 0.99 * low <= tick <= 1.01 * high]
    figure.update_xaxes(tickvals=ticks, ticktext=[f"{tick:g}" for tick in ticks])


def _legend_below(figure: go.Figure) -> go.Figure:
    figure.update_layout(legend={"y": -0.22, "yanchor": "top"}, margin_t=14)
    return figure
