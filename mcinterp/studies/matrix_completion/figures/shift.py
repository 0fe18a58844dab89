"""L_mask as a share of that of answering 0, over what is shifted."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from mcinterp.report.figures.base import blank, error_bars, intervals, on_rows, text
from mcinterp.report.palette import MUTED, SERIES
from mcinterp.results import Result

RATIO = "L_mask / L_mask of answering 0"
AXES = {"p_mask": "p_mask", "rank": "rank"}


def shift_figure(shift: Result, over: str) -> go.Figure:
    """The ratio over `p_mask` or `rank` (both rank sweeps), as lines with intervals.

    Args:
        shift: the stored distribution shift of a checkpoint.
        over: 'p_mask' or 'rank'.
    """
    frame = shift.table("shift")
    frame = frame[frame["sweep"].str.startswith(over)]
    figure = blank(270, AXES[over], RATIO)
    figure.update_yaxes(rangemode="tozero")
    figure.update_xaxes(zeroline=False, **({"dtick": 1} if over == "rank" else {}))
    figure.add_hline(y=1, line={"color": MUTED, "width": 1, "dash": "dot"})
    for index, (name, rows) in enumerate(frame.groupby("sweep", sort=False)):
        _add_line(figure, rows.sort_values(over), over, _named(str(name)), SERIES[1 - index % 2])
    _mark_trained(figure, frame, over)
    return figure


def laws_figure(shift: Result) -> go.Figure:
    """The ratio under each law, as points with intervals.

    Args:
        shift: the stored distribution shift of a checkpoint.
    """
    frame = shift.table("shift")
    frame = frame[frame["sweep"] == "law"]
    figure = blank(300, RATIO)
    figure.update_xaxes(rangemode="tozero")
    figure.add_vline(x=1, line={"color": MUTED, "width": 1, "dash": "dot"})
    for trained, name, colour in ((True, "law of training", SERIES[0]), (False, "another law", SERIES[1])):
        rows = frame[frame["trained"] == trained]
        figure.add_scatter(
            x=rows["masked_ratio"].tolist(),
            y=[text(condition) for condition in rows["condition"]],
            error_x={**error_bars(rows, "masked_ratio"), "color": colour},
            mode="markers",
            name=name,
            cliponaxis=False,
            marker={"size": 9, "color": colour},
            customdata=intervals(rows, "masked_ratio"),
            hovertemplate="%{y}: %{customdata}",
        )
    return on_rows(figure, frame["condition"].tolist(), around=138)


def _named(sweep: str) -> str:
    return {"rank": "factors as in training", "rank (variance kept)": "variance as in training"}.get(sweep, sweep)


def _add_line(figure: go.Figure, rows: pd.DataFrame, over: str, name: str, colour: str) -> None:
    figure.add_scatter(
        x=rows[over].tolist(),
        y=[value if value == value else None for value in rows["masked_ratio"]],
        error_y={**error_bars(rows, "masked_ratio"), "color": colour},
        mode="lines+markers",
        name=text(name),
        showlegend=over == "rank",
        line={"color": colour, "width": 2},
        marker={"size": 7},
        customdata=intervals(rows, "masked_ratio"),
        hovertemplate="%{x}: %{customdata}",
    )


def _mark_trained(figure: go.Figure, frame: pd.DataFrame, over: str) -> None:
    trained = frame[frame["trained"]]
    if trained.empty:
        return
    at = float(trained[over].iloc[0])
    figure.add_vline(x=at, line={"color": MUTED, "width": 1, "dash": "dash"})
    figure.add_annotation(
        text="training",
        x=at,
        xanchor="left",
        yref="paper",
        y=0.02,
        yanchor="bottom",
        showarrow=False,
        font={"color": MUTED, "size": 12},
    )
