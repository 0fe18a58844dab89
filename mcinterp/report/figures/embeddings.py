"""Pictures of embeddings: token norms, token components and the map of the positions, checkpoint by checkpoint."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mcinterp.report.figures.base import AXIS, FONT, blank
from mcinterp.report.numbers import number
from mcinterp.report.palette import GRID, INK, SERIES
from mcinterp.results import Result

DIVERGING = [[0.0, SERIES[0]], [0.5, "#B9BEC5"], [1.0, SERIES[1]]]
HUES = "hsl({hue:.0f},62%,45%)"


def token_norm_figure(embeddings: Result) -> go.Figure:
    """Norm of every token's embedding against its value, first and last drawn checkpoint in front."""
    values, drawn, norms = (embeddings.arrays[name] for name in ("values", "drawn", "norms"))
    figure = blank(340, "value of the token", "ℓ2 norm of its embedding")
    for index, step in enumerate(drawn):
        figure.add_scatter(
            x=values.tolist(),
            y=norms[index].tolist(),
            mode="markers",
            name=f"step {number(int(step))}",
            marker={"size": 4, "color": SERIES[index % len(SERIES)]},
            hovertemplate="%{x}: %{y:.3g}",
        )
    return figure


def token_pictures_figure(embeddings: Result) -> go.Figure:
    """Token embeddings of each drawn checkpoint on the last one's first two principal components."""
    values = embeddings.arrays["values"]
    figure = _panels(embeddings)
    largest = float(np.abs(values).max())
    for index, points in enumerate(embeddings.arrays["token_pictures"]):
        figure.add_scatter(
            x=points[:, 0].tolist(),
            y=points[:, 1].tolist(),
            mode="markers",
            marker={
                "size": 5,
                "color": values.tolist(),
                "colorscale": DIVERGING,
                "cmin": -largest,
                "cmax": largest,
                "showscale": index == 0,
                "colorbar": {"title": {"text": "value"}, "thickness": 10, "outlinewidth": 0},
            },
            text=[f"{value:g}" for value in values],
            hovertemplate="value %{text}",
            showlegend=False,
            **_place(index),
        )
    return figure


def position_pictures_figure(embeddings: Result, labels: str) -> go.Figure:
    """t-SNE of the positional embeddings of each drawn checkpoint, coloured by a label of the positions.

    Args:
        embeddings: the stored embeddings of a run.
        labels: one of `facts["position_labels"]`.
    """
    named = embeddings.facts["position_labels"]
    groups = sorted(set(named[labels]))
    colours = {group: HUES.format(hue=360 * at / max(1, len(groups))) for at, group in enumerate(groups)}
    written = [",".join(str(named[name][at]) for name in named) for at in range(len(named[labels]))]
    figure = _panels(embeddings)
    # Neither the scale nor the origin of a t-SNE means anything.
    figure.update_xaxes(showticklabels=False, ticks="", zeroline=False, showgrid=False)
    figure.update_yaxes(showticklabels=False, ticks="", zeroline=False, showgrid=False)
    for index, points in enumerate(embeddings.arrays["position_pictures"]):
        finite = np.isfinite(points).all()
        figure.add_scatter(
            x=points[:, 0].tolist() if finite else [],
            y=points[:, 1].tolist() if finite else [],
            mode="text",
            text=written,
            textfont={"size": 11, "color": [colours[group] for group in named[labels]]},
            hovertemplate=f"{'%{text}'} ({', '.join(named)})",
            showlegend=False,
            **_place(index),
        )
    return figure


def _place(index: int) -> dict[str, int]:
    return {"row": index // 3 + 1, "col": index % 3 + 1}


def _panels(embeddings: Result) -> go.Figure:
    """An empty panel for every drawn checkpoint, three to a row."""
    drawn = embeddings.arrays["drawn"]
    rows = -(-len(drawn) // 3)
    figure = make_subplots(
        rows=rows,
        cols=min(3, len(drawn)),
        subplot_titles=[f"step {number(int(step))}" for step in drawn],
        horizontal_spacing=0.06,
        vertical_spacing=0.16 if rows > 1 else 0.0,
    )
    figure.update_layout(
        template={},
        height=90 + 230 * rows,
        font={"family": FONT, "size": 12, "color": INK},
        margin={"l": 10, "r": 14, "t": 40, "b": 10},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
    )
    axis = {key: value for key, value in AXIS.items() if key != "title_standoff"}
    axis |= {"showline": True, "mirror": True, "linecolor": GRID}
    figure.update_xaxes(**axis)
    figure.update_yaxes(**axis)
    return figure
