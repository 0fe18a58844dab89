"""Attention from groups of positions to groups of positions, a small picture a head."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from mcinterp.report.figures.base import blank, text
from mcinterp.report.figures.switching import DIVERGING
from mcinterp.report.numbers import interval, number
from mcinterp.report.palette import MUTED
from mcinterp.results import Result

HEADS_A_LINE = 8
CELL = 16
"""Height of a cell in pixels."""
GAP, NAME = 1, 1.6
"""Between pictures, and for the name above each, in cells."""
FARTHEST = 4.0
"""Times, or one part in so many, of what uniform attention has, where colours end."""


def position_blocks_figure(taxonomy: Result, grouping: str) -> go.Figure:
    """Each head's attention by block as a multiple of uniform attention: orange is more, blue less.

    Args:
        taxonomy: the stored taxonomy of a checkpoint.
        grouping: by what positions are grouped.
    """
    heads = taxonomy.table("blocks")["head"].unique().tolist()
    blocks, *ends = (taxonomy.arrays[f"{grouping}_blocks{end}"] for end in ("", "_low", "_high"))
    uniform = np.asarray(taxonomy.facts["uniform_blocks"][grouping])
    size = len(uniform)
    lines, a_line = -(-len(heads) // HEADS_A_LINE), min(len(heads), HEADS_A_LINE)
    tall, wide = size + GAP + NAME, size + GAP
    figure = blank(round(CELL * tall * lines) + 8, "", showlegend=False)
    names = _names(grouping, size)
    for index, head in enumerate(heads):
        top, left = index // HEADS_A_LINE * tall + NAME, index % HEADS_A_LINE * wide
        figure.add_heatmap(
            x=[left + at for at in range(size)],
            y=[top + at for at in range(size)],
            z=np.round(_octaves(blocks[index], uniform), 3).tolist(),
            customdata=_details(head, names, uniform, blocks[index], *(end[index] for end in ends)),
            hovertemplate="%{customdata}<extra></extra>",
            colorscale=DIVERGING,
            zmin=-np.log2(FARTHEST),
            zmax=np.log2(FARTHEST),
            showscale=False,
        )
        figure.add_annotation(**_title(head, left, top))
        figure.add_shape(**_frame(left, top, size))
    figure.update_xaxes(visible=False, range=[-0.6, max(a_line, 4) * wide - GAP + 0.1])
    figure.update_yaxes(visible=False, range=[lines * tall - GAP - 0.4, -0.1])
    figure.update_layout(margin={"l": 4, "r": 4, "t": 4, "b": 4})
    return figure


def _octaves(blocks: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """How often twice what uniform attention has; blocks that no query sees are as much."""
    seen = uniform > 0
    ratio = np.where(seen, blocks, 1.0) / np.where(seen, uniform, 1.0)
    return np.asarray(np.log2(np.clip(ratio, 1 / FARTHEST, FARTHEST)))


def _names(grouping: str, size: int) -> list[str]:
    return [f"{grouping} {at}" for at in range(size)]


def _details(
    head: str, names: list[str], uniform: np.ndarray, blocks: np.ndarray, low: np.ndarray, high: np.ndarray
) -> list[list[str]]:
    return [
        [
            f"{text(head)}, queries of {text(query)}, keys of {text(key)}<br>attention "
            f"{interval(blocks[i, j], low[i, j], high[i, j])}, uniform {number(uniform[i, j])}"
            for j, key in enumerate(names)
        ]
        for i, query in enumerate(names)
    ]


def _title(head: str, left: float, top: float) -> dict[str, Any]:
    return {
        "text": text(head),
        "x": left - 0.5,
        "y": top - 0.6,
        "xanchor": "left",
        "yanchor": "bottom",
        "showarrow": False,
        "font": {"size": 11, "color": MUTED},
    }


def _frame(left: float, top: float, size: int) -> dict[str, Any]:
    return {
        "type": "rect",
        "x0": left - 0.5,
        "x1": left + size - 0.5,
        "y0": top - 0.5,
        "y1": top + size - 0.5,
        "line": {"color": MUTED, "width": 0.7},
    }
