"""Concept learning in linear networks: what is learned over time, and the loss at the unseen combination."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from mcinterp.report.figures.base import blank
from mcinterp.report.palette import INK, SERIES

TIME = "learning rate × updates"
SWING = 0.5
"""Share of the beginning up to which the loss is drawn …"""
LEARNED = 0.01
"""… and down to which its curves are followed."""


def concepts_figure(curves: pd.DataFrame) -> go.Figure:
    """What networks of one setting learn of every concept, with intervals over seeds and the closed form dashed.

    Args:
        curves: rows of the table `curves` of one setting.
    """
    figure = blank(330, TIME, "share of the concept that is answered", hovermode="x unified")
    for index, (concept, rows) in enumerate(curves.groupby("concept")):
        colour, times = SERIES[index % len(SERIES)], rows["time"].tolist()
        figure.add_scatter(
            x=[*times, *reversed(times)],
            y=[*rows["learned_high"], *reversed(rows["learned_low"].tolist())],
            fill="toself",
            fillcolor=colour,
            opacity=0.2,
            line={"width": 0},
            hoverinfo="skip",
            showlegend=False,
        )
        _line(figure, rows, "learned", f"concept {concept}", colour, width=2.2)
        if rows["closed_form"].notna().any():
            _line(figure, rows, "closed_form", f"concept {concept}, closed form", INK, width=1.3, dash="dash")
    return figure


def swing_figure(curves: pd.DataFrame) -> go.Figure:
    """Loss at the unseen combination and training loss (dotted) along the exact flow, a colour for every beginning.

    Args:
        curves: rows of the table `curves` of one diagonal.
    """
    figure = blank(380, TIME, "share of the beginning", hovermode="x unified")
    for index, (correlation, rows) in enumerate(curves.groupby("correlation")):
        colour, name = SERIES[index % len(SERIES)], f"correlation {correlation:g}".replace("-", "−")
        _line(figure, rows, "ood_loss", name, colour, width=2.2)
        _line(figure, rows, "loss", f"{name}, training", colour, width=1.2, dash="dot", shown=False)
    # The swing, to which the fall from 1 would leave no room.
    figure.update_yaxes(range=[0, SWING])
    figure.update_xaxes(range=[0, float(curves["time"][curves["ood_loss"] > LEARNED].max())])
    return figure


def _line(
    figure: go.Figure,
    rows: pd.DataFrame,
    column: str,
    name: str,
    colour: str,
    width: float,
    dash: str = "solid",
    shown: bool = True,
) -> None:
    figure.add_scatter(
        x=rows["time"].tolist(),
        y=[float(value) if np.isfinite(value) else None for value in rows[column]],
        name=name,
        mode="lines",
        line={"color": colour, "width": width, "dash": dash},
        showlegend=shown,
        hovertemplate="%{y:.3g}",
    )
