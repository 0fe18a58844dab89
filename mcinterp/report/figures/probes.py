"""What linear probes read from the residual stream, layer by layer: a panel a target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from mcinterp.report.figures.base import AXIS, drawn, error_bars, intervals, text
from mcinterp.report.palette import INK, SERIES
from mcinterp.results import Result

METRICS = {"mse": "test MSE", "cosine": "test |cosine|"}
ACROSS, GAP = 3, 0.07
"""Panels a row, and the room between them as a share of the width."""
ROW, AROUND = 150, 110
"""Height of a row of panels, and of what is around them."""


def probe_figure(probes: Result, metric: str = "mse", targets: Sequence[str] | None = None) -> go.Figure:
    """Test score of the probes for every target, with the same probe on shuffled targets.

    Args:
        probes: the stored probes of a checkpoint.
        metric: 'mse' or 'cosine'.
        targets: which; None for all that have the metric.
    """
    frame = probes.table("probes")
    named = measured_targets(frame, metric) if targets is None else list(targets)
    places = list(dict.fromkeys(frame["entries"]))
    traces: list[dict[str, Any]] = []
    for at, target in enumerate(named):
        for kind, rows in frame[frame["target"] == target].groupby("entries", sort=False):
            colour = SERIES[places.index(kind) % len(SERIES)]
            traces += _curves(rows.sort_values("layer"), metric, str(kind), colour, at)
    rows_of_panels = -(-len(named) // ACROSS)
    return drawn(AROUND + ROW * rows_of_panels, "", "", _named_once(traces), **_layout(named, metric))


def measured_targets(frame: pd.DataFrame, metric: str) -> list[str]:
    """The targets that have a metric, in order."""
    return list(dict.fromkeys(frame[frame[f"test_{metric}"].notna()]["target"]))


def _curves(rows: pd.DataFrame, metric: str, places: str, colour: str, at: int) -> list[dict[str, Any]]:
    """The probe with its interval, then what it is held against."""
    column = f"test_{metric}"
    own: dict[str, Any] = {
        "y": rows[column].tolist(),
        "error_y": {**error_bars(rows, column), "color": colour},
        "mode": "lines+markers",
        "line": {"color": colour, "width": 2},
        "marker": {"size": 6},
        "customdata": intervals(rows, column),
        "hovertemplate": "block %{x}: %{customdata}",
        "name": text(_named("probe", places)),
    }
    constant = [("constant_mse", "constant", "dot")] if metric == "mse" else []
    beside = [
        _control(rows, name, text(_named(label, places)), {"color": colour, "width": 1.5, "dash": dash})
        for name, label, dash in ((f"control_{metric}", "shuffled", "dash"), *constant)
        if name in rows and rows[name].notna().any()
    ]
    shared: dict[str, Any] = {"type": "scatter", "x": rows["layer"].tolist(), "legendgroup": places}
    axes = {"xaxis": _axis("x", at), "yaxis": _axis("y", at)}
    return [{**shared, **axes, **trace} for trace in (own, *beside)]


def _control(rows: pd.DataFrame, column: str, name: str, line: Mapping[str, Any]) -> dict[str, Any]:
    values = [value if value == value else None for value in rows[column]]
    return {"y": values, "mode": "lines", "name": name, "line": line, "opacity": 0.6, "hovertemplate": "%{y:.3g}"}


def _named_once(traces: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Every probe in the legend once, which switches its curves and their controls in all panels."""
    first = {trace["name"]: at for at, trace in reversed(list(enumerate(traces))) if "error_y" in trace}
    return [{**trace, "showlegend": first.get(trace["name"]) == at} for at, trace in enumerate(traces)]


def _layout(targets: Sequence[str], metric: str) -> dict[str, Any]:
    down = -(-len(targets) // ACROSS)
    across = min(ACROSS, len(targets)) or 1
    width, height = (1 - GAP * (across - 1)) / across, (1 - 0.22 * (down - 1)) / max(1, down)
    layout: dict[str, Any] = {"annotations": [], "margin": {"t": 44}, "legend": {"y": 1.12}}
    for at, target in enumerate(targets):
        left, top = (at % across) * (width + GAP), 1 - (at // across) * (height + 0.22)
        name = {"x": _axis("x", at, "xaxis"), "y": _axis("y", at, "yaxis")}
        layout[name["x"]] = {
            **AXIS, "domain": [left, left + width], "anchor": _axis("y", at), "dtick": 1, "zeroline": False,
            "title_text": "after block" if at == 0 else "",
        }  # fmt: skip
        layout[name["y"]] = {
            **AXIS, "domain": [max(0.0, top - height), top], "anchor": _axis("x", at), "rangemode": "tozero",
            "title_text": METRICS[metric] if at % across == 0 else "",
        }  # fmt: skip
        layout["annotations"].append({
            "text": text(target), "x": left, "y": top, "xref": "paper", "yref": "paper", "xanchor": "left",
            "yanchor": "bottom", "showarrow": False, "font": {"size": 12, "color": INK},
        })  # fmt: skip
    return layout


def _axis(letter: str, at: int, name: str = "") -> str:
    return f"{name or letter}{at + 1 if at else ''}"


def _named(name: str, places: str) -> str:
    return name if places == "all" else f"{name} ({places})"
