"""The heads of two checkpoints: how alike they are, and where both heads of each pair look."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from mcinterp.report.figures.base import blank, on_rows, text
from mcinterp.report.figures.switching import DIVERGING
from mcinterp.report.numbers import interval, is_absent, number
from mcinterp.report.palette import BLUES, INK, MUTED
from mcinterp.results import Result

MOST_PAIRS = 96
"""Maps of so many pairs are drawn, which is all of 12 layers of 8 heads."""
PAIRS = 8
"""So many of them stand in one figure."""
PAIRS_A_ROW = 2
SQUARE = {"constrain": "domain"}
"""Cells of maps stay square however wide the page is."""
TILE = 104
"""Height of a map in pixels, with the name of its pair."""


def similarity_figure(compared: Result) -> go.Figure:
    """Score of every pair of heads, B's in the order of their partners; a dot where two are paired.

    Args:
        compared: the stored comparison of two checkpoints that take the same inputs.
    """
    frame, matches = compared.table("similarity"), compared.table("matches")
    rows, columns = _in_order(compared)
    cells = {(row["head_a"], row["head_b"]): row for row in frame.to_dict("records")}
    grid = [[cells[a, b] for b in columns] for a in rows]
    figure = blank(300, text(compared.facts["b"]["label"]), text(compared.facts["a"]["label"]))
    figure.add_heatmap(
        x=[text(head) for head in columns],
        y=[text(head) for head in rows],
        z=[[None if is_absent(cell["score"]) else cell["score"] for cell in row] for row in grid],
        customdata=[[_pair_detail(cell) for cell in row] for row in grid],
        hovertemplate="%{y} ↔ %{x}<br>%{customdata}<extra></extra>",
        colorscale=DIVERGING,
        zmin=-1,
        zmax=1,
        xgap=1,
        ygap=1,
        colorbar={
            "title": {"text": "score", "side": "right", "font": {"size": 11}},
            "tickfont": {"size": 11},
            "thickness": 10,
        },
    )
    figure.add_scatter(
        x=[text(head) for head in matches["head_b"]],
        y=[text(head) for head in matches["head_a"]],
        mode="markers",
        marker={"size": 5, "color": INK},
        hoverinfo="skip",
        showlegend=False,
    )
    figure.update_xaxes(
        type="category", tickangle=-60, tickfont_size=11, showgrid=False, ticks="", range=_around(columns)
    )
    figure.update_yaxes(showgrid=False, ticks="")
    return on_rows(figure, rows, around=150)


def pair_maps_figure(compared: Result, first: int = 0, last: int = PAIRS) -> go.Figure:
    """The average maps of both heads of some pairs beside each other, the most alike pair first.

    Of two steps of one run every head is a pair with itself, the most changed first.

    Each pair's colours end at the larger of its two largest probabilities.

    Args:
        compared: the stored comparison of two checkpoints that take the same inputs.
        first: place of the first pair to draw, from 0.
        last: place of the pair to end before.
    """
    pairs = _drawn(compared).iloc[first:last].to_dict("records")
    heads = [{name: index for index, name in enumerate(compared.facts[f"heads_{side}"])} for side in "ab"]
    maps = [np.nan_to_num(compared.arrays[f"maps_{side}"]) for side in "ab"]
    n_pos = maps[0].shape[-1]
    n_rows = -(-len(pairs) // PAIRS_A_ROW)
    wide, tall = 2 * n_pos + max(3, n_pos // 4), n_pos + max(4, round(n_pos * 0.24))
    figure = blank(40 + (TILE + 25) * max(1, n_rows), "")
    for index, pair in enumerate(pairs):
        top, left = index // PAIRS_A_ROW * tall + tall - n_pos, index % PAIRS_A_ROW * wide
        shown = [maps[0][heads[0][pair["head_a"]]], maps[1][heads[1][pair["head_b"]]]]
        largest = max(float(np.max(shown)), 1e-9)
        figure.add_annotation(**_name(pair, left, top))
        for side, own in zip("ab", shown, strict=True):
            who = f"{pair[f'head_{side}']} of {compared.facts[side]['label']}"
            _add_map(figure, own / largest, left + (n_pos + 1) * (side == "b"), top, who)
    figure.update_xaxes(visible=False, range=[-0.5, PAIRS_A_ROW * wide - 0.5], **SQUARE, constraintoward="left")
    figure.update_yaxes(
        visible=False, range=[n_rows * tall - 0.5, -0.5], **SQUARE, constraintoward="top", scaleanchor="x"
    )
    figure.update_layout(
        margin={"l": 4, "r": 4, "t": 4, "b": 4},
        coloraxis={"colorscale": BLUES, "cmin": 0, "cmax": 100, "showscale": False},
    )
    return figure


def _add_map(figure: go.Figure, shares: np.ndarray, left: int, top: int, who: str) -> None:
    """A map with its upper left corner there, in whole per cent, which take a byte a cell."""
    n_pos = len(shares)
    figure.add_heatmap(
        z=np.rint(100 * shares).astype(np.uint8),
        x0=left,
        y0=top,
        coloraxis="coloraxis",
        hovertemplate=f"{text(who)}: %{{z}} % of the pair's largest<extra></extra>",
    )
    figure.add_shape(
        type="rect",
        x0=left - 0.5,
        x1=left + n_pos - 0.5,
        y0=top - 0.5,
        y1=top + n_pos - 0.5,
        line={"color": MUTED, "width": 0.7},
    )


def _drawn(compared: Result) -> pd.DataFrame:
    """Pairs in the order of their maps: the most alike first, or of one run's heads the most changed."""
    if "changed" in compared.tables:
        changed = compared.table("changed")
        return changed.assign(head_a=changed["head"], head_b=changed["head"])
    return compared.table("matches").sort_values("score", ascending=False, kind="stable", na_position="last")


def _name(pair: Mapping[Any, Any], left: int, top: int) -> dict[str, Any]:
    heads = text(pair["head"]) if "head" in pair else f"{text(pair['head_a'])} ↔ {text(pair['head_b'])}"
    return {
        "text": f"{heads}: {number(pair['score'], 2)}",
        "x": left - 0.5,
        "y": top - 0.8,
        "xanchor": "left",
        "yanchor": "bottom",
        "showarrow": False,
        "font": {"size": 11, "color": MUTED},
    }


def _in_order(compared: Result) -> tuple[list[str], list[str]]:
    """A's heads, and B's in the order of their partners; those without a partner come last."""
    matches = compared.table("matches")
    rows = [*matches["head_a"], *compared.facts["unpaired_a"]]
    return rows, [*matches["head_b"], *compared.facts["unpaired_b"]]


def _around(labels: list[str]) -> list[float]:
    return [-0.5, len(labels) - 0.5]


def _pair_detail(cell: Mapping[Any, Any]) -> str:
    score = interval(cell["score"], cell["score_low"], cell["score_high"])
    parts = f"averages {number(cell['map'])}, response {number(cell['response'])}"
    return f"score {score}<br>{parts}{'<br>paired' if cell['paired'] else ''}"
