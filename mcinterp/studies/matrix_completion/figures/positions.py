"""What each kind of permuted positions does to L_mask and to the single outputs."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from mcinterp.report.figures.base import blank, error_bars, intervals, on_rows, text
from mcinterp.report.numbers import number
from mcinterp.report.palette import CONTROL, MUTED, SERIES
from mcinterp.results import Result


def positions_figure(positions: Result) -> go.Figure:
    """Change of L_mask by each kind of permutation: the average with its interval, and each permutation.

    Args:
        positions: the stored position sensitivity of a checkpoint.
    """
    frame, each = positions.table("positions"), positions.table("each")
    figure = blank(300, "change of L_mask")
    figure.update_xaxes(rangemode="tozero")
    figure.add_scatter(
        x=each["masked_delta"].tolist(),
        y=[text(kind) for kind in each["kind"]],
        mode="markers",
        name="each permutation",
        marker={"size": 11, "color": CONTROL, "symbol": "line-ns", "line": {"width": 1.5, "color": CONTROL}},
        hovertemplate="%{y}: %{x:.3g}",
    )
    free = frame["null"] == "no"
    _add(figure, frame[free], "masked_delta", "average", SERIES[1])
    _add(figure, frame[~free], "masked_delta", "average, null for any model", MUTED)
    return on_rows(figure, frame["kind"].tolist(), around=138)


def moved_figure(positions: Result) -> go.Figure:
    """How far each kind of permutation moves the output at masked entries, beside the clean L_mask.

    Args:
        positions: the stored position sensitivity of a checkpoint.
    """
    frame = positions.table("positions")
    figure = blank(300, "mean square moved at masked entries")
    figure.update_xaxes(rangemode="tozero")
    _add(figure, frame, "masked_moved", "output moved", SERIES[0])
    clean = frame["masked_mse_clean"].iloc[0]
    if clean == clean:
        figure.add_vline(x=float(clean), line={"color": MUTED, "width": 1, "dash": "dot"})
        figure.add_annotation(
            text=f"clean L_mask {number(clean)}",
            x=float(clean),
            xanchor="left",
            yref="paper",
            y=1,
            yanchor="bottom",
            showarrow=False,
            font={"color": MUTED, "size": 12},
        )
    figure.update_layout(showlegend=False)
    return on_rows(figure, frame["kind"].tolist(), around=138)


def _add(figure: go.Figure, rows: pd.DataFrame, column: str, name: str, colour: str) -> None:
    figure.add_scatter(
        x=rows[column].tolist(),
        y=[text(kind) for kind in rows["kind"]],
        error_x={**error_bars(rows, column), "color": colour},
        mode="markers",
        name=text(name),
        cliponaxis=False,
        marker={"size": 9, "color": colour},
        customdata=intervals(rows, column),
        hovertemplate="%{y}: %{customdata}",
    )
