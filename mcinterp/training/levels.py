"""What a noisy curve is made of: its noise, its levels, its flat stretches and the decline that fits it best."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

N_BINS = 200
"""The curve is averaged into at most this many stretches of equally many points before it is looked at."""
FLATNESS = 0.05
"""A flat stretch stays within this fraction of its level."""
SURE = 3.5
"""… and within so many standard errors of what is averaged."""
FEW = 12
"""Fewer values than this do not tell how noisy they are."""
SMOOTHED = 5
"""So many neighbouring stretches are averaged to tell of a curve without a drop."""
LEAST_NOISE = 2e-3
"""No curve is taken to be less noisy than this, as a share of its level."""


@dataclass(frozen=True)
class Curve:
    """A curve in at most `N_BINS` stretches.

    Attributes:
        points: mean place of each stretch, increasing; shape (n,).
        values: mean of the curve over each, positive; shape (n,).
    """

    points: Floats
    values: Floats

    @classmethod
    def of(cls, points: Floats, values: Floats) -> Curve:
        """Average stretches of equally many points, so that any spacing of the axis will do."""
        bins = np.arange(len(points)) * min(N_BINS, len(points)) // len(points)
        counts = np.bincount(bins)
        return cls(np.bincount(bins, points) / counts, np.bincount(bins, values) / counts)

    def __len__(self) -> int:
        return len(self.points)

    @cached_property
    def logs(self) -> Floats:
        """Logarithms of the values."""
        return np.log(self.values)

    @cached_property
    def noise(self) -> float:
        """Standard deviation of a value's logarithm about its neighbours'."""
        return noise_of(self.logs)

    def noise_on(self, first: int, last: int) -> float:
        """The same of a stretch; of the whole curve where that has too few values to tell."""
        part = self.logs[first : last + 1]
        return noise_of(part) if len(part) >= FEW else self.noise


def noise_of(logs: Floats, differences: int = 1) -> float:
    """Standard deviation about a slowly varying level, from differences of neighbours, of which a few may be jumps.

    Args:
        logs: shape (n,).
        differences: 1, or 2 for those of the differences, to which a steady decline adds nothing.
    """
    # Four fifths of normal values are within 1.28 standard deviations; those of the differences are √2 and √6.
    scale = 1.2816 * np.sqrt((2, 6)[differences - 1])
    return max(float(np.quantile(np.abs(np.diff(logs, differences)), 0.8)) / scale, LEAST_NOISE)


def cuts_of(logs: Floats, noise: float) -> list[int]:
    """Where the best piecewise constant fit changes: first index of each piece, and the length at the end.

    It minimises the squared residuals plus a price for each piece of at least two values (optimal partitioning,
    Jackson et al. 2005; the price is twice that of the Bayesian information criterion with a level and a place each).
    """
    n, price = len(logs), 6 * np.log(len(logs)) * noise**2
    sums, squares = (np.concatenate([[0.0], np.cumsum(values)]) for values in (logs, logs**2))
    best, before = np.full(n + 1, np.inf), np.zeros(n + 1, dtype=int)
    best[0] = -price
    for end in range(2, n + 1):
        first = np.arange(end - 1)
        residual = squares[end] - squares[first] - (sums[end] - sums[first]) ** 2 / (end - first)
        total = best[first] + residual + price
        before[end] = int(total.argmin())
        best[end] = total[before[end]]
    cuts = [n]
    while cuts[-1]:
        cuts.append(int(before[cuts[-1]]))
    return cuts[::-1]


def declining(logs: Floats) -> tuple[Floats, Floats]:
    """The never rising curve that fits best, and how many values are averaged in each of its; shapes (n,)."""
    fit = isotonic_regression(logs, increasing=False)
    sizes = np.diff(fit.blocks)
    return fit.x, np.repeat(sizes, sizes).astype(np.float64)


def flat_stretches(fit: Floats, noise: float) -> tuple[Places, Places]:
    """First index of the longest flat stretch that ends at each, and last of that which begins there; shapes (n,).

    Args:
        fit: never rising, shape (n,).
        noise: of the values that it fits.
    """
    ends = np.arange(len(fit))
    longest, possible = np.ones(len(fit), dtype=np.intp), ends + 1
    # The longer a stretch, the more it falls and the less is allowed: bisect the lengths, for all ends at once.
    while (longest < possible).any():
        counts = (longest + possible + 1) // 2
        # The ends of a stretch of n values differ by chance as two means of about n/2 do, or less.
        allowed = 2 * FLATNESS + SURE * noise * np.sqrt(2 / counts)
        flat = fit[ends - counts + 1] - fit <= allowed
        longest, possible = np.where(flat, counts, longest), np.where(flat, possible, counts - 1)
    since = ends - longest + 1
    return since, np.searchsorted(since, ends, side="right") - 1


def longest_flat(curve: Curve) -> tuple[int, int] | None:
    """First and last index of the stretch longest within `FLATNESS`; None where all are under a 25th of the axis."""
    logs = smoothed(curve.logs)
    allowed = 2 * FLATNESS + 2 * SURE * curve.noise / np.sqrt(SMOOTHED)
    best, length = None, (curve.points[-1] - curve.points[0]) / 25
    for first in range(len(logs) - 2):
        span = np.maximum.accumulate(logs[first:]) - np.minimum.accumulate(logs[first:])
        last = first + int(np.searchsorted(span, allowed, side="right")) - 1
        if last > first + 1 and curve.points[last] - curve.points[first] > length:
            best, length = (first, last), curve.points[last] - curve.points[first]
    return best


def smoothed(values: Floats) -> Floats:
    """Mean of each value and its neighbours, `SMOOTHED` in all (fewer at the ends); shape (n,)."""
    window = np.ones(SMOOTHED)
    return np.convolve(values, window, "same") / np.convolve(np.ones_like(values), window, "same")
