"""Find plateaus and the sudden drops after them, in any curve over any axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mcinterp.errors import InputError
from mcinterp.training.fall import Fall
from mcinterp.training.falls import MIN_FALL, drops_of
from mcinterp.training.levels import Curve, Floats, longest_flat, smoothed

FEWEST = 20
"""Points that a curve must have."""
HIGH_SIGNAL = 16.0
"""Confidence is high where the curve falls below half of the plateau, by so many times its noise."""


@dataclass(frozen=True)
class Transition:
    """Where a curve leaves a plateau, or that it has not.

    Attributes:
        found: whether there is a drop.
        statement: the finding as a sentence, with what it rests on.
        confidence: 'high', 'moderate', 'none' when there is no drop, or 'undecided' where a run that was trained
            elsewhere has too few points to find one or to rule it out.
        plateau: the plateau's level; without a drop that of the longest flat stretch (NaN without any).
        plateau_start: where it begins, in units of the axis (NaN likewise).
        start: last point of the plateau (NaN without a drop, as the following).
        steepest: where the curve falls by 30 % (by half of a smaller drop) in the shortest time.
        end: where the curve has reached the level after the drop.
        level_after: that level, of the flat stretch that the drop ends on.
        signal: the fall in standard deviations of the noise on the plateau.
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
    """The largest drop that `find_transitions` finds, by its ratio; where it finds none, what is seen instead.

    Arguments and errors are those of `find_transitions`.
    """
    found = find_transitions(x, y, axis, quantity)
    if found:
        return max(found, key=lambda drop: drop.plateau / drop.level_after)
    return _no_drop(*_checked(x, y), axis, quantity)


def find_transitions(x: ArrayLike, y: ArrayLike, axis: str = "step", quantity: str = "the curve") -> list[Transition]:
    """Find the sudden drops of a positive curve, in order; none where there is none.

    A drop leaves a plateau that stays within 5 % of its level, ends at least 20 % lower on a flat stretch a sixth as
    long or at the curve's end, and is

    - sudden: its first 30 %, or its middle half, takes at most a third of the plateau's length, and a smooth (cubic)
      decline through plateau, drop and what follows fits clearly worse;
    - certain: 7 standard errors of the levels' difference, and 5.5 times what the curve without its falls wanders
      by, root mean square, over as long a time;
    - lasting: the curve never comes back to the upper half of the fall.

    All of it is decided on the logarithm of the curve; `benchmarks/drop_detection.py` measures how often it is right.

    Args:
        x: increasing, such as training steps or context length, evenly spaced or not; shape (n,).
        y: the curve, positive where finite; points that are not finite are left out; shape (n,).
        axis: what x counts, for the statement.
        quantity: what y is, for the statement.

    Raises:
        InputError: if the shapes differ, x does not increase or y has values ≤ 0.
    """
    points, values = _checked(x, y)
    if len(points) < FEWEST:
        return []
    curve = Curve.of(points, values)
    return [_transition(curve, fall, axis, quantity) for fall in drops_of(curve)]


def undecided(n_points: int, quantity: str) -> Transition:
    """Of a curve of so few points that it may or may not have a drop."""
    statement = f"no verdict: only {n_points} points of {quantity}, too few to find a drop or to rule one out"
    return Transition(False, statement, "undecided", np.nan, np.nan)


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


def _transition(curve: Curve, fall: Fall, axis: str, quantity: str) -> Transition:
    level, after = float(np.exp(fall.level)), float(np.exp(fall.after))
    begins, start, end = (float(curve.points[index]) for index in (fall.first, fall.start, fall.end))
    signal = (level - after) / (level * curve.noise_on(fall.first, fall.start))
    confidence = "high" if after < 0.5 * level and signal > HIGH_SIGNAL else "moderate"
    statement = (
        f"{quantity} stays at {level:.3g} until {axis} {_place(start)}, falls fastest at {_place(fall.steepest)} and "
        f"is down to {after:.3g} at {_place(end)}; confidence {confidence}: the fall is {signal:.0f} times the "
        f"plateau's noise and takes {fall.relative:.0%} of the plateau's length"
    )
    return Transition(True, statement, confidence, level, begins, start, fall.steepest, end, after, signal)


def _place(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _no_drop(points: Floats, values: Floats, axis: str, quantity: str) -> Transition:
    """What is seen of a curve without a drop."""
    if len(points) < FEWEST:
        return _none(undecided(len(points), quantity).statement, np.nan, np.nan)
    curve = Curve.of(points, values)
    flat = longest_flat(curve)
    if flat is None:
        return _none(f"no drop yet: {quantity} has no flat stretch to fall from", np.nan, np.nan)
    first, last = flat
    level = float(np.median(curve.values[first : last + 1]))
    later = smoothed(curve.values)[last:]
    lowest, final = float(later.min()), float(later[-1])
    if lowest > (1 - MIN_FALL) * level:
        begins = f"from {axis} {_place(float(curve.points[first]))} " if first else ""
        near = f"stays near {level:.3g} (lowest {lowest:.3g})"
        statement = f"no drop yet: {quantity} {near} {begins}to {axis} {points[-1]:g}"
    elif final > np.sqrt(lowest * level):
        statement = f"no lasting drop: {quantity} falls from {level:.3g} to {lowest:.3g} and comes back to {final:.3g}"
    else:
        statement = f"no sudden drop: {quantity} declines gradually from {level:.3g} to {lowest:.3g}"
    return _none(statement, level, float(curve.points[first]))


def _none(statement: str, plateau: float, plateau_start: float) -> Transition:
    return Transition(False, statement, "none", plateau, plateau_start)
