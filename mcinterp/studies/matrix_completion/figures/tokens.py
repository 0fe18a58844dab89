"""How near the output comes to the value of the token that stands in the place of MASK."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from mcinterp.report.figures.base import blank, error_bars, intervals, on_rows, text
from mcinterp.report.palette import CONTROL, SERIES
from mcinterp.results import Result

MEASURES = (
    ("control_mse", "with MASK there, to the value (control)", CONTROL, "circle"),
    ("observed_mse", "L_obs, entries left alone", SERIES[2], "diamond-open"),
    ("value_mse", "replaced entries, to the value", SERIES[1], "circle"),
)


def tokens_figure(tokens: Result) -> go.Figure:
    """Mean squares on a logarithmic axis: output against the token's value, its control, and L_obs.

    Args:
        tokens: the stored token intervention of a checkpoint.
    """
    frame = tokens.table("tokens")
    frame = frame.assign(label=[f"{row.input}, {row.token}" for row in frame.itertuples()])
    figure = blank(300, "mean square", xaxis_type="log")
    for column, name, colour, symbol in MEASURES:
        rows = frame[frame["token"] != "MASK"] if column == "control_mse" else frame
        _add(figure, rows[rows[column] > 0], column, name, colour, symbol)
    return on_rows(figure, frame["label"].tolist(), around=138)


def _add(figure: go.Figure, rows: pd.DataFrame, column: str, name: str, colour: str, symbol: str) -> None:
    figure.add_scatter(
        x=rows[column].tolist(),
        y=[text(label) for label in rows["label"]],
        error_x={**error_bars(rows, column), "color": colour},
        mode="markers",
        name=text(name),
        cliponaxis=False,
        marker={"size": 9, "color": colour, "symbol": symbol},
        customdata=intervals(rows, column),
        hovertemplate="%{y}: %{customdata}",
    )
