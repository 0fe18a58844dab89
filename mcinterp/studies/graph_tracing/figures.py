"""Graph tracing: prior and context along context, components, what ablation does, and context by size of the ring."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from mcinterp.report.figures.base import drawn, error_bars, text
from mcinterp.report.palette import INK, SERIES

BARS = {
    "mass": "probability of neighbours",
    "first_layer": "η² after the first block",
    "last_layer": "η² after the last",
}


def both_figure(rows: pd.DataFrame) -> go.Figure:
    """Partial η² of the prior and of the context by window, for several networks.

    Args:
        rows: of the table `both`, of one layer.
    """
    traces = []
    for index, (network, own) in enumerate(rows.groupby("network", sort=False)):
        for column, dash in (("prior", "dash"), ("context", "solid")):
            traces.append(
                {
                    "type": "scatter",
                    "x": (own["begin"] + 1).tolist(),
                    "y": own[column].tolist(),
                    "error_y": error_bars(own, column),
                    "name": text(f"{network}: {column}"),
                    "mode": "lines+markers",
                    "line": {"color": SERIES[index % len(SERIES)], "width": 2, "dash": dash},
                    "hovertemplate": "%{y:.2f}",
                }
            )
    layout: dict[str, Any] = {"xaxis": {"type": "log", "dtick": np.log10(2)}, "hovermode": "x unified"}
    return drawn(340, "tokens seen, from", "partial η²", traces, **layout)


def components_figure(rows: pd.DataFrame) -> go.Figure:
    """Share of each principal component, and how far it lies in the low modes of either graph.

    Args:
        rows: of the table `components`, of one network.
    """
    names = {"share": "share of the variance", "prior": "in the prior's modes", "context": "in the context's modes"}
    traces = [
        {
            "type": "bar",
            "x": rows["component"].tolist(),
            "y": rows[column].tolist(),
            "name": name,
            "marker": {"color": SERIES[index]},
            "hovertemplate": "%{y:.2f}",
        }
        for index, (column, name) in enumerate(names.items())
    ]
    layout: dict[str, Any] = {"barmode": "group", "xaxis": {"dtick": 1}, "hovermode": "x unified"}
    return drawn(300, "principal component", "", traces, **layout)


def ablation_figure(effects: pd.DataFrame) -> go.Figure:
    """What is left without heads.

    Args:
        effects: the table.
    """
    names = [text(f"{row['without']} {row['heads']}".strip()) for _, row in effects.fillna({"heads": ""}).iterrows()]
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "y": names,
            "x": effects[column].tolist(),
            "error_x": error_bars(effects, column),
            "name": name,
            "marker": {"color": SERIES[index]},
            "hovertemplate": "%{x:.2f}",
        }
        for index, (column, name) in enumerate(BARS.items())
    ]
    layout: dict[str, Any] = {"barmode": "group", "yaxis": {"autorange": "reversed"}}
    return drawn(120 + 58 * len(names), "", "", traces, **layout)


def sizes_figure(rings: pd.DataFrame) -> go.Figure:
    """Critical context of the model and of the memory, over the number of nodes, both logarithmic.

    Args:
        rings: the table.
    """
    names = {"critical": ("the model", SERIES[0]), "memory": ("memory of what followed what", INK)}
    traces = [
        {
            "type": "scatter",
            "x": rings["nodes"].tolist(),
            "y": rings[column].tolist(),
            "error_y": error_bars(rings, column),
            "name": name,
            "mode": "lines+markers",
            "line": {"color": colour, "width": 2},
            "hovertemplate": "%{y:.1f}",
        }
        for column, (name, colour) in names.items()
    ]
    nodes = {"type": "log", "tickvals": rings["nodes"].tolist()}
    layout: dict[str, Any] = {"xaxis": nodes, "yaxis": {"type": "log", "dtick": "D2"}, "hovermode": "x unified"}
    return drawn(330, "nodes of the ring", "tokens seen at half of the accuracy", traces, **layout)
