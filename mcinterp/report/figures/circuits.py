"""How much of a head's attention its circuits account for, and what tokens write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from mcinterp.report.figures.base import blank, error_bars, intervals, on_rows, text
from mcinterp.report.numbers import number
from mcinterp.report.palette import CONTROL, MUTED, SERIES
from mcinterp.results import Result

LEAST = -0.5
"""Shares below this are drawn at it: a circuit that is far off may have any."""
TERMS = {
    "direct_r2": ("together", SERIES[2], "diamond"),
    "position_r2": ("positions alone", SERIES[0], "circle"),
    "token_r2": ("tokens alone", SERIES[1], "circle"),
    "shuffled_r2": ("together, labels shuffled", CONTROL, "x"),
}


def circuits_figure(circuits: Result) -> go.Figure:
    """The shares of every head's attention scores that its QK circuits account for.

    Args:
        circuits: the stored circuits of a checkpoint.
    """
    frame = circuits.table("heads")
    figure = blank(300, "share of the scores' squares accounted for")
    for column, (name, colour, symbol) in TERMS.items():
        _add(figure, frame[frame[column].notna()], column, name, colour, symbol)
    figure.add_vline(x=0, line={"color": MUTED, "width": 1})
    figure.update_xaxes(range=[LEAST - 0.03, 1.03])
    return on_rows(figure, frame["head"].tolist(), around=138)


def _add(figure: go.Figure, rows: pd.DataFrame, column: str, name: str, colour: str, symbol: str) -> None:
    bars = error_bars(rows, column)
    bars["arrayminus"] = [
        min(below, max(0.0, value - LEAST)) if below is not None else None
        for below, value in zip(bars["arrayminus"], rows[column], strict=True)
    ]
    figure.add_scatter(
        x=rows[column].clip(lower=LEAST).tolist(),
        y=[text(head) for head in rows["head"]],
        error_x={**bars, "color": colour},
        mode="markers",
        name=name,
        marker={"size": 8, "color": colour, "symbol": symbol},
        customdata=intervals(rows, column),
        hovertemplate="%{y}: %{customdata}",
    )


def written_figure(values: Sequence[float], curves: Mapping[int, np.ndarray], blank_name: str) -> go.Figure:
    """What a token writes towards the answer by its value, a curve a step; one without a value is a dotted line.

    Args:
        values: of the tokens, NaN for those that stand for none.
        curves: step → what each token writes, (token,).
        blank_name: what a token without a value is called.
    """
    figure = blank(340, "value at the key", "added to the answer")
    shown = np.isfinite(values)
    for index, (step, curve) in enumerate(curves.items()):
        # The later, the darker.
        opacity = 0.35 + 0.65 * (index + 1) / len(curves)
        name = f"step {number(step)}"
        figure.add_scatter(
            x=np.asarray(values, dtype=float)[shown].round(6).tolist(),
            y=_listed(curve[shown]),
            mode="lines",
            name=name,
            line={"color": SERIES[index % len(SERIES)], "width": 2},
            opacity=opacity,
            hovertemplate=f"{name}, value %{{x}}: %{{y:.3g}}<extra></extra>",
        )
        for written in _listed(curve[~shown]):
            figure.add_scatter(
                x=[float(np.nanmin(values)), float(np.nanmax(values))] if shown.any() else [0.0],
                y=[written, written] if shown.any() else [written],
                mode="lines",
                name=text(f"{blank_name}, {name}"),
                showlegend=False,
                opacity=opacity,
                line={"color": SERIES[index % len(SERIES)], "width": 1.3, "dash": "dot"},
                hovertemplate=f"{name}, {text(blank_name)}: %{{y:.3g}}<extra></extra>",
            )
    return figure


def _listed(values: np.ndarray) -> list[float | None]:
    return [float(f"{value:.5g}") if np.isfinite(value) else None for value in values]
