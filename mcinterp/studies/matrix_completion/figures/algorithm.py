"""How near each known way to complete a matrix comes to the model's answers."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from mcinterp.report.figures.base import blank, error_bars, intervals, on_rows, text
from mcinterp.report.palette import CONTROL, INK, SERIES
from mcinterp.results import Result

LIMIT = 1.5
"""The candidate zero leaves 1; how much worse than that a candidate is does not matter."""
NEAREST, TRUTH = 8, "the truth"
"""How many candidates a reader sees first, and what the truth is called among them."""
SHOWN, LISTED = 3, 5
"""How many candidates the figures of bins show at first, and how many their legend offers."""


def nearest_first(frame: pd.DataFrame) -> pd.DataFrame:
    """The candidates in the order of their error to the model."""
    return frame.sort_values("to_model", kind="stable")


def algorithm_figure(algorithm: Result) -> go.Figure:
    """Share of the mean square of the model's predictions that each candidate leaves, the best on top.

    Args:
        algorithm: the stored fits of a checkpoint.
    """
    return _candidates(nearest_first(algorithm.table("candidates")), LIMIT)


def nearest_figure(algorithm: Result) -> go.Figure:
    """The same of the nearest candidates and of the truth, on an axis that ends where these do.

    Args:
        algorithm: the stored fits of a checkpoint.
    """
    frame = nearest_first(algorithm.table("candidates"))
    frame = frame[(frame["candidate"] == TRUTH) | frame["candidate"].isin(frame["candidate"].head(NEAREST))]
    ends = frame["unexplained_high"].where(frame["unexplained_high"] <= LIMIT).max()
    return _candidates(frame, min(LIMIT, 1.05 * float(ends)) if ends > 0 else LIMIT)


def _candidates(frame: pd.DataFrame, limit: float) -> go.Figure:
    figure = blank(300, "share of the mean square of the model's predictions that is left")
    figure.update_xaxes(range=[0, limit * 1.03])
    marks = (
        ("control_scaled_unexplained", "of another matrix, times its best scale", CONTROL, "x-thin"),
        ("scaled_unexplained", "times its best scale", SERIES[1], "circle-open"),
        ("unexplained", "as it is", SERIES[0], "circle"),
    )
    for column, name, colour, symbol in marks:
        _add(figure, frame, column, name, colour, symbol, limit)
    return on_rows(figure, frame["candidate"].tolist(), around=138)


def _add(
    figure: go.Figure, frame: pd.DataFrame, column: str, name: str, colour: str, symbol: str, limit: float
) -> None:
    rows = frame[frame[column].notna()]
    within = rows[column] <= limit
    bounds = {f"{column}_high": rows[f"{column}_high"].clip(upper=limit).where(within)}
    bounds |= {f"{column}_low": rows[f"{column}_low"].clip(lower=0).where(within)}
    figure.add_scatter(
        x=rows[column].clip(upper=limit).tolist(),
        y=[text(candidate) for candidate in rows["candidate"]],
        error_x={**error_bars(rows.assign(**bounds), column), "color": colour},
        mode="markers",
        name=name,
        cliponaxis=False,
        marker={
            "size": 9,
            "color": colour,
            "symbol": [symbol if inside else "triangle-right" for inside in within],
            "line": {"width": 1.5, "color": colour},
        },
        customdata=intervals(rows, column),
        hovertemplate="%{y}: %{customdata}",
    )


def algorithm_bins_figure(algorithm: Result, table: str, axis: str) -> go.Figure:
    """Error of the nearest candidates to the model, and of the model to the truth, bin by bin.

    Args:
        algorithm: the stored fits of a checkpoint.
        table: 'by_observed' or 'by_conditioning'.
        axis: what the bins are, for the axis.
    """
    frame = algorithm.table(table)
    figure = blank(380, axis, "MSE at masked entries")
    figure.update_xaxes(type="category")
    ranked = nearest_first(algorithm.table("candidates"))["candidate"]
    candidates = [name for name in ranked if name in set(frame["candidate"])][:LISTED]
    truth = frame.drop_duplicates("bin")
    _add_bins(figure, truth, "model_mse", "model to truth", INK, True)
    for index, candidate in enumerate(candidates):
        rows = frame[frame["candidate"] == candidate]
        _add_bins(figure, rows, "to_model", str(candidate), SERIES[index % len(SERIES)], index < SHOWN)
    drawn = frame[frame["candidate"].isin(candidates[:SHOWN])]
    # Bins of few matrices have intervals that would flatten everything else.
    top = max(float(truth["model_mse"].max()), float(drawn["to_model"].max()) if len(drawn) else 0.0)
    figure.update_yaxes(range=[0, 1.2 * top or 1.0])
    return figure


def _add_bins(figure: go.Figure, rows: pd.DataFrame, column: str, name: str, colour: str, shown: bool) -> None:
    figure.add_scatter(
        x=[text(bin_) for bin_ in rows["bin"]],
        y=rows[column].tolist(),
        error_y={**error_bars(rows, column), "color": colour},
        mode="lines+markers",
        name=text(name),
        visible=True if shown else "legendonly",
        line={"color": colour, "width": 2, "dash": "dash" if column == "model_mse" else "solid"},
        marker={"size": 7},
        customdata=[list(item) for item in zip(intervals(rows, column), rows["entries"].tolist(), strict=True)],
        hovertemplate="%{x}: %{customdata[0]} (%{customdata[1]} entries)",
    )
