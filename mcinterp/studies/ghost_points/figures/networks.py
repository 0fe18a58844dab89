"""Trained recurrent networks of the ghost mechanism: their losses, what became of them, their velocity."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from mcinterp.report.figures.base import blank, error_bars, intervals, text
from mcinterp.report.numbers import number
from mcinterp.report.palette import MUTED, SERIES
from mcinterp.results import Result

AXES = {"rate": "learning rate", "gain": "gain of the output", "rank": "rank of the recurrent weights"}


def network_losses_figure(networks: Result) -> go.Figure:
    """The losses of some networks of every learning rate, a colour each."""
    updates = networks.arrays["update"].tolist()
    figure = blank(400, "update", "Σ squared error / T", yaxis_type="log", hovermode="closest")
    rates = networks.arrays["rate"]
    colours = sample_colorscale("Viridis", len(rates), high=0.92) if len(rates) > 1 else [SERIES[0]]
    for colour, rate, curves in zip(colours, rates, networks.arrays["loss"], strict=True):
        for index, curve in enumerate(curves):
            figure.add_scatter(
                x=updates,
                y=curve.tolist(),
                mode="lines",
                name=f"learning rate {rate:g}",
                legendgroup=f"{rate:g}",
                showlegend=index == 0,
                line={"color": colour, "width": 1.4},
                hovertemplate=f"rate {rate:g}, network {index + 1}<br>update %{{x:,d}}: %{{y:.3g}}<extra></extra>",
            )
    figure.update_xaxes(tickformat=",d")
    figure.update_yaxes(exponentformat="power", dtick=1)
    return figure


def network_outcomes_figure(outcomes: pd.DataFrame, sweep: str, measure: str) -> go.Figure:
    """The shares of networks that have learned and that have died, along what a sweep varies.

    Args:
        outcomes: rows of the table `outcomes` of one sweep.
        sweep: the column that varies.
        measure: the column that says which have learned.
    """
    figure = blank(330, AXES.get(sweep, sweep), "share of networks", xaxis_type="log")
    ends = ((measure, "has learned in the end", SERIES[0]), ("died", "has dropped and died", SERIES[1]))
    for column, name, colour in ends:
        figure.add_scatter(
            x=outcomes[sweep].tolist(),
            y=outcomes[column].tolist(),
            error_y=error_bars(outcomes, column, width=3),
            mode="lines+markers",
            name=name,
            line={"color": colour, "width": 1.6},
            marker={"size": 7},
            text=intervals(outcomes, column),
            hovertemplate="%{x:g}: %{text}<extra></extra>",
        )
    values = outcomes[sweep].tolist()
    figure.update_xaxes(tickvals=values, ticktext=[f"{value:g}" for value in values])
    figure.update_yaxes(range=[-0.04, 1.04])
    return figure


def network_velocity_figure(fields: Result) -> go.Figure:
    """The velocity against the overlap at stages of one network's training, the way to the threshold bold."""
    stages, overlap = fields.table("stages"), fields.arrays["overlap"]
    figure = blank(400, "overlap κ", "velocity κ̇", hovermode="closest")
    colours = sample_colorscale("Viridis", max(len(stages), 2), high=0.92)
    for colour, field, row in zip(colours, fields.arrays["velocity"], stages.to_dict("records"), strict=False):
        ends = sorted((row["start"], fields.facts["threshold"]))
        on_way = (overlap >= ends[0]) & (overlap <= ends[1])
        name = text(f"{row['stage']}, step {row['step']:,}")
        for part, width, shown in ((slice(None), 1.1, False), (np.flatnonzero(on_way), 3.0, True)):
            figure.add_scatter(
                x=overlap[part].tolist(),
                y=field[part].tolist(),
                mode="lines",
                name=name,
                legendgroup=name,
                showlegend=shown,
                line={"color": colour, "width": width},
                hovertemplate=f"{name}: lowest speed {number(row['lowest'])}<extra></extra>",
            )
    limit = 1.15 * float(stages["fastest"].max())
    figure.update_yaxes(range=[-limit, limit])
    figure.add_hline(y=0, line={"color": MUTED, "width": 1})
    figure.add_vline(x=fields.facts["threshold"], line={"color": MUTED, "width": 1, "dash": "dash"})
    figure.update_layout(legend={"y": -0.2, "yanchor": "top"}, margin_t=14)
    return figure
