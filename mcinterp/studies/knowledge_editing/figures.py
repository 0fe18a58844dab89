"""Pictures of knowledge editing: what is learned, rings before and after edits, damage by distance and distortion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mcinterp.report.figures.base import AXIS, blank, error_bars, intervals, text
from mcinterp.report.palette import CONTROL, MUTED, SERIES

BELOW = {"y": -0.26, "yanchor": "top"}
LOST = {
    "recall_edited": "recall, edited order",
    "recall_retained": "recall, other order",
    "inverse_edited": "inverse, edited order",
    "inverse_retained": "inverse, other order",
    "composed_edited": "composed, edited order",
    "composed_retained": "composed, other order",
}
AROUND = [[0.0, "#0072B2"], [0.25, "#009E73"], [0.5, "#E69F00"], [0.75, "#D55E00"], [1.0, "#0072B2"]]
"""Colours of places on a cycle, which end as they begin."""
A_LINE = 3
"""Pictures beside each other."""


def learning_figure(learning: pd.DataFrame) -> go.Figure:
    """Shares of facts that are right, over training.

    Args:
        learning: the table of that name.
    """
    figure = blank(330, "step", "share right")
    for index, (kind, rows) in enumerate(learning.groupby("kind", sort=False)):
        _line(figure, rows, "step", "right", str(kind), SERIES[index % len(SERIES)])
    figure.update_yaxes(range=[-0.03, 1.05])
    figure.update_layout(legend=BELOW, margin_t=14)
    return figure


def knowledge_figure(knowledge: pd.DataFrame) -> go.Figure:
    """What each network has right, of all orders.

    Args:
        knowledge: the table of that name.
    """
    figure = blank(330, "", "share right", barmode="group")
    rows = knowledge[knowledge["orders"] == "all"]
    for index, (kind, own) in enumerate(rows.groupby("kind", sort=False)):
        _bars(figure, own, own["network"].tolist(), "right", str(kind), SERIES[index % len(SERIES)])
    figure.update_layout(legend=BELOW, margin_t=14)
    return figure


def rings_figure(points: pd.DataFrame, order: int, titles: Mapping[str, str]) -> go.Figure:
    """Entities in two dimensions of Isomap, joined along an order, a picture for each edit.

    Args:
        points: rows of the table of that name, of embeddings or of the stream.
        order: along which.
        titles: of the pictures, by edit.
    """
    own = points[points["order"] == order]
    kinds = own["edit"].unique().tolist()
    lines = -(-len(kinds) // A_LINE)
    wide = min(A_LINE, len(kinds))
    named = [titles[kind] for kind in kinds]
    figure = make_subplots(lines, wide, subplot_titles=named, horizontal_spacing=0.03, vertical_spacing=0.14)
    figure.update_layout(blank(60 + 250 * lines, "").layout)
    figure.update_annotations(font_size=12)
    figure.update_layout(showlegend=False)
    for at, kind in enumerate(kinds):
        figure.add_trace(_ring(own[own["edit"] == kind].sort_values("place")), at // wide + 1, at % wide + 1)
    bare = {**AXIS, "showticklabels": False, "ticks": "", "zeroline": False, "showgrid": False}
    figure.update_xaxes(**bare)
    figure.update_yaxes(**bare)
    return figure


def _ring(rows: pd.DataFrame) -> go.Scatter:
    closed = pd.concat([rows, rows.iloc[:1]])
    return go.Scatter(
        x=closed["x"].tolist(),
        y=closed["y"].tolist(),
        mode="lines+markers",
        line={"color": CONTROL, "width": 1},
        marker={"size": 7, "color": closed["place"].tolist(), "colorscale": AROUND},
        text=[f"place {place}" for place in closed["place"]],
        hovertemplate="%{text}<extra></extra>",
    )


def scatter_figure(edits: pd.DataFrame) -> go.Figure:
    """Recall lost over R, an edit a point, by distance; changes that are no edits beside.

    Random matrices are left out: they lie so far beyond that everything else would be one point.

    Args:
        edits: the table of that name, of one network.
    """
    figure = blank(380, "R of the edited order", "recall lost in the edited order")
    kinds = edits[edits["method"].isin(["edit", "random value", "random key", "fine-tuned"])]
    for index, ((method, distance), rows) in enumerate(kinds.groupby(["method", "distance"], sort=False)):
        is_edit = method == "edit"
        figure.add_scatter(
            x=rows["r_edited"].tolist(),
            y=rows["recall_edited"].tolist(),
            mode="markers",
            name=text(f"distance {distance}" if is_edit else method),
            marker={
                "size": 8 if is_edit else 7,
                "color": SERIES[index % len(SERIES)] if is_edit else MUTED,
                "symbol": "circle" if is_edit else ("x", "diamond-open", "square-open")[index % 3],
            },
            text=[f"{row['entity']} {row['relation']} → {row['target']}" for row in rows.to_dict("records")],
            hovertemplate="%{text}: R %{x:.3g}, lost %{y:.3g}<extra></extra>",
        )
    figure.update_xaxes(type="log")
    figure.update_layout(legend=BELOW, margin_t=14)
    return figure


def losses_figure(summary: pd.DataFrame) -> go.Figure:
    """What edits lose by distance, a colour for each kind of fact.

    Args:
        summary: rows of edits and of edits to the present answer, of one network.
    """
    figure = blank(360, "places between old and new answer", "share lost", barmode="group")
    places = [str(distance) for distance in summary["distance"]]
    for index, (column, name) in enumerate(LOST.items()):
        if summary[column].notna().any():
            _bars(figure, summary, places, column, name, SERIES[index % len(SERIES)])
    figure.update_xaxes(type="category", zeroline=False)
    figure.update_layout(legend=BELOW, margin_t=14)
    return figure


def sequences_figure(sequences: pd.DataFrame) -> go.Figure:
    """R and losses over the number of edits.

    Args:
        sequences: the table of that name, of one network.
    """
    figure = blank(330, "edits made", "R, or share")
    lines = {"r_edited": "R, edited order", **{name: words for name, words in LOST.items() if "inverse" not in name}}
    for index, (column, name) in enumerate({**lines, "held": "edits that hold"}.items()):
        _line(figure, sequences, "edits", column, name, (*SERIES, MUTED)[index % 7])
    figure.update_layout(legend=BELOW, margin_t=14)
    return figure


def _bars(figure: go.Figure, rows: pd.DataFrame, places: list[Any], column: str, name: str, colour: str) -> None:
    figure.add_bar(
        x=places,
        y=rows[column].tolist(),
        error_y=error_bars(rows, column, width=2),
        name=text(name),
        marker={"color": colour},
        text=intervals(rows, column),
        textposition="none",
        hovertemplate=f"{name}: %{{text}}<extra></extra>",
    )


def _line(figure: go.Figure, rows: pd.DataFrame, x: str, column: str, name: str, colour: str) -> None:
    figure.add_scatter(
        x=rows[x].tolist(),
        y=rows[column].tolist(),
        error_y={**error_bars(rows, column, width=2), "color": colour},
        mode="lines+markers",
        name=text(name),
        line={"width": 1.7, "color": colour},
        marker={"size": 6},
        text=intervals(rows, column),
        hovertemplate=f"{name}, %{{x}}: %{{text}}<extra></extra>",
    )
