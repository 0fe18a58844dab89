"""Small pictures of findings: a line by step, or a few bars, as SVG elements that take their colours from the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from markupsafe import Markup

from mcinterp.analysis.statistics import Floats

WIDTH, HEIGHT = 140.0, 44.0
BAR, NAMED = 11.0, 66.0
"""Pixels a bar takes down, and its name across."""
LETTERS = 11
"""Of a name that fit there."""
_SVG = Markup('<svg class="spark" viewBox="0 0 {} {}" width="{}" height="{}" role="img" aria-label="{}">{}</svg>')


def line(
    steps: Sequence[float],
    values: Sequence[float],
    words: str,
    drops: Sequence[Mapping[str, object]] = (),
    mark: float | None = None,
) -> Markup:
    """A value by step on a linear axis.

    Args:
        steps: increasing.
        values: at these; those that are no number are left out.
        words: what is drawn, for those who do not see it.
        drops: with `start` and `end`, shaded.
        mark: a step to mark on the line.
    """
    known = [(float(x), float(y)) for x, y in zip(steps, values, strict=True) if np.isfinite(y)]
    if len(known) < 2:
        return Markup()
    xs, ys = (np.array(part) for part in zip(*known, strict=True))
    across, up = _scaled(xs, 2, WIDTH - 2), _scaled(ys, HEIGHT - 3, 3)
    shapes = [_band(*across(np.array([float(str(drop[end])) for end in ("start", "end")]))) for drop in drops]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across(xs), up(ys), strict=True))
    shapes.append(Markup('<polyline class="drawn" points="{}"/>').format(points))
    if mark is not None:
        here = np.array([mark]), np.array([np.interp(mark, xs, ys)])
        place = float(across(here[0])[0]), float(up(here[1])[0])
        shapes.append(Markup('<circle class="mark" cx="{:.1f}" cy="{:.1f}" r="3"/>').format(*place))
    return _svg(HEIGHT, words, shapes)


def _scaled(known: Floats, start: float, end: float) -> Callable[[Floats], Floats]:
    """From values to places between two, the least of the known ones at the first; those beyond are put at an end."""
    low, high = float(known.min()), float(known.max())
    span = (high - low) or 1.0
    return lambda values: start + (end - start) * (np.clip(values, low, high) - low) / span


def _band(left: float, right: float) -> Markup:
    return Markup('<rect class="band" x="{:.1f}" y="0" width="{:.1f}" height="{}"/>').format(
        left, max(right - left, 1.0), HEIGHT
    )


def bars(values: Mapping[str, float], words: str) -> Markup:
    """Bars from 0, one below the other, each with its name; none of values that are no number."""
    known = {name: float(value) for name, value in values.items() if np.isfinite(value)}
    most = max((abs(value) for value in known.values()), default=0.0)
    if not most:
        return Markup()
    rows = []
    for index, (name, value) in enumerate(known.items()):
        top = 2 + BAR * index
        rows.append(
            Markup('<text x="{}" y="{:.1f}" text-anchor="end">{}</text>').format(NAMED - 4, top + 8, _short(name))
            + Markup('<rect class="bar" x="{}" y="{:.1f}" width="{:.1f}" height="7"/>').format(
                NAMED, top + 1.5, max(1.0, (WIDTH - NAMED - 2) * abs(value) / most)
            )
        )
    return _svg(max(HEIGHT, 4 + BAR * len(known)), words, rows)


def _short(name: str) -> str:
    return name if len(name) <= LETTERS else f"{name[: LETTERS - 1].rstrip(' ,')}…"


def _svg(height: float, words: str, shapes: Sequence[Markup]) -> Markup:
    return _SVG.format(WIDTH, height, WIDTH, height, words, Markup().join(shapes))
