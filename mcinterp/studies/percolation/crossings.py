"""When curves first come to a level, and what that is on average over networks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import uniform_filter1d

from mcinterp.analysis.statistics import Estimate, Floats, mean_estimate

WINDOW = 11
"""Steps that curves measured at every step are averaged over, around each."""
BETWEEN = 10
"""Steps between the points of curves that are kept."""


def first_crossing(steps: Sequence[int] | Floats, curve: Floats, level: float) -> float:
    """Where a curve first is at a level, straight between its points, after having been below it; NaN if it never is.

    The first time counts: reach falls again where pairs are learned by heart. Points without a value are left out.

    Args:
        steps: increasing, (n,).
        curve: (n,), NaN where it has no value.
        level: to be reached from below.
    """
    known = np.isfinite(curve)
    at, values = np.asarray(steps, dtype=np.float64)[known], np.asarray(curve)[known]
    over = np.flatnonzero((values[1:] >= level) & (values[:-1] < level))
    if not len(over):
        return float("nan")
    before = over[0]
    part = (level - values[before]) / (values[before + 1] - values[before])
    return float(at[before] + part * (at[before + 1] - at[before]))


def smoothed(curve: Floats, window: int = WINDOW) -> Floats:
    """A curve averaged over the `window` points around each, as far as there are any with a value; an odd number."""
    known = np.isfinite(curve)
    sums, counts = (
        uniform_filter1d(part, window, mode="constant") for part in (np.where(known, curve, 0.0), known.astype(float))
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(counts > 0.5 / window, sums / counts, np.nan))


MISSING = Estimate(*(np.asarray(np.nan),) * 4)
"""Where there is nothing to average."""


def over_networks(values: Sequence[float] | Floats) -> Estimate:
    """A mean over networks; missing where one has no value, as a mean of the others would leave the failures out."""
    found = np.asarray(values, dtype=np.float64)
    return mean_estimate(found) if len(found) and np.isfinite(found).all() else MISSING
