"""Walks through a graph: nodes that move as one slides through context, and courses over context with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from mcinterp.report.figures.base import drawn, text
from mcinterp.report.palette import CONTROL, INK, MUTED, SERIES

Line = tuple[str, str, str]
"""A column, what it is called, and how it is dashed."""
UNMARKED = {"zeroline": False, "showticklabels": False, "ticks": ""}
MOVE = 350
"""Milliseconds that nodes take from one context to the next."""


def moving_nodes_figure(
    planes: np.ndarray, edges: Sequence[tuple[int, int]], labels: Sequence[str], contexts: Sequence[str]
) -> go.Figure:
    """Class means in the plane of their first two components, with the graph's edges drawn, and a slider of contexts.

    Args:
        planes: (context, node, 2); NaN of a node that a context lacks.
        edges: pairs of neighbours.
        labels: of the nodes.
        contexts: what each context is called.
    """
    reach = 1.15 * float(np.nanmax(np.abs(planes)))
    layout: dict[str, Any] = {
        "xaxis": {"range": [-reach, reach], "zeroline": False, "showticklabels": False, "ticks": ""},
        "yaxis": {
            "range": [-reach, reach],
            "zeroline": False,
            "showticklabels": False,
            "ticks": "",
            "scaleanchor": "x",
        },
        "showlegend": False,
        "margin": {"b": 96},
        "sliders": [_slider(contexts)],
    }
    last = len(planes) - 1
    figure = drawn(480, "", "", _nodes(planes[last], edges, labels), **layout)
    figure.frames = [
        go.Frame(name=name, data=_nodes(plane, edges, labels)) for name, plane in zip(contexts, planes, strict=True)
    ]
    return figure


def _nodes(plane: np.ndarray, edges: Sequence[tuple[int, int]], labels: Sequence[str]) -> list[dict[str, Any]]:
    ends = [(plane[one], plane[other]) for one, other in edges]
    points = [point for one, other in ends for point in (_point(one), _point(other), (None, None))]
    placed = [_point(own) for own in plane]
    return [
        {
            "type": "scatter",
            "x": [x for x, _ in points],
            "y": [y for _, y in points],
            "mode": "lines",
            "line": {"color": CONTROL, "width": 1.6},
            "hoverinfo": "skip",
        },
        {
            "type": "scatter",
            "x": [x for x, _ in placed],
            "y": [y for _, y in placed],
            "mode": "markers+text",
            "marker": {"size": 12, "color": SERIES[0]},
            "text": [text(label) for label in labels],
            "textposition": "top center",
            "textfont": {"color": INK},
            "hovertemplate": "%{text}<extra></extra>",
        },
    ]


def _point(place: np.ndarray) -> tuple[float | None, float | None]:
    return (float(place[0]), float(place[1])) if np.isfinite(place).all() else (None, None)


def _slider(contexts: Sequence[str]) -> dict[str, Any]:
    move = {"mode": "immediate", "frame": {"duration": MOVE, "redraw": False}, "transition": {"duration": MOVE}}
    return {
        "active": len(contexts) - 1,
        "currentvalue": {"prefix": "tokens before: ", "font": {"size": 13, "color": INK}},
        "pad": {"t": 28},
        "len": 1.0,
        "x": 0,
        "font": {"color": MUTED, "size": 11},
        "steps": [{"label": name, "method": "animate", "args": [[name], move]} for name in contexts],
    }


def context_figure(
    rows: pd.DataFrame, lines: Sequence[Line], x: str, y: str, shift: int = 0, top: float | None = None
) -> go.Figure:
    """Courses over the length of context, on a logarithmic axis, with intervals where the table has them.

    Args:
        rows: in the order of the axis.
        lines: what is drawn.
        x: column of the axis.
        y: what the vertical axis says.
        shift: added to the column, as 0 has no logarithm.
        top: end of the vertical axis.
    """
    traces = []
    for index, line in enumerate(lines):
        traces += _course(rows, line, (rows[x] + shift).tolist(), SERIES[index % len(SERIES)])
    vertical: Mapping[str, Any] = {} if top is None else {"range": [0, top]}
    layout: dict[str, Any] = {"xaxis": {"type": "log", "dtick": np.log10(2)}, "yaxis": dict(vertical)}
    return drawn(340, "tokens seen", y, traces, hovermode="x unified", **layout)


def _course(rows: pd.DataFrame, line: Line, places: list[float], colour: str) -> list[dict[str, Any]]:
    column, name, dash = line
    found: list[dict[str, Any]] = []
    if f"{column}_low" in rows:
        whole = rows[f"{column}_low"].notna() & rows[f"{column}_high"].notna()
        ends = [place for place, has in zip(places, whole, strict=True) if has]
        high, low = rows[f"{column}_high"][whole].tolist(), rows[f"{column}_low"][whole].tolist()
        band = {"x": [*ends, *reversed(ends)], "y": [*high, *reversed(low)], "fill": "toself", "fillcolor": colour}
        found.append({"type": "scatter", **band, "opacity": 0.18, "line": {"width": 0}, "mode": "lines",
                      "hoverinfo": "skip", "showlegend": False})  # fmt: skip
    values = [float(value) if np.isfinite(value) else None for value in rows[column]]
    found.append(
        {
            "type": "scatter",
            "x": places,
            "y": values,
            "name": text(name),
            "mode": "lines+markers",
            "marker": {"size": 5},
            "line": {"color": colour, "width": 2, "dash": dash},
            "hovertemplate": "%{y:.3g}",
        }
    )
    return found
