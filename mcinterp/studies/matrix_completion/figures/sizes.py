"""Errors on matrices of each size."""

from __future__ import annotations

import plotly.graph_objects as go

from mcinterp.report.figures.base import blank, error_bars, intervals, on_rows, text
from mcinterp.report.palette import MUTED, SERIES
from mcinterp.results import Result


def sizes_figure(sizes: Result) -> go.Figure:
    """L_mask and L_obs by size, with the error of answering 0 at masked entries.

    Args:
        sizes: the stored errors by size of a checkpoint.
    """
    frame = sizes.table("sizes")
    figure = blank(300, "MSE")
    figure.update_xaxes(rangemode="tozero")
    masked = frame[frame["entries"] == "masked"]
    series = (
        ("L_mask of answering 0", masked, "zero_mse", MUTED, "line-ns-open"),
        ("L_mask", masked, "mse", SERIES[1], "circle"),
        ("L_obs", frame[frame["entries"] == "observed"], "mse", SERIES[0], "circle"),
    )
    for name, rows, column, colour, symbol in series:
        figure.add_scatter(
            x=[value if value == value else None for value in rows[column]],
            y=[text(size) for size in rows["size"]],
            error_x={**error_bars(rows, column), "color": colour},
            mode="markers",
            name=name,
            cliponaxis=False,
            marker={"size": 10, "color": colour, "symbol": symbol},
            customdata=intervals(rows, column),
            hovertemplate="%{y}: %{customdata}",
        )
    return on_rows(figure, frame["size"].unique().tolist(), around=138)
