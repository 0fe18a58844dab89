"""The loss curve with its plateau, its drop and the analysed checkpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from mcinterp.report.figures.base import blank, text
from mcinterp.report.numbers import is_absent, number
from mcinterp.report.palette import CONTROL, INK, MUTED, SERIES
from mcinterp.results import Result

MARKS = (("start", "start", 1.0, "right"), ("steepest", "steepest", 0.06, "left"), ("end", "end", 1.0, "left"))


def curve_figure(training: Result, pages: Mapping[int, str] | None = None) -> go.Figure:
    """Loss against step on a logarithmic axis.

    Args:
        training: the stored training result of a run.
        pages: step → page of each analysed checkpoint; a click on its mark goes there.
    """
    frame = training.table("curve")
    progress = training.facts.get("progress_score", "")
    figure = blank(420, "step", text(training.facts.get("loss_name", "loss")), yaxis_type="log", hovermode="x unified")
    figure.update_xaxes(
        rangemode="nonnegative", tickformat=",d", hoverformat=",d", showspikes=True, spikethickness=1, spikecolor=MUTED
    )
    beside, labels = training.facts.get("beside", ()), training.facts.get("curve_labels", {})
    names = sorted((name for name in frame.columns if name != "step"), key=lambda name: name == progress)
    for name in names:
        figure.add_scatter(
            x=frame["step"].tolist(),
            y=[value if value > 0 else None for value in frame[name]],
            name=text(labels.get(name, name.replace("_", " "))),
            line={"color": curve_colour(name, names, progress), "width": 2.2 if name == progress else 1.3},
            visible="legendonly" if name in beside else True,
            hovertemplate="%{y:.3g}",
        )
    _mark_transitions(figure, training.facts.get("transition") or {}, drops_of(training))
    _mark_checkpoints(figure, training, pages or {})
    return figure


def curve_colour(name: str, names: Sequence[str], progress: str) -> str:
    """Of a curve of training: the loss is grey; the progress score and the first of the others stand out."""
    first = next((other for other in names if other not in ("loss", progress)), "")
    known = {first: SERIES[0], "loss": CONTROL, progress: SERIES[1]}
    return known.get(name, SERIES[2 + names.index(name) % 4])


def drops_of(training: Result) -> list[Mapping[str, Any]]:
    """Every drop of a run, in order, as stored; of a result stored before there were several, the one."""
    if "transitions" in training.tables:
        return [
            {str(name): value for name, value in row.items()}
            for row in training.table("transitions").to_dict("records")
        ]
    transition = training.facts.get("transition") or {}
    return [transition] if transition.get("found") else []


def marked(training: Result | None) -> dict[str, Any]:
    """The largest drop of a run, as stored, and all of them as `drops`; empty where nothing was stored."""
    transition = (training.facts.get("transition") or {}) if training else {}
    return {**transition, "drops": drops_of(training)} if training else {}


def _mark_transitions(figure: go.Figure, transition: Mapping[str, Any], drops: Sequence[Mapping[str, Any]]) -> None:
    plateaus = [drop["plateau"] for drop in drops] or [transition.get("plateau")]
    for plateau in plateaus:
        if plateau is None or is_absent(plateau):
            continue
        figure.add_hline(y=plateau, line={"color": MUTED, "width": 1, "dash": "dot"})
        figure.add_annotation(
            text=f"plateau {number(plateau)}",
            xref="paper",
            x=0.995,
            xanchor="right",
            y=np.log10(plateau),
            yanchor="top",
            showarrow=False,
            font={"color": MUTED, "size": 12},
        )
    for drop in drops:
        _mark_drop(figure, drop)


def _mark_drop(figure: go.Figure, drop: Mapping[str, Any]) -> None:
    figure.add_vrect(x0=drop["start"], x1=drop["end"], fillcolor=SERIES[1], opacity=0.08, line_width=0)
    for key, label, height, side in MARKS:
        step = drop[key]
        figure.add_vline(x=step, line={"color": MUTED, "width": 1, "dash": "solid" if key == "steepest" else "dash"})
        figure.add_annotation(
            text=f"{label} {number(round(step))}",
            x=step,
            xanchor=side,
            yref="paper",
            y=height,
            yanchor="top" if height > 0.5 else "bottom",
            showarrow=False,
            font={"color": MUTED, "size": 12},
            bgcolor="rgba(255,255,255,0.75)",
        )


def _mark_checkpoints(figure: go.Figure, training: Result, pages: Mapping[int, str]) -> None:
    frame, progress = training.table("curve"), training.facts.get("progress_score", "")
    steps = list(training.facts.get("analysed", ()))
    if not steps or progress not in frame or frame.empty:
        return
    values = np.interp(steps, frame["step"], frame[progress])
    figure.add_scatter(
        x=steps,
        y=[float(value) if value > 0 else None for value in values],
        mode="markers",
        cliponaxis=False,
        name="analysed checkpoint",
        marker={"symbol": "diamond", "size": 11, "color": "#FFFFFF", "line": {"color": INK, "width": 2}},
        customdata=[pages.get(step) for step in steps],
        text=["click for its page" if step in pages else "" for step in steps],
        hovertemplate="%{text}",
    )
