"""Measures by step, with the drop of the loss shaded; early steps have as much room as late ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from mcinterp.report.figures.base import drawn, text
from mcinterp.report.numbers import interval
from mcinterp.report.palette import MUTED, SERIES


def over_steps_figure(
    frame: pd.DataFrame,
    column: str,
    by: str,
    title: str,
    transition: Mapping[str, Any],
    controls: Sequence[str] = (),
    height: int = 340,
    colours: Callable[[str], str] | None = None,
) -> go.Figure:
    """A column of a table against the step on a logarithmic axis, a curve for every value of another column.

    Args:
        frame: with `step`, `column` and, where there are intervals, its bounds.
        column: what is drawn.
        by: what tells the curves apart.
        title: of the vertical axis.
        transition: of the run's loss, as stored; every drop of it is shaded.
        controls: columns drawn dashed, in the colour of their curve.
        height: in pixels.
        colours: from a curve's name to its colour; None for one after the other.
    """
    first = _first_place(frame["step"])
    traces: list[dict[str, Any]] = []
    for index, (name, rows) in enumerate(frame.groupby(by, sort=False)):
        rows, colour = rows.sort_values("step"), colours(str(name)) if colours else SERIES[index % len(SERIES)]
        places = rows["step"].clip(lower=first).tolist()
        traces += _curve(rows, column, str(name), colour, places)
        traces += [
            _control(rows, control, f"{name}: {control.replace('_', ' ')}", colour, places)
            for control in controls
            if rows[control].notna().any()
        ]
    return drawn(height, "step", text(title), traces, **_on_steps(frame["step"], first, transition))


def _control(rows: pd.DataFrame, column: str, name: str, colour: str, places: Sequence[float]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "x": places,
        "y": _finite(rows[column]),
        "mode": "lines",
        "name": text(name),
        "line": {"color": colour, "width": 1.2, "dash": "dash"},
        "opacity": 0.6,
        "showlegend": False,
        "hovertemplate": "%{y:.3g}",
    }


def _curve(
    rows: pd.DataFrame, column: str, name: str, colour: str, places: Sequence[float]
) -> Iterator[dict[str, Any]]:
    bounded = f"{column}_low" in rows
    if bounded:
        yield {
            "type": "scatter",
            "x": [*places, *reversed(places)],
            "y": [*rows[f"{column}_high"], *reversed(rows[f"{column}_low"].tolist())],
            "fill": "toself",
            "fillcolor": colour,
            "opacity": 0.15,
            "line": {"width": 0},
            "hoverinfo": "skip",
            "showlegend": False,
        }
    yield {
        "type": "scatter",
        "x": places,
        "y": _finite(rows[column]),
        "mode": "lines+markers",
        "name": text(name),
        "line": {"color": colour, "width": 2},
        "marker": {"size": 5},
        "text": _labels(rows, column, bounded),
        "hovertemplate": "%{text}",
    }


def _finite(values: pd.Series) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in values]


def _labels(rows: pd.DataFrame, column: str, bounded: bool) -> list[str]:
    ends = [rows[f"{column}_low"], rows[f"{column}_high"]] if bounded else [[None] * len(rows)] * 2
    return [
        f"step {step:,}: {interval(*values)}" for step, *values in zip(rows["step"], rows[column], *ends, strict=True)
    ]


def _first_place(steps: pd.Series) -> float:
    """Where step 0 is drawn, which has no place on a logarithmic axis."""
    positive = steps[steps > 0]
    return float(positive.min()) / 2 if len(positive) else 1.0


def _on_steps(steps: pd.Series, first: float, transition: Mapping[str, Any]) -> dict[str, Any]:
    """The axis of the steps, and where the drop is."""
    last = max(float(steps.max()), 2 * first)
    decades = [10.0**power for power in range(int(np.floor(np.log10(first))), int(np.ceil(np.log10(last))) + 1)]
    ticks = [factor * decade for decade in decades for factor in (1, 2, 5) if 1.3 * first < factor * decade <= last]
    zero = [first] if (steps == 0).any() else []
    axis = {
        "type": "log",
        "tickvals": [*zero, *ticks],
        "ticktext": [*("0" for _ in zero), *(f"{tick:,.0f}" for tick in ticks)],
        "range": [np.log10(first) - 0.05, np.log10(last) + 0.05],
    }
    drops = transition.get("drops") or ([transition] if transition.get("found") else [])
    return {"xaxis": axis, "shapes": [shape for drop in drops for shape in _drop(drop)]}


def _drop(transition: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The drop as a band, and a line where it is steepest."""
    start, end, steepest = (transition[name] for name in ("start", "end", "steepest"))
    whole = {"xref": "x", "yref": "y domain", "y0": 0, "y1": 1}
    return [
        {
            **whole,
            "type": "rect",
            "x0": start,
            "x1": end,
            "fillcolor": SERIES[1],
            "opacity": 0.08,
            "line": {"width": 0},
        },
        {**whole, "type": "line", "x0": steepest, "x1": steepest, "line": {"color": MUTED, "width": 1}},
    ]
