"""Curves of several runs on one axis: each averaged over stretches of it, and all of them over the runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcinterp.analysis.statistics import Estimate, Floats, mean_estimate

LEAST_RUNS = 3
"""Runs that a band is drawn from; of fewer there are only the curves."""


@dataclass(frozen=True)
class Curve:
    """A curve averaged over equal stretches of its axis.

    Attributes:
        places: middle of each stretch, on the common axis, increasing; (stretch,).
        values: mean over the points of the stretch, (stretch,).
        counts: how many points that is.
        whole: whether the curve reaches over all of the stretch.
    """

    places: Floats
    values: Floats
    counts: Floats
    whole: np.ndarray


def stretches(steps: Floats, values: Floats, zero: int, width: int) -> Curve:
    """Average a curve over stretches of `width` steps, of which the middle of one is the step `zero`.

    Where `zero` of one curve is k steps later than that of another, so are its stretches: a curve that is only shifted
    by k has the same averages at the same places.

    Args:
        steps: whole numbers, increasing, (n,).
        values: at these steps; those that are not finite are left out, (n,).
        zero: the step that is 0 on the common axis.
        width: whole steps, at least 1.
    """
    finite = np.isfinite(values)
    apart, values = (steps[finite] - zero).astype(np.int64), values[finite]
    if not len(apart):
        return Curve(values, values, values, np.zeros(0, dtype=bool))
    index = (apart + width // 2) // width
    found, inverse = np.unique(index, return_inverse=True)
    counts = np.bincount(inverse)
    begins = found * width - width // 2
    whole = (begins >= apart[0]) & (begins + width - 1 <= apart[-1])
    middle = np.asarray(begins + (width - 1) / 2, dtype=np.float64)
    return Curve(middle, np.bincount(inverse, values) / counts, counts.astype(np.float64), whole)


def over_runs(curves: Sequence[Curve], logarithmic: bool) -> tuple[Floats, Estimate]:
    """The mean of curves where all of them are, with a t interval over curves.

    Args:
        curves: at least one, on the same axis and of the same width.
        logarithmic: of the logarithms, so that the mean is the geometric one and its interval that of a factor.

    Returns:
        the places that every curve reaches over, and the estimate there; with fewer than `LEAST_RUNS` curves it has no
        interval.
    """
    shared = set.intersection(*(set(curve.places[curve.whole].tolist()) for curve in curves))
    places = np.array(sorted(shared), dtype=np.float64)
    values = np.array([curve.values[np.isin(curve.places, places)] for curve in curves])
    estimate = mean_estimate(np.log(values) if logarithmic else values)
    ends = [estimate.value, estimate.low, estimate.high]
    value, low, high = (np.exp(end) if logarithmic else end for end in ends)
    if len(curves) < LEAST_RUNS:
        low, high = np.full_like(value, np.nan), np.full_like(value, np.nan)
    return places, Estimate(value, low, high, estimate.p_value)


def spread(curves: Sequence[Curve], first: float, last: float) -> float:
    """By which factor positive curves differ: exp of the standard deviation of their logarithms, averaged over places.

    Args:
        curves: at least two, on the same axis and of the same width.
        first: the first place that counts.
        last: the last one.

    Returns:
        1 for curves that lie on each other; NaN where no place is in all of them.
    """
    shared = set.intersection(*(set(curve.places[curve.whole].tolist()) for curve in curves))
    places = [place for place in shared if first <= place <= last]
    if not places:
        return float("nan")
    values = np.array([curve.values[np.isin(curve.places, places)] for curve in curves])
    return float(np.exp(np.log(values).std(axis=0, ddof=1).mean()))
