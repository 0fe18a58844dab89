"""The model beside nuclear norm minimisation, over the share of masked entries."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go

from mcinterp.report.figures.base import blank, error_bars, intervals, text
from mcinterp.report.palette import MUTED, SERIES
from mcinterp.results import Result

ERRORS = {"total": "L", "masked": "L_mask", "observed": "L_obs"}

CURVES = {
    "model": ("model", SERIES[0]),
    "solver": ("nuclear norm minimisation", SERIES[1]),
    "truth": ("truth", SERIES[2]),
}


def completion_error_figure(nuclear: Result, entries: str = "total") -> go.Figure:
    """MSE of the model and of the minimiser at each p_mask.

    Args:
        nuclear: the stored comparison of a checkpoint.
        entries: 'total' or 'masked'.
    """
    frame = nuclear.table("errors")
    return _over_p_mask(frame[frame["entries"] == entries], "mse", ERRORS[entries])


def nuclear_norm_figure(nuclear: Result) -> go.Figure:
    """Nuclear norm of the model's output, of the minimiser and of the truth at each p_mask."""
    return _over_p_mask(nuclear.table("norms"), "norm", "nuclear norm")


def regularised_figure(nuclear: Result, entries: str = "total") -> go.Figure:
    """MSE of the regularised minimisers against λ, and the model's as a band.

    Args:
        nuclear: the stored comparison of a checkpoint.
        entries: 'total', 'masked' or 'observed'.
    """
    frame = nuclear.table("regularised")
    column = f"{entries}_mse"
    figure = blank(320, "λ", ERRORS[entries], xaxis_type="log")
    figure.update_yaxes(rangemode="tozero")
    rows, model = frame[frame["weight"].notna()], frame[frame["weight"].isna()]
    if rows.empty or model.empty:
        return figure
    beside = pd.concat([model, model]).assign(weight=[rows["weight"].min(), rows["weight"].max()])
    _band(figure, beside, "weight", column, "model", SERIES[0], "lines")
    figure.add_scatter(
        x=rows["weight"].tolist(),
        y=rows[column].tolist(),
        error_y={**error_bars(rows, column), "color": SERIES[1]},
        mode="lines+markers",
        name=text("regularised nuclear norm"),
        line={"color": SERIES[1], "width": 2},
        marker={"size": 7},
        customdata=intervals(rows, column),
        hovertemplate="λ = %{x}: %{customdata}",
    )
    ticks = _apart(rows["weight"].tolist())
    figure.update_xaxes(tickvals=ticks, ticktext=[f"{weight:g}" for weight in ticks], tickangle=0)
    return figure


def _apart(values: list[float], ratio: float = 1.7) -> list[float]:
    """Those values that are far enough from the last one kept for their labels to stand side by side."""
    kept: list[float] = []
    for value in sorted(values):
        if not kept or value >= ratio * kept[-1]:
            kept.append(value)
    return kept


def _over_p_mask(frame: pd.DataFrame, quantity: str, title: str) -> go.Figure:
    figure = blank(270, "p_mask", title)
    figure.update_xaxes(zeroline=False, tickformat=".2~f")
    figure.update_yaxes(rangemode="tozero")
    for key, (name, colour) in CURVES.items():
        column = f"{key}_{quantity}"
        if column in frame and frame[column].notna().any():
            _band(figure, frame[frame[column].notna()], "p_mask", column, name, colour, "lines+markers")
    for share in frame.loc[frame["trained"], "p_mask"].unique():
        figure.add_vline(x=share, line={"color": MUTED, "width": 1, "dash": "dash"})
        figure.add_annotation(
            text="trained here", x=share, xanchor="left", yref="paper", y=1, yanchor="top", showarrow=False,
            font={"color": MUTED, "size": 12}, bgcolor="rgba(255,255,255,0.75)",
        )  # fmt: skip
    return figure


def _band(figure: go.Figure, rows: pd.DataFrame, x: str, column: str, name: str, colour: str, mode: str) -> None:
    """A curve and the band of its intervals, which the legend switches together."""
    at = rows[x].tolist()
    edge: dict[str, Any] = {"x": at, "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
    fill = {"fill": "tonexty", "fillcolor": _faint(colour)}
    figure.add_scatter(y=_values(rows[f"{column}_low"]), legendgroup=name, **edge)
    figure.add_scatter(y=_values(rows[f"{column}_high"]), legendgroup=name, **edge, **fill)
    figure.add_scatter(
        x=at,
        y=_values(rows[column]),
        mode=mode,
        name=text(name),
        legendgroup=name,
        line={"color": colour, "width": 2},
        marker={"size": 6},
        customdata=intervals(rows, column),
        hovertemplate="%{x}: %{customdata}",
    )


def _values(values: pd.Series) -> list[float | None]:
    return [float(value) if value == value else None for value in values]


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.18)"
