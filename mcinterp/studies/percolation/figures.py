"""Pictures of percolation and of what networks learn of typed languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from mcinterp.report.figures import over_steps_figure
from mcinterp.report.figures.base import blank, error_bars, intervals
from mcinterp.report.palette import CONTROL, MUTED, SERIES

BELOW = {"y": -0.24, "yanchor": "top"}
LOG = {"type": "log", "dtick": "D2", "tickformat": ",d"}
SLOPES = ((0.5, "slope ½", "dash"), (1.0, "slope 1", "dot"))
NODES = (("entities", "entities"), ("descriptors", "descriptors"))


def giant_figure(shares: pd.DataFrame, closed: pd.DataFrame) -> go.Figure:
    """Shares of the largest component by edges: drawn graphs as points, the closed form as lines."""
    figure = blank(360, "edges over √(EK)", "share", margin={"t": 14})
    for colour, (column, name) in zip(SERIES, NODES, strict=False):
        _line(figure, closed, "scale", column, f"{name}, closed form", colour)
        _points(figure, shares, "scale", column, f"{name}, drawn", colour)
    _line(figure, closed, "scale", "joined", "pairs joined, closed form", SERIES[2], "dash")
    figure.add_vline(x=1, line={"color": CONTROL, "width": 1, "dash": "dot"})
    figure.update_layout(legend=BELOW)
    return figure


def order_figure(shares: pd.DataFrame) -> go.Figure:
    """Shares of what is right over steps, a line for every measure.

    Args:
        shares: with columns `step`, `curve` and `share` with its interval.
    """
    figure = over_steps_figure(shares, "share", "curve", "share", {}, height=380)
    return figure.update_yaxes(range=[-0.06, 1.04])


def errors_figure(errors: pd.DataFrame) -> go.Figure:
    """Errors of a network at both tasks over steps, of whole strings and token by token (dashed).

    Args:
        errors: rows of the table `errors` of one network.
    """
    figure = blank(340, "step", "share that is wrong", yaxis={"range": [-0.03, 1.04]}, margin={"t": 14})
    for colour, task in zip(SERIES, ("unscrambled", "conditioned"), strict=False):
        _line(figure, errors, "step", task, f"{task}, whole strings", colour)
        _line(figure, errors, "step", f"{task}_tokens", f"{task}, token by token", colour, "dash")
    figure.update_layout(legend=BELOW)
    return figure


def reach_figure(curves: pd.DataFrame, x: str) -> go.Figure:
    """Reach over steps, or over steps scaled, a line for every number of descriptors.

    Args:
        curves: rows of the table `curves` of the sizes.
        x: `step` or `scaled`.
    """
    title = "step" if x == "step" else "step / √K"
    figure = blank(360, title, "reach", xaxis={"type": "log"}, margin={"t": 14})
    for colour, (size, rows) in zip(SERIES, curves.groupby("descriptors"), strict=False):
        _band(figure, rows, x, "reach", colour)
        _line(figure, rows, x, "reach", f"K = {size}", colour)
    _levels(figure)
    # What comes before the first rise would take most of a logarithmic axis.
    first = curves.loc[curves["step"] >= 20, x].min()
    figure.update_xaxes(range=[float(np.log10(first)), float(np.log10(curves[x].max()))])
    figure.update_layout(legend=BELOW)
    return figure


def times_figure(times: pd.DataFrame, closed: Mapping[str, str]) -> go.Figure:
    """Steps of onset and half of the way on K, each network a point, with slopes of ½ and 1.

    Args:
        times: rows of the table `times` of the sizes of one language.
        closed: column of an event → that of its closed form, which is drawn where it has values, up to a factor.
    """
    figure = blank(380, "K, descriptors of a class", "step", xaxis=LOG, yaxis=LOG, margin={"t": 14})
    sizes = np.array(sorted(times["descriptors"].unique()), dtype=np.float64)
    for colour, (event, column) in zip(SERIES, closed.items(), strict=False):
        known = times[times[event].notna()]
        _dots(figure, known, "descriptors", event, event, colour)
        if len(known) and known[column].notna().any():
            lines = known.groupby("descriptors")[[event, column]].mean()
            scale = np.exp(np.log(lines[event] / lines[column]).mean())
            line = pd.DataFrame({"x": lines.index, "y": lines[column] * scale})
            _line(figure, line, "x", "y", f"{event}, percolation, up to a factor", colour, "longdash")
    onset = times["onset"].dropna()
    if len(onset):
        for power, name, dash in SLOPES:
            at = np.exp(np.log(onset).mean()) * (sizes / np.exp(np.log(sizes).mean())) ** power
            _line(figure, pd.DataFrame({"x": sizes, "y": at}), "x", "y", name, MUTED, dash)
    figure.update_layout(legend={**BELOW, "y": -0.2})
    return figure


def edges_figure(ratios: pd.DataFrame) -> go.Figure:
    """Edges that were drawn up to half of the way beside the threshold, by batch, with the closed form."""
    figure = blank(380, "threshold √(EK), edges of a class", "edges drawn", xaxis=LOG, yaxis=LOG, margin={"t": 14})
    for colour, (batch, rows) in zip(SERIES, ratios.groupby("batch"), strict=False):
        _points(figure, rows, "threshold", "drawn", f"reach ½, {batch} samples a step", colour)
    rows = ratios.sort_values("threshold")
    _dots(figure, rows, "threshold", "closed", "closed form, half of the pairs joined", MUTED, "diamond-open")
    ends = pd.DataFrame({"x": [rows["threshold"].min(), rows["threshold"].max()]})
    _line(figure, ends.assign(y=ends["x"]), "x", "y", "the threshold itself", MUTED, "dot")
    figure.update_layout(legend={**BELOW, "y": -0.2})
    return figure


def connected_figure(curves: pd.DataFrame, roles: Sequence[str]) -> go.Figure:
    """Reach over steps of every network of some settings."""
    figure = blank(340, "step", "reach", margin={"t": 14})
    for colour, role in zip(SERIES, roles, strict=False):
        for at, (_, rows) in enumerate(curves[curves["role"] == role].groupby("network", sort=False)):
            _line(figure, rows, "step", "reach", role, colour, shown=at == 0)
    _levels(figure)
    figure.update_layout(legend=BELOW)
    return figure


def _levels(figure: go.Figure) -> None:
    for level in (0.0, 0.25, 0.5):
        figure.add_hline(y=level, line={"color": CONTROL, "width": 1, "dash": "dot"})


def _line(
    figure: go.Figure,
    rows: pd.DataFrame,
    x: str,
    y: str,
    name: str,
    colour: str,
    dash: str = "solid",
    shown: bool = True,
) -> None:
    figure.add_scatter(
        x=rows[x].tolist(),
        y=_finite(rows[y]),
        mode="lines",
        name=name,
        line={"color": colour, "width": 1.7, "dash": dash},
        showlegend=shown,
        hovertemplate=f"{name}, %{{x:.3g}}: %{{y:.3g}}<extra></extra>",
    )


def _band(figure: go.Figure, rows: pd.DataFrame, x: str, y: str, colour: str) -> None:
    known, at = rows.dropna(subset=[f"{y}_low", f"{y}_high"]), rows[x]
    places = at.loc[known.index].tolist()
    figure.add_scatter(
        x=[*places, *reversed(places)],
        y=[*known[f"{y}_high"], *reversed(known[f"{y}_low"].tolist())],
        fill="toself",
        fillcolor=colour,
        opacity=0.15,
        line={"width": 0},
        hoverinfo="skip",
        showlegend=False,
    )


def _points(figure: go.Figure, rows: pd.DataFrame, x: str, y: str, name: str, colour: str) -> None:
    figure.add_scatter(
        x=rows[x].tolist(),
        y=_finite(rows[y]),
        error_y=error_bars(rows, y, width=3),
        mode="markers",
        name=name,
        marker={"color": colour, "size": 8},
        text=intervals(rows, y),
        hovertemplate=f"{name}, %{{x:.3g}}: %{{text}}<extra></extra>",
    )


def _dots(
    figure: go.Figure, rows: pd.DataFrame, x: str, y: str, name: str, colour: str, symbol: str = "circle"
) -> None:
    marker: dict[str, Any] = {"color": colour, "size": 8, "symbol": symbol}
    figure.add_scatter(
        x=rows[x].tolist(),
        y=_finite(rows[y]),
        mode="markers",
        name=name,
        marker=marker,
        hovertemplate=f"{name}, %{{x:.3g}}: %{{y:,.0f}}<extra></extra>",
    )


def _finite(values: pd.Series) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]
