"""What every figure shares: a quiet layout, escaped texts, points with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from mcinterp.report.numbers import interval
from mcinterp.report.palette import GRID, INK, MUTED

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif"
ROW_HEIGHT, MANY_ROWS, DENSE_HEIGHT = 19, 12, 16
AXIS = {
    "gridcolor": GRID,
    "linecolor": MUTED,
    "zerolinecolor": MUTED,
    "zerolinewidth": 1,
    "automargin": True,
    "title_standoff": 10,
    "title_font_size": 13,
    "ticks": "outside",
    "tickcolor": GRID,
}


def text(value: Any) -> str:
    """A text that plotly shows as it is: its labels otherwise read a subset of HTML."""
    return str(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def blank(height: int, x: str, y: str = "", **layout: Any) -> go.Figure:
    """An empty figure with titled axes."""
    return drawn(height, x, y, (), **layout)


def drawn(height: int, x: str, y: str, traces: Sequence[Mapping[str, Any]], **layout: Any) -> go.Figure:
    """A figure of these traces with titled axes; where there are many, much faster than adding one after the other."""
    base: dict[str, Any] = {
        "template": {},
        "height": height,
        "font": {"family": FONT, "size": 13, "color": INK},
        "margin": {"l": 10, "r": 14, "t": 28, "b": 6},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "hoverlabel": {"font": {"family": FONT, "size": 12}, "align": "left", "bgcolor": "#FFFFFF"},
        "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": 1, "yanchor": "bottom", "font_size": 12},
        "xaxis": {**AXIS, "title_text": x},
        "yaxis": {**AXIS, "title_text": y},
    }
    for name, value in layout.items():
        base[name] = {**base[name], **value} if isinstance(value, dict) and name in base else value
    return go.Figure(list(traces), base)


def with_decimals(figure: go.Figure) -> go.Figure:
    """The figure with numbers in full along its logarithmic axes, where it says nothing else of them.

    Plotly would write the ticks between powers of ten as `2` and `5`, and the powers as `10^-1`. An axis of powers of
    ten alone, over many of them, keeps these.
    """
    for axis in (*figure.select_xaxes(), *figure.select_yaxes()):
        powers = axis.exponentformat == "power" and axis.dtick == 1
        if axis.type == "log" and axis.tickvals is None and axis.tickformat is None and not powers:
            axis.update(tickformat=",~r", exponentformat=None)
    return figure


def error_bars(frame: pd.DataFrame, column: str, width: float = 0) -> dict[str, Any]:
    """Interval bars of a column that has `_low` and `_high` beside it."""
    return {
        "type": "data",
        "symmetric": False,
        "array": _finite(frame[f"{column}_high"] - frame[column]),
        "arrayminus": _finite(frame[column] - frame[f"{column}_low"]),
        "thickness": 1.3,
        "width": width,
    }


def intervals(frame: pd.DataFrame, column: str) -> list[str]:
    """A column with its intervals, as texts."""
    rows = zip(frame[column], frame[f"{column}_low"], frame[f"{column}_high"], strict=True)
    return [interval(*row) for row in rows]


def on_rows(figure: go.Figure, labels: Sequence[str], around: int = 118) -> go.Figure:
    """Put named rows on the vertical axis, the first on top, each tall enough to read."""
    each = ROW_HEIGHT if len(labels) <= MANY_ROWS else DENSE_HEIGHT
    figure.update_layout(height=around + each * len(labels))
    figure.update_yaxes(
        type="category",
        categoryorder="array",
        categoryarray=[text(label) for label in labels],
        range=[len(labels) - 0.4, -0.6],
        tickmode="array",
        tickvals=[text(label) for label in labels],
        tickfont_size=12,
        zeroline=False,
    )
    return figure


def _finite(values: pd.Series) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]
