"""Find a plateau and the sudden drop after it, in any curve over any axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mcinterp.errors import InputError

N_BINS = 400
"""The curve is averaged into at most this many equal stretches of its axis before it is looked at."""
SMOOTHED = 5
"""So many neighbouring stretches are averaged before their levels and speeds are compared."""
FLATNESS = 0.12
"""A plateau stays within this fraction of its level."""
MIN_FALL = 0.3
"""A drop ends at least this fraction below the plateau."""
MIN_SIGNAL = 8.0
"""… and at least this many standard deviations of the plateau's noise."""
SPEED_UP = 5.0
"""The logarithm of the curve falls at least this many times faster in the drop than along the plateau."""
SLOWED = 0.1
"""A drop ends where its speed has slowed to this fraction of its fastest."""
EARLY = (2, 4, 8)
"""Where the whole curve shows no drop, these fractions of its beginning are looked at, in finer stretches."""
MIN_PLATEAU = 0.01
"""A plateau lasts at least this fraction of the whole axis, so that the first moments of training are none."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Transition:
    """Where a curve leaves its plateau, or that it has not.

    Attributes:
        found: whether there is a drop.
        statement: the finding as a sentence, with what it rests on.
        confidence: 'high', 'moderate', or 'none' when there is no drop.
        plateau: the plateau's level (NaN without any flat stretch).
        plateau_start: where the flat stretch begins, in units of the axis (NaN likewise).
        start: last point of the plateau (NaN without a drop, as the following).
        steepest: where the curve falls by `MIN_FALL` in the shortest time.
        end: where the fall has slowed to a tenth of its fastest.
        level_after: the curve's level at `end`.
        signal: the fall in standard deviations of the plateau's noise.
    """

    found: bool
    statement: str
    confidence: str
    plateau: float
    plateau_start: float
    start: float = np.nan
    steepest: float = np.nan
    end: float = np.nan
    level_after: float = np.nan
    signal: float = np.nan


def find_transition(x: ArrayLike, y: ArrayLike, axis: str = "step", quantity: str = "the curve") -> Transition:
    """Find the sudden drop of a positive curve.

    The curve is averaged in equal stretches of its axis. Its flat stretches are the longest runs that stay within
    `FLATNESS` of their median; the plateau is the one from which the curve later falls furthest. The drop must end
    `MIN_FALL` below the plateau, stand out of its noise by `MIN_SIGNAL`, be `SPEED_UP` times faster than the plateau's
    own trend, and do half of its (logarithmic) fall in less time than the plateau took: a curve that declines
    gradually has no drop. If there is none, the beginning of the curve is searched more finely.

    Args:
        x: increasing, such as training steps or context length; shape (n,).
        y: the curve, positive where finite; points that are not finite are left out; shape (n,).
        axis: what x counts, for the statement.
        quantity: what y is, for the statement.

    Raises:
        InputError: if the shapes differ, x does not increase or y has values ≤ 0.
    """
    points, values = _checked(x, y)
    if len(points) < 20:
        return _none(f"no drop yet: only {len(points)} points of {quantity}", np.nan, np.nan)
    whole = _examined(points, values, axis, quantity)
    if whole.found:
        return whole
    length = points[-1] - points[0]
    for share in EARLY:
        beginning = points <= points[0] + length / share
        early = _examined(points[beginning], values[beginning], axis, quantity) if beginning.sum() >= 20 else whole
        # The finer stretches are noisier, so that a drop has to be a deeper one there.
        deep = early.level_after < 0.5 * early.plateau
        if early.found and deep and early.start - early.plateau_start >= MIN_PLATEAU * length:
            return early
    return whole


def _examined(points: Floats, values: Floats, axis: str, quantity: str) -> Transition:
    """The finding in one stretch of the curve."""
    points, values = _binned(points, values)
    log_values = np.log(_smoothed(values))
    flat = _plateau(log_values)
    if flat is None:
        return _none(f"no drop yet: {quantity} has no flat stretch to fall from", np.nan, np.nan)
    return _drop(points, values, log_values, flat, axis, quantity)


def _checked(x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
    points, values = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if points.ndim != 1 or points.shape != values.shape:
        raise InputError(f"find_transition: x and y must be equally long, got {points.shape} and {values.shape}")
    finite = np.isfinite(points) & np.isfinite(values)
    points, values = points[finite], values[finite]
    if (np.diff(points) <= 0).any():
        raise InputError("find_transition: x must increase")
    if (values <= 0).any():
        raise InputError("find_transition: y must be positive")
    return points, values


def _binned(points: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Means over at most `N_BINS` equal stretches of the axis; empty stretches are left out."""
    n_bins = min(N_BINS, len(points) // 5)
    edges = np.linspace(points[0], points[-1], n_bins + 1)
    index = np.clip(np.searchsorted(edges, points, side="right") - 1, 0, n_bins - 1)
    counts = np.bincount(index, minlength=n_bins)
    kept = counts > 0
    centres = np.bincount(index, points, n_bins)[kept] / counts[kept]
    return centres, np.bincount(index, values, n_bins)[kept] / counts[kept]


def _smoothed(values: Floats) -> Floats:
    """Mean of each value and its neighbours, `SMOOTHED` in all (fewer at the ends)."""
    window = np.ones(SMOOTHED)
    return np.convolve(values, window, "same") / np.convolve(np.ones_like(values), window, "same")


def _plateau(log_values: Floats) -> tuple[int, int] | None:
    """First and last index of the flat stretch with the largest fall after it; None if nothing is flat for long."""
    shortest = max(3, len(log_values) // 25)
    lowest_after = np.minimum.accumulate(log_values[::-1])[::-1]
    best, best_fall = None, -np.inf
    for first, last in _flat_stretches(log_values, shortest):
        fall = float(np.median(log_values[first : last + 1]) - lowest_after[last])
        # A later stretch wins only by a clear margin, so that a plateau is not cut short at its front.
        if fall > best_fall + 0.02:
            best, best_fall = (first, last), fall
    return best


def _flat_stretches(log_values: Floats, shortest: int) -> list[tuple[int, int]]:
    """Maximal runs within `FLATNESS` of the median of their beginning, at least `shortest` long, in order."""
    stretches = []
    first = 0
    while first + shortest <= len(log_values):
        head = log_values[first : first + shortest]
        level = float(np.median(head))
        if np.abs(head - level).max() > FLATNESS:
            first += 1
            continue
        outside = np.flatnonzero(np.abs(log_values[first:] - level) > FLATNESS)
        last = first + int(outside[0]) - 1 if len(outside) else len(log_values) - 1
        stretches.append((first, last))
        first = last + 1
    return stretches


def _drop(
    points: Floats, values: Floats, log_values: Floats, flat: tuple[int, int], axis: str, quantity: str
) -> Transition:
    first, last = flat
    level = float(np.median(values[first : last + 1]))
    noise = max(_spread(values[first : last + 1]), 1e-3 * level)
    lowest = float(np.exp(log_values[last:].min()))
    signal = (level - lowest) / noise
    if lowest > (1 - MIN_FALL) * level or signal < MIN_SIGNAL:
        statement = f"no drop yet: {quantity} stays near {level:.3g} (lowest {lowest:.3g}) to {axis} {points[-1]:g}"
        return _none(statement, level, float(points[first]))
    start, steepest, end = _limits(points, values, log_values, flat, level)
    after = float(np.exp(log_values[end]))
    if after > (1 - MIN_FALL) * level or not _is_sudden(points, log_values, first, start, end):
        statement = f"no sudden drop: {quantity} declines gradually from {level:.3g} to {lowest:.3g}"
        return _none(statement, level, float(points[first]))
    confidence = "high" if after < 0.5 * level and signal > 2 * MIN_SIGNAL else "moderate"
    share = (points[end] - points[start]) / (points[start] - points[first])
    statement = (
        f"{quantity} stays at {level:.3g} until {axis} {points[start]:.0f}, falls fastest at {points[steepest]:.0f} "
        f"and is down to {after:.3g} at {points[end]:.0f}; confidence {confidence}: the fall is {signal:.0f} times the "
        f"plateau's noise and takes {share:.0%} of the plateau's length"
    )
    begins, leaves, falls, ends = (float(points[i]) for i in (first, start, steepest, end))
    return Transition(True, statement, confidence, level, begins, leaves, falls, ends, after, signal)


def _spread(values: Floats) -> float:
    """Standard deviation about the median, from the median distance, which outliers do not move."""
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))


def _limits(
    points: Floats, values: Floats, log_values: Floats, flat: tuple[int, int], level: float
) -> tuple[int, int, int]:
    """Indices of the last point on the plateau, of the steepest fall, and of the end of the drop."""
    first, last = flat
    smooth = np.exp(log_values)
    fallen = first + 1 + int(np.flatnonzero(smooth[first + 1 :] <= (1 - MIN_FALL) * level)[0])
    # Noise of the smoothed curve, from differences of neighbours, so that a trend of the plateau does not count.
    noise = _spread(np.diff(values[first : last + 1])) / np.sqrt(2 * SMOOTHED)
    left = smooth[:fallen] < level - max(3 * noise, 0.05 * level)
    on_plateau = np.flatnonzero(~left)
    start = int(on_plateau[-1]) if len(on_plateau) else first
    # Speeds are taken over the time of the first fall by MIN_FALL: over less, noise would decide where it is slow.
    width = fallen - start
    speed = (log_values[:-width] - log_values[width:]) / (points[width:] - points[:-width])
    fastest = start + int(np.argmax(speed[start : fallen + width]))
    slow = np.flatnonzero(speed[fastest:] < SLOWED * speed[fastest])
    end = max(fallen, fastest + int(slow[0]) if len(slow) else len(points) - 1)
    return start, _steepest(points, log_values, start, end), end


def _steepest(points: Floats, log_values: Floats, start: int, end: int) -> int:
    """The middle of the shortest stretch in which the curve falls by `MIN_FALL`: less than that, noise falls too."""
    best, shortest = (start + end) // 2, np.inf
    for first in range(start, end):
        fallen = np.flatnonzero(log_values[first : end + 1] <= log_values[first] + np.log(1 - MIN_FALL))
        if len(fallen) and points[first + fallen[0]] - points[first] < shortest:
            shortest = points[first + fallen[0]] - points[first]
            best = int(np.searchsorted(points, points[first] + shortest / 2))
    return best


def _is_sudden(points: Floats, log_values: Floats, first: int, start: int, end: int) -> bool:
    """Whether half of the fall is quicker than the plateau is long, and much faster than the plateau's trend."""
    if start <= first:
        return False
    third = max(1, (start - first) // 3)
    early, late = log_values[first : first + third], log_values[start + 1 - third : start + 1]
    level = float(np.median(log_values[first : start + 1]))
    plateau_length = points[start] - points[first]
    # The middles of the first and the last third are two thirds of the plateau apart.
    trend = float(np.median(early) - np.median(late)) / (plateau_length * 2 / 3)
    halfway = start + 1 + int(np.flatnonzero(log_values[start + 1 : end + 1] <= (level + log_values[end]) / 2)[0])
    fall_length = points[halfway] - points[start]
    speed = (level - log_values[halfway]) / fall_length
    return bool(fall_length <= plateau_length and speed >= SPEED_UP * trend)


def _none(statement: str, plateau: float, plateau_start: float) -> Transition:
    return Transition(False, statement, "none", plateau, plateau_start)
