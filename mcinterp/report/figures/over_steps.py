"""Measures by step, with the drop of the loss shaded; early steps have as much room as late ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from mcinterp.report.figures.base import blank, text
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
) -> go.Figure:
    """A column of a table against the step on a logarithmic axis, a curve for every value of another column.

    Args:
        frame: with `step`, `column` and, where there are intervals, its bounds.
        column: what is drawn.
        by: what tells the curves apart.
        title: of the vertical axis.
        transition: of the run's loss, as stored; its drop is shaded where there is one.
        controls: columns drawn dashed, in the colour of their curve.
        height: in pixels.
    """
    figure = blank(height, "step", title)
    first = _first_place(frame["step"])
    for index, (name, rows) in enumerate(frame.groupby(by, sort=False)):
        rows, colour = rows.sort_values("step"), SERIES[index % len(SERIES)]
        places = rows["step"].clip(lower=first).tolist()
        _add_curve(figure, rows, column, str(name), colour, places)
        for control in controls:
            if rows[control].notna().any():
                figure.add_scatter(
                    x=places,
                    y=[value if np.isfinite(value) else None for value in rows[control]],
                    mode="lines",
                    name=text(f"{name}: {control.replace('_', ' ')}"),
                    line={"color": colour, "width": 1.2, "dash": "dash"},
                    opacity=0.6,
                    showlegend=False,
                    hovertemplate="%{y:.3g}",
                )
    return _on_steps(figure, frame["step"], first, transition)


def _add_curve(
    figure: go.Figure, rows: pd.DataFrame, column: str, name: str, colour: str, places: Sequence[float]
) -> None:
    bounded = f"{column}_low" in rows
    if bounded:
        figure.add_scatter(
            x=[*places, *reversed(places)],
            y=[*rows[f"{column}_high"], *reversed(rows[f"{column}_low"].tolist())],
            fill="toself",
            fillcolor=colour,
            opacity=0.15,
            line={"width": 0},
            hoverinfo="skip",
            showlegend=False,
        )
    labels = [f"step {row['step']:,}: {_label(row, column, bounded)}" for row in rows.to_dict("records")]
    figure.add_scatter(
        x=places,
        y=[value if np.isfinite(value) else None for value in rows[column]],
        mode="lines+markers",
        name=text(name),
        line={"color": colour, "width": 2},
        marker={"size": 5},
        text=labels,
        hovertemplate="%{text}",
    )


def _label(row: Mapping[Any, Any], column: str, bounded: bool) -> str:
    ends = (row[f"{column}_low"], row[f"{column}_high"]) if bounded else (None, None)
    return interval(row[column], *ends)


def _first_place(steps: pd.Series) -> float:
    """Where step 0 is drawn, which has no place on a logarithmic axis."""
    positive = steps[steps > 0]
    return float(positive.min()) / 2 if len(positive) else 1.0


def _on_steps(figure: go.Figure, steps: pd.Series, first: float, transition: Mapping[str, Any]) -> go.Figure:
    last = max(float(steps.max()), 2 * first)
    decades = [10.0**power for power in range(int(np.floor(np.log10(first))), int(np.ceil(np.log10(last))) + 1)]
    ticks = [factor * decade for decade in decades for factor in (1, 2, 5) if 1.3 * first < factor * decade <= last]
    zero = [first] if (steps == 0).any() else []
    figure.update_xaxes(
        type="log",
        tickvals=[*zero, *ticks],
        ticktext=[*("0" for _ in zero), *(f"{tick:,.0f}" for tick in ticks)],
        range=[np.log10(first) - 0.05, np.log10(last) + 0.05],
    )
    if transition.get("found"):
        figure.add_vrect(x0=transition["start"], x1=transition["end"], fillcolor=SERIES[1], opacity=0.08, line_width=0)
        figure.add_vline(x=transition["steepest"], line={"color": MUTED, "width": 1})
    return figure
