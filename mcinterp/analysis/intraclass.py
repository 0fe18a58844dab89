"""How much of what is answered is one number a sample: the intraclass correlation, with an interval over samples."""

from __future__ import annotations

import numpy as np

from mcinterp.analysis.statistics import Estimate, Floats, linearised_estimate


def intraclass_correlation(sums: Floats, squares: Floats, counts: Floats) -> Estimate:
    """Covariance of two different values of a sample over the variance of all: 1 where each sample has but one number.

    Of values that have nothing to do with each other within a sample it is 0, however few of them a sample has, which
    the share of the variance between the samples' means is not. Both are about the mean of all values, and a sample
    counts by its values; those of a single value have no pair and are left out.

    Args:
        sums: (n,), each sample's values added up.
        squares: (n,), their squares added up.
        counts: (n,), how many they are.

    Returns:
        a number, with the delta method's interval (the mean's own error has no part in it, to first order); NaN where
        all values are the same, or no sample has two.
    """
    several = counts > 1
    sums, squares, counts = sums[several], squares[several], counts[several]
    mean = sums.sum() / counts.sum() if len(counts) else 0.0
    apart = sums - mean * counts
    own = squares - 2 * mean * sums + mean**2 * counts
    # Equal values have a variance of some rounding errors, not of 0.
    if not own.sum() > 1e-12 * squares.sum():
        nan = np.asarray(np.nan)
        return Estimate(nan, nan, nan, nan)
    products = (apart**2 - own) / (counts - 1)
    value = products.sum() / own.sum()
    return linearised_estimate(np.asarray(value), (products - value * own) / own.sum())
