"""A finding as a bar: a value with its interval against where its rule holds, drawn as SVG without a script.

Everything is a number on one axis, so that the whole of a verdict can be seen: the shaded range is where the rule
holds, the line through the mark is the 95 % interval, and the diamond is the paper's own number.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from mcinterp.report.numbers import number
from mcinterp.report.why import bound

WIDTH, HEIGHT = 340, 54
"""Of a bar, in its own units, which are about pixels."""
LEFT, RIGHT = 12.0, WIDTH - 12.0
"""Ends of the axis."""
LINE, FOOT = 27.0, 50.0
"""Heights of the axis and of what is written below it."""
DECADES = 2.0
"""An axis is logarithmic where all that it shows is positive and spans more powers of ten."""
ROOM = 0.08
"""Beyond the outermost number, as a share of what the axis spans."""
THIN = 2.0
"""Least width of a range that is drawn, which may be a single value."""
LETTER = 6.2
"""Width of a letter of a label."""
CLASSES = {"holds": "holds", "does not hold": "fails", "undecided": "open"}
"""Of the style sheet, by verdict."""


@dataclass(frozen=True)
class Point:
    """A seed's value with its verdict."""

    value: float
    verdict: str


@dataclass(frozen=True)
class Bar:
    """What is drawn of a finding.

    Attributes:
        value: of the finding; NaN where it was not measured.
        low: lower end of its 95 % interval; NaN without one, the value itself where nothing was averaged.
        high: upper end.
        rule_low: lower end of where the rule holds; -inf without one.
        rule_high: upper end.
        verdict: holds, does not hold or undecided.
        reported: the paper's own number of the same quantity; NaN where it gives none.
        points: of seeds, whose mean the value is then.
    """

    value: float
    low: float
    high: float
    rule_low: float
    rule_high: float
    verdict: str
    reported: float = math.nan
    points: Sequence[Point] = field(default=())

    def drawing(self, words: str) -> Markup:
        """The bar as an SVG element, with what it shows in words."""
        axis = Axis.around(self._numbers())
        parts = (self._range(axis), self._points(axis), self._paper(axis), self._value(axis), self._labels(axis))
        scale = _text(WIDTH, LINE - 17, "end", "log", "quiet") if axis.log else Markup("")
        head = Markup('<svg class="bar" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(WIDTH, HEIGHT, words)
        return Markup("").join([head, *parts, scale, Markup("</svg>")])

    def _numbers(self) -> list[float]:
        own = (self.value, self.low, self.high, self.rule_low, self.rule_high, self.reported)
        return [*own, *(point.value for point in self.points)]

    def _range(self, axis: Axis) -> Markup:
        """The axis, and where the rule holds, with a line at each end that it has."""
        ends = axis.place(self.rule_low), axis.place(self.rule_high)
        middle, half = sum(ends) / 2, max(ends[1] - ends[0], THIN) / 2
        shade = Markup('<rect class="allowed" x="{:.1f}" y="{}" width="{:.1f}" height="22"/>').format(
            middle - half, LINE - 11, 2 * half
        )
        line = Markup('<path class="axis" d="M{} {}H{}"/>').format(LEFT, LINE, RIGHT)
        bounds = [axis.place(end) for end in (self.rule_low, self.rule_high) if math.isfinite(end)]
        marks = [Markup('<path class="bound" d="M{:.1f} {}V{}"/>').format(x, LINE - 13, LINE + 13) for x in bounds]
        return Markup("").join([shade, line, *marks])

    def _value(self, axis: Axis) -> Markup:
        """The value with its interval; one that is beyond all numbers is an arrow at the end of the axis."""
        if math.isnan(self.value):
            return _text((LEFT + RIGHT) / 2, LINE - 16, "middle", "not measured", "quiet")
        x, interval = axis.place(self.value), Markup("")
        if not math.isnan(self.low) and self.low != self.high:
            low, high = axis.place(self.low), axis.place(self.high)
            interval = Markup('<path class="interval" d="M{:.1f} {}H{:.1f}"/>').format(low, LINE, high)
            interval += Markup("").join(
                _arrow(axis.place(end), end > 0) for end in (self.low, self.high) if math.isinf(end)
            )
        if math.isinf(self.value):
            return interval + _arrow(x, self.value > 0)
        return interval + (_diamond(x, LINE, 6, "mean") if self.points else _mark(x, LINE, 5, self.verdict))

    def _points(self, axis: Axis) -> Markup:
        known = [point for point in self.points if math.isfinite(point.value)]
        return Markup("").join(_mark(axis.place(point.value), LINE - 7, 3, point.verdict) for point in known)

    def _paper(self, axis: Axis) -> Markup:
        if not math.isfinite(self.reported):
            return Markup("")
        x = axis.place(self.reported)
        anchor = "start" if x < WIDTH / 3 else "end" if x > 2 * WIDTH / 3 else "middle"
        said = f"paper {number(self.reported)}"
        return _diamond(x, LINE, 5, "paper") + _text(x, 9, anchor, said, "paper-said")

    def _labels(self, axis: Axis) -> Markup:
        """The ends of the rule in numbers, and 0 where there is room; two that are too near stand back to back."""
        ends = dict.fromkeys(end for end in (self.rule_low, self.rule_high) if math.isfinite(end))
        said = [(axis.place(end), bound(end)) for end in ends]
        if not axis.log and axis.low < 0 < axis.high and not any(_meet((axis.place(0), "0"), one) for one in said):
            said.append((axis.place(0), "0"))
        if len(ends) == 2 and _meet(said[0], said[1]):
            (low, first), (high, second), *others = said
            back = _text(min(low, high - 3), FOOT, "end", first) + _text(high + 3, FOOT, "start", second)
            return back + Markup("").join(_text(x, FOOT, _anchor(x, text), text) for x, text in others)
        return Markup("").join(_text(x, FOOT, _anchor(x, text), text) for x, text in said)


@dataclass(frozen=True)
class Axis:
    """Where a number stands.

    Attributes:
        low: number at its left end; its common logarithm where `log`.
        high: at its right end, likewise.
        log: whether it is logarithmic.
    """

    low: float
    high: float
    log: bool

    @classmethod
    def around(cls, numbers: Iterable[float]) -> Axis:
        """An axis that has room for all of them that are finite."""
        finite = [float(one) for one in numbers if math.isfinite(one)] or [0.0]
        log = min(finite) > 0 and math.log10(max(finite) / min(finite)) > DECADES
        if not log and all(one > 0 for one in finite) and min(finite) < max(finite) / 2:
            finite.append(0.0)  # which is near, and says how large the others are
        least, most = (math.log10(end) if log else end for end in (min(finite), max(finite)))
        span = (most - least) or abs(most) or 1.0
        return cls(least - ROOM * span, most + ROOM * span, log)

    def place(self, value: float) -> float:
        """Pixels from the left; numbers beyond the axis, infinite ones too, stand at its end."""
        if self.log:
            value = math.log10(value) if value > 0 else -math.inf
        share = min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)
        return LEFT + share * (RIGHT - LEFT)


def _meet(one: tuple[float, str], other: tuple[float, str]) -> bool:
    """Whether two labels would stand on each other."""
    return abs(one[0] - other[0]) < LETTER * (len(one[1]) + len(other[1])) / 2 + 6


def _mark(x: float, y: float, size: float, verdict: str) -> Markup:
    """Filled where it holds, a cross where it does not, open where it is undecided: told apart without colours too."""
    if verdict == "does not hold":
        d = f"M{x - size:.1f} {y - size:.1f}l{2 * size} {2 * size}m0 {-2 * size}l{-2 * size} {2 * size}"
        return Markup('<path class="mark fails" d="{}"/>').format(d)
    return Markup('<circle class="mark {}" cx="{:.1f}" cy="{}" r="{}"/>').format(CLASSES[verdict], x, y, size)


def _diamond(x: float, y: float, size: float, kind: str) -> Markup:
    return Markup('<path class="{}" d="M{:.1f} {}l{} {}l{} {}l{} {}z"/>').format(
        kind, x, y - size, size, size, -size, size, -size, -size
    )


def _arrow(x: float, right: bool) -> Markup:
    way = 7 if right else -7
    return Markup('<path class="beyond" d="M{:.1f} {}l{} 5l{} 5z"/>').format(x, LINE - 5, way, -way)


def _text(x: float, y: float, anchor: str, text: str, kind: str = "") -> Markup:
    return Markup('<text class="{}" x="{:.1f}" y="{}" text-anchor="{}">{}</text>').format(kind, x, y, anchor, text)


def _anchor(x: float, text: str) -> str:
    half = LETTER * len(text) / 2
    return "start" if x - half < 0 else "end" if x + half > WIDTH else "middle"
