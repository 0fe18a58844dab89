"""What noise on each token takes of the right next token, and which sites of the clean run bring it back."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mcinterp.report.figures.base import AXIS, blank, error_bars, intervals
from mcinterp.report.numbers import interval
from mcinterp.report.palette import SERIES
from mcinterp.results import Result

ROW, AROUND = 30, 110
SHARES = [[0.0, "#FFFFFF"], [1.0, "#0072B2"]]


def place(offset: int) -> str:
    """A place in words as short as an axis takes."""
    return "0 (says it)" if offset == 0 else f"−{-offset}"


def traced_tokens_figure(tracing: Result) -> go.Figure:
    """How much of the right next token's probability noise on each token takes.

    Args:
        tracing: the stored pass.
    """
    rows = tracing.table("tokens")
    figure = blank(280, "place of the token that gets the noise", "probability lost")
    figure.add_bar(
        x=[place(int(offset)) for offset in rows["offset"]],
        y=rows["lost"].tolist(),
        error_y=error_bars(rows, "lost", width=3),
        marker={"color": SERIES[0]},
        text=intervals(rows, "lost"),
        textposition="none",
        hovertemplate="%{x}: %{text}<extra></extra>",
    )
    figure.update_xaxes(type="category", zeroline=False)
    return figure


def traced_sites_figure(tracing: Result) -> go.Figure:
    """The share that is brought back, layer × place, a map for each kind of site.

    Args:
        tracing: the stored pass.
    """
    rows = tracing.table("sites")
    rows = rows[rows["layer"] >= 0]
    kinds = rows["site"].unique().tolist()
    layers = sorted(rows["layer"].unique().tolist())
    figure = make_subplots(1, len(kinds), subplot_titles=kinds, shared_yaxes=True, horizontal_spacing=0.03)
    figure.update_layout(blank(AROUND + ROW * max(len(layers), 3), "").layout)
    for at, kind in enumerate(kinds, 1):
        own = rows[rows["site"] == kind]
        figure.add_trace(_map(own, layers, at == len(kinds)), 1, at)
    figure.update_xaxes(**{**AXIS, "gridcolor": "rgba(0,0,0,0)"}, type="category", zeroline=False)
    figure.update_xaxes(title_text="place", col=(len(kinds) + 1) // 2)
    figure.update_yaxes(tickvals=layers, zeroline=False, showgrid=False)
    figure.update_yaxes(title_text="layer", col=1)
    return figure


def _map(rows: pd.DataFrame, layers: list[int], barred: bool) -> go.Heatmap:
    offsets = sorted(rows["offset"].unique().tolist())
    cells: dict[Any, Any] = {(row["layer"], row["offset"]): row for row in rows.to_dict("records")}
    grid = [[cells[layer, offset] for offset in offsets] for layer in layers]
    return go.Heatmap(
        x=[place(int(offset)) for offset in offsets],
        y=layers,
        z=[[_finite(cell["share"]) for cell in row] for row in grid],
        customdata=[[_detail(cell) for cell in row] for row in grid],
        hovertemplate="layer %{y}, place %{x}<br>%{customdata}<extra></extra>",
        colorscale=SHARES,
        zmin=0,
        zmax=1,
        xgap=1,
        ygap=1,
        showscale=barred,
        colorbar={"title": {"text": "share", "font": {"size": 11}}, "thickness": 10, "tickfont": {"size": 11}},
    )


def _finite(value: float) -> float | None:
    return None if value != value else value


def _detail(cell: Any) -> str:
    said = {"brought back": "share", "in probability": "recovered", "by another sequence's": "other"}
    return "<br>".join(
        f"{words} {interval(cell[name], cell[f'{name}_low'], cell[f'{name}_high'])}" for words, name in said.items()
    )
