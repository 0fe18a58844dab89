"""Which stretches of a curve are sudden drops from a plateau that last: a decision for each of its falls."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from mcinterp.training.fall import Fall, besides, stands_out
from mcinterp.training.levels import FEW, FLATNESS, SURE, Curve, Floats, cuts_of, declining, flat_stretches, noise_of

MIN_FALL = 0.2
"""A drop ends at least this fraction below its plateau."""
MIN_SIGNAL = 7.0
"""… by at least so many standard errors of the two levels' difference."""
SUDDEN = 1 / 3
"""The first 30 % of a drop, or its middle half, takes at most this fraction of the plateau's length."""
NOT_GRADUAL = 15.0
"""A cubic through plateau, drop and shelf leaves at least so much more, in squared standard deviations of the noise."""
SHELF = 1 / 6
"""A drop ends on a flat stretch that lasts at least this fraction of its plateau, or to the end."""
SLOWED = 0.15
"""Where it ends, the share of the fall that is done exceeds the share of time, fall and shelf together, by so much."""
AHEAD = 2.0
"""The shelf begins within so many lengths of the plateau."""
SHORTEST = 0.01
"""A plateau has at least this fraction of all stretches, and two, so that the first moments of training are none."""
STEEP = 0.3
"""Where the curve falls fastest is asked of falls by this fraction, or by half of the drop if that is less."""


def drops_of(curve: Curve) -> list[Fall]:
    """The sudden, lasting drops of a curve, in order.

    Each piece of the best piecewise constant fit that is lower than the one before it is taken for a fall and decided
    on. Those that stand out from what the curve does besides falling count.
    """
    falls = list(_candidates(curve))
    rest = besides(curve, _apart(falls))
    return _apart([fall for fall in falls if stands_out(fall, curve, rest)])


def _apart(falls: list[Fall]) -> list[Fall]:
    """Falls that do not overlap, in order.

    Of those that do, the one that is quickest for its plateau counts, unless its plateau is a mere shelf of another's
    fall, shorter than `SHELF` of that one's plateau.
    """
    kept = []
    while falls:
        longest = max(falls, key=lambda fall: fall.length)
        rivals = [fall for fall in falls if _overlap(fall, longest) and fall.length >= SHELF * longest.length]
        chosen = min(rivals, key=lambda fall: fall.relative)
        kept.append(chosen)
        falls = [fall for fall in falls if not _overlap(fall, longest) and not _overlap(fall, chosen)]
    return sorted(kept, key=lambda fall: fall.start)


def _overlap(one: Fall, other: Fall) -> bool:
    return one.start < other.end and other.start < one.end


def _candidates(curve: Curve) -> Iterator[Fall]:
    cuts = cuts_of(curve.logs, curve.noise)
    levels = [float(curve.logs[a:b].mean()) for a, b in pairwise(cuts)]
    seen = set()
    for piece in range(1, len(levels)):
        origin = cuts[_since_rise(levels, cuts, piece, curve.noise)]
        if levels[piece] < levels[piece - 1] and cuts[piece] - origin > 1:
            fall = Window(curve, origin, cuts[piece]).drop()
            if fall and (fall.start, fall.end) not in seen:
                seen.add((fall.start, fall.end))
                yield fall


def _since_rise(levels: list[float], cuts: list[int], piece: int, noise: float) -> int:
    """The first piece from which the curve does not rise until `piece`, but for noise."""
    first = piece - 1
    while first > 0:
        sizes = cuts[first + 1] - cuts[first], cuts[first] - cuts[first - 1]
        if levels[first] - levels[first - 1] > 2 * FLATNESS + SURE * noise * np.sqrt(1 / sizes[0] + 1 / sizes[1]):
            break
        first -= 1
    return first


class Window:
    """What of a curve is looked at for one fall, to the level at one index: all from the last rise before it."""

    def __init__(self, curve: Curve, origin: int, fallen: int) -> None:
        self.curve, self.origin, self.fallen = curve, origin, fallen - origin
        self.points, self.logs = curve.points[origin:], curve.logs[origin:]
        self.fit, self.sizes = declining(self.logs)
        self.before = curve.noise_on(origin, fallen - 1)
        if fallen - origin >= FEW:
            # What declines steadily is not noise that a plateau may be flat within.
            self.before = min(self.before, noise_of(curve.logs[origin:fallen], differences=2))
        self.after = max(curve.noise, curve.noise_on(fallen, len(curve) - 1))

    def drop(self) -> Fall | None:
        """The drop; None where this is no sudden and lasting one."""
        plateau = self._plateau()
        if plateau is None:
            return None
        first, start, level = plateau
        length = self._length(first, start)
        for shelf in self._shelves(start, level, length):
            end = self._end(start, level, *shelf)
            if end is not None and self.fallen <= end + 2:
                after = float(self.fit[shelf[0] : shelf[1] + 1].mean())
                return self._decided(first, start, end, shelf[1], level, after)
        return None

    def _length(self, first: int, last: int) -> float:
        """Of a stretch, with half a spacing at each end."""
        return float((self.points[last] - self.points[first]) * (last - first + 1) / max(last - first, 1))

    def _plateau(self) -> tuple[int, int, float] | None:
        """First and last index, and the level: the flat stretch that is longest for its distance to the fall."""
        ends = np.arange(self.fallen)
        since, _ = flat_stretches(self.fit[: self.fallen], self.before)
        counts = ends - since + 1
        long_enough = counts >= max(2, SHORTEST * len(self.curve))
        lengths = (self.points[ends] - self.points[since]) * counts / np.maximum(counts - 1, 1)
        merit = np.where(long_enough, lengths, 0) / (self.points[self.fallen] - self.points[ends])
        last = int(merit.argmax())
        if not long_enough[last]:
            return None
        level = float(np.log(np.median(np.exp(self.logs[since[last] : last + 1]))))
        margin = self._margin(self.before)
        first = int(np.argmax(self.fit <= level + margin))
        left = np.flatnonzero(self.fit[first:] < level - margin[first:])
        if not len(left) or left[0] < max(2, SHORTEST * len(self.curve)):
            return None
        return first, first + int(left[0]) - 1, level

    def _margin(self, noise: float, averaged: float = np.inf) -> Floats:
        """How far from a level, a mean of `averaged` values, the fit may be to count as on it."""
        return np.maximum(FLATNESS, SURE * noise * np.sqrt(1 / self.sizes + 1 / averaged))

    def _shelves(self, start: int, level: float, length: float) -> Iterator[tuple[int, int]]:
        """First and last index of flat stretches after the start, in order, that a drop may end on."""
        last = len(self.fit) - 1
        _, until = flat_stretches(self.fit, self.after)
        lasting = self.points[until] - self.points
        low = (level - self.fit >= -np.log(1 - MIN_FALL)) & (self.points <= self.points[start] + AHEAD * length)
        long_enough = (lasting >= SHELF * length) | (until == last)
        ends = np.arange(last + 1)
        for begin in np.flatnonzero(low & long_enough & (ends > start) & (until > ends)):
            longest = int(begin) + int(np.argmax(lasting[begin : until[begin] + 1]))
            if until[longest] > longest:
                yield longest, int(until[longest])

    def _end(self, start: int, level: float, begin: int, last: int) -> int | None:
        """Where the fall from `start` has reached the shelf; None if it is not slower there than before."""
        after = float(self.fit[begin : last + 1].mean())
        fall = np.arange(start + 1, begin + 1)
        done = (level - self.fit[fall]) / (level - after)
        # What has fallen between two points may have done so just after the first.
        elapsed = (self.points[fall - 1] - self.points[start]) / (self.points[last] - self.points[start])
        if (done - elapsed).max() < SLOWED:
            return None
        on_shelf = self.fit[fall] <= after + self._margin(self.after, last - begin + 1)[fall]
        return int(fall[on_shelf.argmax()]) if on_shelf.any() else begin

    def _decided(self, first: int, start: int, end: int, last: int, level: float, after: float) -> Fall | None:
        """The fall if it is deep, certain, sudden and lasting."""
        ok = (
            len(self.fit) - end >= 2
            and level - after >= -np.log(1 - MIN_FALL)
            and self._signal(first, start, end, level - after) >= MIN_SIGNAL
            and self._is_sudden(first, start, end, level, after)
            and self._against_cubic(first, start, end, last) >= NOT_GRADUAL
            and self._lasts(end, level, after)
        )
        if not ok:
            return None
        plateau, leaves, reached, until = (self.origin + index for index in (first, start, end, last))
        duration = float(self.points[end] - self.points[start])
        steepest = self._steepest(start, end, level, after)
        return Fall(plateau, leaves, reached, until, steepest, level, after, self._length(first, start), duration)

    def _signal(self, first: int, start: int, end: int, fall: float) -> float:
        """The fall in standard errors of the two levels' difference."""
        errors = [
            self.curve.noise_on(self.origin + a, self.origin + b) / np.sqrt(b - a + 1)
            for a, b in ((first, start), (end, len(self.fit) - 1))
        ]
        return float(fall / np.hypot(*errors))

    def _is_sudden(self, first: int, start: int, end: int, level: float, after: float) -> bool:
        """Whether the first part of the fall, or its middle half, is quick for the plateau.

        What follows the first part may be slow, as most curves go on improving; and a fall may dive late.
        """
        course = np.concatenate([[level], np.clip(self.fit[start + 1 : end], after, level), [after]])
        part = min(-np.log(1 - STEEP), 0.75 * (level - after))
        halves = [
            self._time(start, values, values[0] + np.array([0.25, 0.75]) * (values[-1] - values[0]))
            for values in (course, np.exp(course))
        ]
        took = min(self._time(start, course, np.array([level, level - part])), max(halves))
        return bool(took <= SUDDEN * self._length(first, start))

    def _time(self, start: int, course: Floats, between: Floats) -> float:
        """How long a falling course is between two values; 0 with at most one point there, which cannot tell."""
        upper, lower = between
        if ((course < upper) & (course > lower)).sum() <= 1:
            return 0.0
        early, late = np.interp(-between, -course, self.points[start : start + len(course)])
        return float(late - early)

    def _against_cubic(self, first: int, start: int, end: int, last: int) -> float:
        """How much more a cubic leaves than plateau, fall and shelf, in squared standard deviations of the noise."""
        logs, points = self.logs[first : last + 1], self.points[first : last + 1]
        plateau, shelf = self.logs[first : start + 1], self.logs[end : last + 1]
        steps = np.concatenate([0 * plateau + plateau.mean(), self.fit[start + 1 : end], 0 * shelf + shelf.mean()])
        place = 2 * (points - points[0]) / (points[-1] - points[0]) - 1
        cubic = np.polynomial.chebyshev.chebvander(place, min(3, len(logs) - 1))
        left = logs - cubic @ np.linalg.lstsq(cubic, logs, rcond=None)[0]
        noise = np.where(np.arange(first, last + 1) < self.fallen, self.before, self.after)
        return float(((left**2 - (logs - steps) ** 2) / noise**2).sum())

    def _lasts(self, end: int, level: float, after: float) -> bool:
        """Whether what follows, but for noise, stays in the lower half of the fall."""
        rest = self.logs[end:]
        count = min(len(rest), max(3, int(np.ceil((7 * self.after / (level - after)) ** 2))))
        return bool(np.convolve(rest, np.ones(count) / count, "valid").max() <= (level + after) / 2)

    def _steepest(self, start: int, end: int, level: float, after: float) -> float:
        """The middle of the shortest stretch in which the curve falls by `STEEP`: less than that, noise falls too."""
        course = np.concatenate([[level], np.clip(self.fit[start + 1 : end], after, level), [after]])
        least = min(-np.log(1 - STEEP), (level - after) / 2)
        begin = np.flatnonzero(course - after >= least)
        # In a falling course the first value at or below each level.
        reached = start + np.searchsorted(-course, least - course[begin], side="left")
        begin += start
        shortest = int((self.points[reached] - self.points[begin]).argmin())
        return float(self.points[begin[shortest]] + self.points[reached[shortest]]) / 2
