"""How much of what is answered is one number a sample: the intraclass correlation, with an interval over samples."""

from __future__ import annotations

import numpy as np

from mcinterp.analysis.statistics import Estimate, Floats, linearised_estimate


def intraclass_correlation(sums: Floats, squares: Floats, counts: Floats) -> Estimate:
    """Covariance of two different values of a sample over the variance of all values: 1 where each has but one number.

    Of values that have nothing to do with each other within a sample it is 0, however few of them a sample has, which
    the share of the variance between the samples' means is not. Both are about the mean of all values; a sample of k
    values has k (k − 1) pairs. The interval is the delta method's, in the mean too.

    Args:
        sums: (n,), each sample's values added up.
        squares: (n,), their squares added up.
        counts: (n,), how many they are; samples of one have no pair.

    Returns:
        a number; NaN where all values are the same, or no sample has two.
    """
    total, pairs = counts.sum(), counts * (counts - 1)
    mean = sums.sum() / total if total else np.nan
    apart = sums - mean * counts
    own = squares - 2 * mean * sums + mean**2 * counts
    variance = own.sum() / total if total else np.nan
    if not (pairs.any() and variance > 1e-12 * mean**2 + 1e-30):
        nan = np.asarray(np.nan)
        return Estimate(nan, nan, nan, nan)
    products = apart**2 - own
    covariance = products.sum() / pairs.sum()
    value = covariance / variance
    slope = -2 * ((counts - 1) * apart).sum() / pairs.sum()
    of_covariance = (products - covariance * pairs) / pairs.sum() + slope * apart / total
    of_variance = (own - variance * counts) / total
    residuals = (of_covariance - value * of_variance) / variance
    return linearised_estimate(np.asarray(value), residuals[counts > 0])
