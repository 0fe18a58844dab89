"""Layers whose scale means nothing, over training; and test losses of Adam and of k-Adam by learning rate."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from mcinterp.report.figures.base import blank, error_bars, intervals, text
from mcinterp.report.palette import MUTED, SERIES
from mcinterp.results import Result


def norm_figure(invariant: Result) -> go.Figure:
    """‖W‖² of one network for each size of its initial weights, with the two predictions."""
    arrays = invariant.arrays
    figure = blank(380, "update", "‖W‖²", yaxis_type="log", hovermode="closest")
    parts = (
        ("norm", "", "solid", 2.2),
        ("factor", "average with the factor", "dash", 1.5),
        ("average", "plain average", "dot", 1.5),
    )
    for index, scale in enumerate(invariant.facts["scales"]):
        for part, name, dash, width in parts:
            said = f"begun at × {scale:g}" if part == "norm" else f"begun at × {scale:g}, {name}"
            _line(figure, arrays["update"], arrays[part][index], said, index, dash, width, part == "norm")
    return figure


def angle_figure(invariant: Result) -> go.Figure:
    """The angle between weights before and after an update, and the law that it settles to."""
    arrays = invariant.arrays
    figure = blank(340, "update", "angle, radians", yaxis_type="log", hovermode="closest")
    for index, scale in enumerate(invariant.facts["scales"]):
        _line(figure, arrays["update"], arrays["angle"][index], f"begun at × {scale:g}", index, "solid", 1.6, True)
    figure.add_hline(y=invariant.facts["law"], line={"color": MUTED, "width": 1.4, "dash": "dash"})
    return figure


def _line(
    figure: go.Figure, x: np.ndarray, y: np.ndarray, name: str, index: int, dash: str, width: float, shown: bool
) -> None:
    figure.add_scatter(
        x=x.tolist(),
        y=[float(f"{value:.4g}") for value in y],
        mode="lines",
        name=name,
        legendgroup=str(index),
        showlegend=shown,
        line={"color": SERIES[index % len(SERIES)], "width": width, "dash": dash},
        hovertemplate=f"{text(name)}: %{{y:.3g}}<extra></extra>",
    )


def losses_figure(losses: pd.DataFrame) -> go.Figure:
    """Test loss by learning rate, a line for every optimiser.

    Args:
        losses: rows of the table `losses` of one kind of network.
    """
    figure = blank(340, "learning rate", "cross-entropy on fresh points, nats", xaxis_type="log")
    for index, (optimiser, rows) in enumerate(losses.groupby("optimiser", sort=False)):
        figure.add_scatter(
            x=rows["rate"].tolist(),
            y=rows["loss"].tolist(),
            error_y=error_bars(rows, "loss", width=3),
            mode="lines+markers",
            name=text(optimiser),
            line={"color": SERIES[index % len(SERIES)], "width": 1.8},
            marker={"size": 7},
            text=intervals(rows, "loss"),
            hovertemplate=f"{text(optimiser)}, rate %{{x:g}}: %{{text}}<extra></extra>",
        )
    rates = sorted(losses["rate"].unique())
    figure.update_xaxes(tickvals=rates, ticktext=[f"{rate:g}" for rate in rates])
    return figure
