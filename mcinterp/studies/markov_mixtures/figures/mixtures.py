"""Weights of the mixture over steps as stacked areas, with what it leaves below."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from mcinterp.report.figures.base import AXIS, blank, intervals, text
from mcinterp.report.palette import CONTROL, INK, MUTED
from mcinterp.studies.markov_mixtures.figures.phases import COLOURS
from mcinterp.studies.markov_mixtures.mixtures import ALL_FOUR, SINGLE, WITHOUT
from mcinterp.studies.markov_mixtures.oracles import BI_INF, BI_RET, UNI_INF, UNI_RET

ORDER = (UNI_INF, BI_INF, BI_RET, UNI_RET)
"""From below: inference, then retrieval."""
LEFT = {ALL_FOUR: (INK, "solid"), SINGLE: (MUTED, "dash"), WITHOUT: (CONTROL, "dot")}


def weights_figure(weights: pd.DataFrame, left: pd.DataFrame) -> go.Figure:
    """The weights of one network's mixture as stacked areas, and below what it leaves, beside simpler bases.

    Args:
        weights: rows of the table `weights` of the network, of ID sequences.
        left: of the table `left`.
    """
    figure = blank(460, "", "weight")
    for name in ORDER:
        rows = weights[(weights["oracle"] == name) & (weights["step"] > 0)].sort_values("step")
        figure.add_scatter(
            x=rows["step"].tolist(),
            y=rows["weight"].tolist(),
            mode="lines",
            stackgroup="weights",
            name=text(name),
            line={"width": 0.5, "color": COLOURS[name]},
            fillcolor=COLOURS[name],
            customdata=intervals(rows, "weight"),
            hovertemplate="step %{x:,d}: %{customdata}",
        )
    for base, (colour, dash) in LEFT.items():
        rows = left[(left["base"] == base) & (left["step"] > 0)].sort_values("step")
        figure.add_scatter(
            x=rows["step"].tolist(),
            y=rows["left"].tolist(),
            mode="lines",
            name=text(f"left: {base}"),
            yaxis="y2",
            line={"width": 1.8, "color": colour, "dash": dash},
            customdata=intervals(rows, "left"),
            hovertemplate="step %{x:,d}: %{customdata}",
        )
    figure.update_layout(
        yaxis={"domain": [0.42, 1.0], "range": [0, 1]},
        yaxis2={**AXIS, "domain": [0.0, 0.34], "title_text": "left, nats", "rangemode": "tozero"},
        xaxis={"type": "log", "dtick": 1, "tickformat": ",d", "title_text": "step", "anchor": "y2", "zeroline": False},
        legend_traceorder="normal",
    )
    return figure
