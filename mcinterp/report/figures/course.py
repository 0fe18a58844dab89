"""Everything that is known of a run by step, stacked on one axis of steps, with its drops shaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from mcinterp.report.figures.base import AXIS, drawn, text
from mcinterp.report.figures.curve import curve_colour, drops_of
from mcinterp.report.palette import CONTROL, INK, MUTED, NONE, SERIES, class_colours
from mcinterp.report.scores import Scores, curve_name
from mcinterp.results import Result

PANEL, GAP, AROUND = 92, 26, 56
"""Heights in pixels: of a panel, between two, and of what is above and below all."""
NEAREST = 4
"""Algorithms that are drawn, those that come nearest at any step."""
CONTROLS, MARKS = "control", "analysed checkpoint"
UNNAMED = (None, CONTROLS, MARKS)
"""What has no name of its own in the key of a panel."""
Trace = dict[str, Any]


@dataclass(frozen=True)
class Panel:
    """One of the stacked panels.

    Attributes:
        title: above it; the names of its lines follow in their colours where there are several.
        traces: plotly's, without axes.
        axis: of its values, what is not as usual.
    """

    title: str
    traces: Sequence[Trace]
    axis: Mapping[str, Any] = field(default_factory=dict)


def course_figure(
    training: Result, compared: Mapping[str, Result] | None = None, pages: Mapping[int, str] | None = None
) -> go.Figure:
    """The curve of a run, and what comparisons followed of it, a panel each over the same steps.

    Args:
        training: the stored training result of a run.
        compared: stored comparisons by name; a panel is drawn of each measure that is there.
        pages: step → page of each analysed checkpoint; a click on its mark goes there.
    """
    panels = list(_panels(training, compared or {}, pages or {}))
    return stacked_figure(panels, float(training.facts.get("last_step") or 1), drops_of(training))


def stacked_figure(panels: Sequence[Panel], last_step: float, drops: Sequence[Mapping[str, Any]]) -> go.Figure:
    """Panels one below the other on one axis of steps, with the drops shaded in each.

    Args:
        panels: from the top.
        last_step: where the axis ends.
        drops: with `start` and `end`.
    """
    height = AROUND + len(panels) * (PANEL + GAP)
    layout: dict[str, Any] = {"xaxis": _step_axis(last_step), "showlegend": False, "hovermode": "x", "shapes": []}
    traces: list[Trace] = []
    for index, panel in enumerate(panels):
        name = "" if index == 0 else str(index + 1)
        traces += [{**trace, "xaxis": "x", "yaxis": f"y{name}"} for trace in panel.traces]
        layout[f"yaxis{name}"] = _value_axis(panel, index, len(panels))
        layout["shapes"] += [_band(drop, f"y{name}") for drop in drops]
    layout["annotations"] = [_title(panel, index, len(panels)) for index, panel in enumerate(panels)]
    return drawn(height, "step", "", traces, **layout)


def _panels(training: Result, compared: Mapping[str, Result], pages: Mapping[int, str]) -> Iterator[Panel]:
    yield from _curves(training, pages)
    yield from _plateau(compared.get("plateau"))
    yield from _embeddings(compared.get("embeddings"))
    yield from _uniform(compared.get("course"))
    yield from _classes(compared.get("formation"))
    yield from _algorithms(compared)


def _curves(training: Result, pages: Mapping[int, str]) -> Iterator[Panel]:
    """The loss and the scores beside each other, linear and logarithmic; then, each alone, what is told beside them."""
    frame, progress = training.table("curve"), str(training.facts.get("progress_score", ""))
    beside = [name for name in training.facts.get("beside", ()) if name in frame]
    main = sorted((str(name) for name in frame if name not in ("step", *beside)), key=lambda name: name == progress)
    lines = [_curve(training, name, curve_colour(name, main, progress)) for name in main]
    marks = [_checkpoints(training, pages)] if progress in frame and len(frame) else []
    yield Panel("Loss, linear", [*lines, *marks], {"rangemode": "tozero"})
    yield Panel("Loss, logarithmic", lines, {"type": "log", "nticks": 4})
    for name in beside:
        yield Panel(curve_name(training, name), [_curve(training, name, SERIES[0])], {"rangemode": "tozero"})


def _curve(training: Result, name: str, colour: str) -> Trace:
    frame = training.table("curve")
    values = [value if np.isfinite(value) else None for value in frame[name]]
    return _line(frame["step"].tolist(), values, curve_name(training, name), colour, mode="lines")


def _checkpoints(training: Result, pages: Mapping[int, str]) -> Trace:
    """The analysed checkpoints on the curve that drops."""
    frame, progress = training.table("curve"), str(training.facts["progress_score"])
    steps = list(training.facts.get("analysed", ()))
    return {
        "type": "scatter",
        "x": steps,
        "y": np.interp(steps, frame["step"], frame[progress]).tolist(),
        "mode": "markers",
        "cliponaxis": False,
        "name": MARKS,
        "marker": {"symbol": "diamond", "size": 11, "color": "#FFFFFF", "line": {"color": INK, "width": 2}},
        "customdata": [pages.get(step) for step in steps],
        "text": ["click for its page" if step in pages else "" for step in steps],
        "hovertemplate": "%{text}",
    }


def _plateau(result: Result | None) -> Iterator[Panel]:
    if result is None:
        return
    frame = result.table("measures")
    rows = frame[(frame["measure"] == "attention progress") & (frame["where"] == "all heads")]
    if len(rows):
        yield Panel(
            "Progress of the attention towards the last checkpoint's (dashed: uniform attention)",
            [*points(rows, "value", "all heads", SERIES[0]), dashed(rows, "floor", SERIES[0])],
        )


def _embeddings(result: Result | None) -> Iterator[Panel]:
    if result is None:
        return
    positions, tokens = result.table("positions"), result.table("tokens")
    grouped = [
        trace
        for index, (name, rows) in enumerate(positions.groupby("labels", sort=False))
        for trace in (
            *points(rows, "explained", f"by {name}", SERIES[index % len(SERIES)]),
            dashed(rows, "explained_shuffled", SERIES[index % len(SERIES)]),
        )
    ]
    if grouped:
        yield Panel("Share of the position embeddings' variance between groups (dashed: shuffled labels)", grouped)
    if len(tokens):
        yield Panel(
            "Alignment of the token embeddings with the last checkpoint's (dashed: untrained)",
            [*points(tokens, "alignment", "tokens", SERIES[2]), dashed(tokens, "untrained_alignment", SERIES[2])],
        )


def _uniform(result: Result | None) -> Iterator[Panel]:
    if result is None:
        return
    frame, scores = result.table("uniform"), Scores.of(result)
    yield Panel(
        f"{scores.said} with all attention made uniform, over that without (dashed: 1)",
        [*points(frame, "ratio", "ratio", SERIES[3]), _level(frame, 1.0, SERIES[3])],
        {"range": [0, 1.15 * float(np.nanmax(frame["ratio"]))]} if frame["ratio"].notna().any() else {},
    )


def _classes(result: Result | None) -> Iterator[Panel]:
    """The share of heads in each class as bands, a panel a kind of class."""
    if result is None or "classes" not in result.tables:
        return
    frame, colours = result.table("classes"), class_colours(result.facts["kinds"])
    for kind, rows in frame.groupby("kind", sort=False):
        shown = [name for name in rows["class"].unique() if rows[rows["class"] == name]["count"].any() and name != NONE]
        bands = [_area(rows[rows["class"] == name], name, colours.get(name, CONTROL)) for name in shown]
        none = [] if shown else [_level(rows, 0.0, MUTED)]  # an empty panel would have no axes
        yield Panel(f"Share of heads by {kind}{': none has one' if none else ''}", [*bands, *none], {"range": [0, 1]})


def _area(rows: pd.DataFrame, name: str, colour: str) -> Trace:
    return {
        **_line(rows["step"].tolist(), rows["share"].tolist(), name, colour),
        "stackgroup": "heads",
        "fillcolor": colour,
        "text": [f"{name}: {count} ({heads})" for count, heads in zip(rows["count"], rows["heads"], strict=True)],
        "hovertemplate": "%{text}",
    }


def _algorithms(compared: Mapping[str, Result]) -> Iterator[Panel]:
    """Distances to what known algorithms answer: those that the task compares, or the known ways of the course."""
    log = {"type": "log", "nticks": 4}
    if "oracles" in compared:
        result = compared["oracles"]
        frame = result.table("distances")
        frame = frame[frame["context"] == result.facts["contexts"][0]]
        yield Panel(f"{result.facts['divergence']} to the nearest algorithms", list(_distances(frame, "oracle")), log)
    elif "course" in compared and "known" in compared["course"].tables:
        frame = compared["course"].table("known")
        yield Panel("Distance of the answers to the nearest known completions", list(_distances(frame, "answers")), log)


def _distances(frame: pd.DataFrame, by: str) -> Iterator[Trace]:
    least = frame.groupby(by, sort=False)["distance"].min().nsmallest(NEAREST).index
    for index, name in enumerate(least):
        yield from points(frame[frame[by] == name], "distance", str(name), SERIES[index % len(SERIES)], band=False)


def points(rows: pd.DataFrame, column: str, name: str, colour: str, band: bool = True) -> list[Trace]:
    """A line with a point at every checkpoint, and its interval as a band."""
    rows = rows.sort_values("step")
    steps, values = rows["step"].tolist(), [value if np.isfinite(value) else None for value in rows[column]]
    line = _line(steps, values, name, colour)
    if not band or f"{column}_low" not in rows or rows[f"{column}_low"].isna().any():
        return [line]
    ends = [*rows[f"{column}_high"], *reversed(rows[f"{column}_low"].tolist())]
    return [{**_quiet([*steps, *reversed(steps)], ends, colour), "fill": "toself", "fillcolor": colour}, line]


def _line(steps: list[Any], values: list[Any], name: str, colour: str, mode: str = "lines+markers") -> Trace:
    return {
        "type": "scatter",
        "x": steps,
        "y": values,
        "mode": mode,
        "name": text(name),
        "line": {"color": colour, "width": 1.8},
        "marker": {"size": 5},
        "hovertemplate": f"{text(name)}: %{{y:.3g}}<extra></extra>",
    }


def _quiet(steps: list[Any], values: list[Any], colour: str) -> Trace:
    return {"type": "scatter", "x": steps, "y": values, "opacity": 0.15, "line": {"width": 0}, "hoverinfo": "skip"}


def dashed(rows: pd.DataFrame, column: str, colour: str) -> Trace:
    """A dashed line without a name, as controls have."""
    rows = rows.sort_values("step")
    values = [value if np.isfinite(value) else None for value in rows[column]]
    dash = {"color": colour, "width": 1.2, "dash": "dash"}
    return {**_line(rows["step"].tolist(), values, CONTROLS, colour, "lines"), "line": dash, "hoverinfo": "skip"}


def _level(frame: pd.DataFrame, value: float, colour: str) -> Trace:
    return dashed(frame.assign(level=value), "level", colour)


def _step_axis(last_step: float) -> dict[str, Any]:
    return {
        "rangemode": "nonnegative",
        "tickformat": ",d",
        "hoverformat": ",d",
        "showspikes": True,
        "spikemode": "across",
        "spikethickness": 1,
        "spikecolor": MUTED,
        "anchor": "free",
        "position": 0,
        "range": [0, 1.01 * last_step],
    }


def _value_axis(panel: Panel, index: int, total: int) -> dict[str, Any]:
    top = 1 - index / total
    share = PANEL / (PANEL + GAP) / total
    bottom = top - 1 / total + (1 / total - share) * 0.15
    return {**AXIS, "domain": [max(0.0, bottom), bottom + share], "nticks": 4, "tickfont_size": 11, **panel.axis}


def _title(panel: Panel, index: int, total: int) -> dict[str, Any]:
    _, high = _value_axis(panel, index, total)["domain"]
    place = {"xref": "paper", "x": 0, "xanchor": "left", "yref": "paper", "y": high, "yanchor": "bottom"}
    return {**place, "text": text(panel.title) + _key(panel), "showarrow": False, "font": {"size": 12, "color": INK}}


def _key(panel: Panel) -> str:
    """The names of a panel's lines in their colours, where there are several."""
    named = {trace["name"]: trace["line"]["color"] for trace in panel.traces if trace.get("name") not in UNNAMED}
    if len(named) < 2 and not any("stackgroup" in trace for trace in panel.traces):
        return ""
    return "".join(f'  <span style="color:{colour}">■</span> {name}' for name, colour in named.items())


def _band(drop: Mapping[str, Any], axis: str) -> dict[str, Any]:
    return {
        "xref": "x",
        "yref": f"{axis} domain",
        "type": "rect",
        "x0": drop["start"],
        "x1": drop["end"],
        "y0": 0,
        "y1": 1,
        "fillcolor": SERIES[1],
        "opacity": 0.1,
        "line": {"width": 0},
    }
