"""A run's loss curve as a small drawing: the drops shaded, a mark at the step of the page, links at the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from mcinterp.report.figures.curve import drops_of
from mcinterp.report.numbers import number
from mcinterp.report.scores import curve_name
from mcinterp.results import Result

WIDTH, HEIGHT, LEFT, BELOW, ABOVE = 420, 138, 44, 20, 8
"""Of the drawing and of the room beside its curve, in CSS pixels."""
POINTS = 300
"""So many points of a curve are seen at that width."""

_SVG = Markup(
    '<svg class="small-curve" viewBox="0 0 {width} {height}" role="group" aria-label="{label}">{drops}{ticks}'
    '<path class="line" d="{path}"/>{marks}</svg>'
)
_DROP = Markup('<rect class="drop" x="{x}" y="{y}" width="{width}" height="{height}"><title>{title}</title></rect>')
_ACROSS = Markup('<line class="tick" x1="{left}" x2="{right}" y1="{y}" y2="{y}"/><text x="{x}" y="{y}">{text}</text>')
_BELOW = Markup('<text class="step" x="{x}" y="{y}">{text}</text>')
_MARK = Markup('<circle class="here" cx="{x}" cy="{y}" r="6"><title>{title}</title></circle>')
_LINK = Markup(
    '<a href="{href}" aria-label="{title}"><circle cx="{x}" cy="{y}" r="5"><title>{title}</title></circle></a>'
)


@dataclass(frozen=True)
class _Axes:
    """Where steps and values lie on the drawing; values on a logarithmic axis."""

    last: float
    low: float
    high: float

    def across(self, step: float) -> float:
        return round(LEFT + (WIDTH - LEFT - 10) * step / self.last, 1)

    def down(self, value: float) -> float:
        share = (np.log10(value) - np.log10(self.low)) / (np.log10(self.high) - np.log10(self.low))
        return round(HEIGHT - BELOW - (HEIGHT - BELOW - ABOVE) * min(1.0, max(0.0, float(share))), 1)


def small_curve(training: Result | None, step: int, pages: Mapping[int, str]) -> Markup:
    """The progress score by step on a logarithmic axis; empty where nothing was measured.

    Args:
        training: the stored training result of a run.
        step: of the page.
        pages: step → page of every analysed checkpoint.
    """
    steps, values = _measured(training)
    if training is None or len(steps) < 2:
        return Markup("")
    axes = _Axes(float(max(steps[-1], *pages)), float(values.min()), float(values.max()) * 1.001)
    thinned = np.unique(np.linspace(0, len(steps) - 1, POINTS).astype(int))
    path = " L".join(f"{axes.across(steps[at])},{axes.down(values[at])}" for at in thinned)
    at_steps = {one: axes.down(float(np.interp(one, steps, values))) for one in sorted(pages)}
    score = curve_name(training, training.facts["progress_score"])
    return _SVG.format(
        width=WIDTH,
        height=HEIGHT,
        label=f"{score} by step, on a logarithmic axis",
        drops=_drops(training, axes),
        ticks=_ticks(axes),
        path=f"M{path}",
        marks=Markup("").join(_mark(axes, one, y, step, pages[one]) for one, y in at_steps.items()),
    )


def _measured(training: Result | None) -> tuple[np.ndarray, np.ndarray]:
    """Steps and positive values of the progress score."""
    name = str(training.facts.get("progress_score", "")) if training else ""
    if training is None or name not in training.table("curve"):
        return np.array([]), np.array([])
    curve = training.table("curve")
    curve = curve[curve[name] > 0]
    return curve["step"].to_numpy(float), curve[name].to_numpy(float)


def _drops(training: Result, axes: _Axes) -> Markup:
    return Markup("").join(
        _DROP.format(
            x=(x := axes.across(drop["start"])),
            y=ABOVE,
            width=round(max(2.0, axes.across(drop["end"]) - x), 1),
            height=HEIGHT - BELOW - ABOVE,
            title=f"drop, steps {number(round(drop['start']))} to {number(round(drop['end']))}",
        )
        for drop in drops_of(training)
    )


def _ticks(axes: _Axes) -> Markup:
    values = (axes.low, axes.high)
    across = [
        _ACROSS.format(left=LEFT, right=WIDTH - 10, x=LEFT - 5, y=axes.down(value), text=number(value, 2))
        for value in values
    ]
    steps = ((0.0, "0"), (axes.last, number(round(axes.last))))
    below = [_BELOW.format(x=axes.across(step), y=HEIGHT - 5, text=text) for step, text in steps]
    return Markup("").join([*across, *below])


def _mark(axes: _Axes, step: int, y: float, here: int, page: str) -> Markup:
    x, title = axes.across(step), f"step {number(step)}"
    if step == here:
        return _MARK.format(x=x, y=y, title=f"{title}, this page")
    return _LINK.format(x=x, y=y, title=title, href=page)


def place_words(training: Result | None, step: int) -> str:
    """Where in its training a checkpoint is, in words; empty where nothing is known of the training."""
    if training is None:
        return ""
    drops = drops_of(training)
    if not drops:
        undecided = (training.facts.get("transition") or {}).get("confidence") == "undecided"
        return "The points are too few to tell whether this run drops" if undecided else "This run has no drop"
    before = [drop for drop in drops if drop["start"] <= step]
    if not before:
        return f"On the plateau before the drop, {_away(drops[0]['start'] - step)} before it starts"
    drop = before[-1]
    if step < drop["end"]:
        share = (step - drop["start"]) / (drop["end"] - drop["start"])
        return f"Within {_the(drop, drops)}, {share:.0%} of its steps in"
    return f"After {_the(drop, drops)}, {_away(step - drop['end'])} after its end"


def _the(drop: Mapping[str, float], drops: Sequence[Mapping[str, float]]) -> str:
    which = f"drop {drops.index(drop) + 1} of {len(drops)}" if len(drops) > 1 else "the drop"
    return f"{which} (steps {number(round(drop['start']))} to {number(round(drop['end']))})"


def _away(steps: float) -> str:
    return f"{number(round(steps))} steps"
