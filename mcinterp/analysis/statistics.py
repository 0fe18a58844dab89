"""Estimates with 95 % intervals, paired over samples; every average of the passes is made here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from mcinterp.errors import InputError

CONFIDENCE = 0.95

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval, or an array of them.

    Attributes:
        value: the mean.
        low: lower end of the interval (NaN with fewer than two samples).
        high: upper end.
        p_value: of the two-sided t test that the mean is 0 (1 where every sample is exactly 0).
    """

    value: Floats
    low: Floats
    high: Floats
    p_value: Floats

    def columns(self, name: str, index: int | tuple[int, ...] | None = None) -> dict[str, float]:
        """`{name, name_low, name_high}` as table columns, of one element where there are several."""
        at = () if index is None else index
        return {
            name: float(self.value[at]),
            f"{name}_low": float(self.low[at]),
            f"{name}_high": float(self.high[at]),
        }


def interval_columns(name: str, meaning: str) -> dict[str, str]:
    """The declaration of an estimate's three columns."""
    return {name: meaning, f"{name}_low": f"{name}: lower end of the 95 % interval", f"{name}_high": "… upper end"}


def mean_estimate(values: Floats) -> Estimate:
    """The mean over samples with its t interval.

    Args:
        values: (n, …); one row a sample, NaN where a sample has nothing to average (it is left out).
    """
    values = np.asarray(values, dtype=np.float64)
    present = ~np.isnan(values)
    return pooled_estimate(np.where(present, values, 0.0), present.astype(np.float64))


class RunningMean:
    """The mean over samples with its t interval, as `mean_estimate` of all of them, from one part after the other."""

    def __init__(self) -> None:
        self._n = 0
        self._mean: Floats = np.zeros(())
        self._squares: Floats = np.zeros(())

    def add(self, values: Floats) -> None:
        """Take in samples (n, …), all finite."""
        values = np.asarray(values, dtype=np.float64)
        mean = values.mean(0)
        squares = np.square(values - mean).sum(0)
        # The sums of squares about two means, about the mean of both (Chan, Golub & LeVeque 1983).
        apart, n = mean - self._mean, self._n + len(values)
        self._squares = self._squares + squares + apart**2 * (self._n * len(values) / n)
        self._mean, self._n = self._mean + apart * (len(values) / n), n

    def estimate(self) -> Estimate:
        """Of all samples so far, at least 2."""
        error = np.sqrt(self._squares / (self._n - 1) / self._n)
        return _estimate(self._mean, error, self._n - 1)


def _estimate(value: Floats, error: Floats, freedom: Floats | int) -> Estimate:
    """A value with its standard error and degrees of freedom."""
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.abs(value) / error
    half = stats.t.ppf(0.5 + CONFIDENCE / 2, freedom) * error
    p_value = np.where(error == 0, np.where(value == 0, 1.0, 0.0), 2 * stats.t.sf(statistic, freedom))
    return Estimate(np.asarray(value), np.asarray(value - half), np.asarray(value + half), np.asarray(p_value))


def pooled_estimate(sums: Floats, counts: Floats) -> Estimate:
    """The mean over all parts of all samples, Σ sums / Σ counts, with an interval over samples.

    Samples differ in how many parts they have, so this is a ratio; its standard error is that of the linearised
    residuals sumsᵢ − ratio · countsᵢ (delta method), with t quantiles.

    Args:
        sums: (n, …), the sum of a quantity over a sample's parts; for a paired comparison, the difference of sums.
        counts: (n,) or (n, …), how many parts the sample has.
    """
    sums = np.asarray(sums, dtype=np.float64)
    counts = np.asarray(counts, dtype=np.float64)
    counts = np.broadcast_to(counts.reshape(counts.shape + (1,) * (sums.ndim - counts.ndim)), sums.shape)
    if sums.ndim == 0 or len(sums) == 0:
        raise InputError("an estimate needs at least one sample")
    total = counts.sum(0)
    n = (counts > 0).sum(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = sums.sum(0) / total
        residuals = np.where(counts > 0, sums - value * counts, 0.0)
        error = np.sqrt((residuals**2).sum(0) * n / (n - 1)) / total
    return _estimate(value, np.where(n > 1, error, np.nan), np.maximum(n - 1, 1))


def ratio_estimate(numerators: Floats, denominators: Floats) -> Estimate:
    """The ratio of two means over the same samples, Σ numerators / Σ denominators, of either sign.

    The interval is that of the linearised residuals (delta method), as in `pooled_estimate`. It means nothing where
    the denominator may be 0: there (its own interval holds 0) value and interval are NaN.

    Args:
        numerators: (n,).
        denominators: (n,), of the same samples.
    """
    numerators, denominators = (np.asarray(part, dtype=np.float64) for part in (numerators, denominators))
    below = mean_estimate(denominators)
    n, total = len(denominators), denominators.sum()
    if not (below.low > 0 or below.high < 0):
        nan = np.asarray(np.nan)
        return Estimate(nan, nan, nan, nan)
    value = numerators.sum() / total + 0.0  # no −0
    error = np.sqrt(((numerators - value * denominators) ** 2).sum() * n / (n - 1)) / abs(total)
    half = stats.t.ppf(0.5 + CONFIDENCE / 2, n - 1) * error
    p_value = 2 * stats.t.sf(abs(value) / error, n - 1) if error else float(value == 0)
    return Estimate(np.asarray(value), np.asarray(value - half), np.asarray(value + half), np.asarray(p_value))


def pooled_difference(sums: Floats, counts: Floats, other_sums: Floats, other_counts: Floats) -> Estimate:
    """Σ sums / Σ counts minus the same of another condition, with an interval over samples.

    Sample i of one condition stands beside sample i of the other, so that what they share (an input, say) leaves the
    interval; where they share nothing the interval is that of independent samples. With the same counts in both it is
    `pooled_estimate` of the differences.

    Args:
        sums: (n,), the sum of a quantity over a sample's parts.
        counts: (n,), what to divide by: how many parts the sample has, or the sum of another quantity over them.
        other_sums: (n,), of the other condition.
        other_counts: (n,), of the other condition.
    """
    first, second = _linearised(sums, counts), _linearised(other_sums, other_counts)
    n = int(((np.asarray(counts) > 0) | (np.asarray(other_counts) > 0)).sum())
    value = np.asarray(first[0] - second[0])
    if n < 2:
        nan = np.full_like(value, np.nan)
        return Estimate(value, nan, nan, nan)
    error = np.sqrt(((first[1] - second[1]) ** 2).sum() * n / (n - 1))
    half = stats.t.ppf(0.5 + CONFIDENCE / 2, n - 1) * error
    p_value = 2 * stats.t.sf(np.abs(value) / error, n - 1) if error > 0 else np.where(value == 0, 1.0, 0.0)
    return Estimate(value, value - half, value + half, np.asarray(p_value))


def _linearised(sums: Floats, counts: Floats) -> tuple[float, Floats]:
    """A ratio of totals, and what each sample adds to its error (delta method)."""
    sums, counts = np.asarray(sums, dtype=np.float64), np.asarray(counts, dtype=np.float64)
    total = counts.sum()
    if total <= 0:
        return float("nan"), np.full_like(sums, np.nan)
    ratio = float(sums.sum() / total)
    return ratio, (sums - ratio * counts) / total


def share_estimate(count: int, n: int) -> Estimate:
    """`count` of `n` independent samples, with the exact binomial interval (Clopper & Pearson 1934); no p-value.

    A t interval would be a point where all samples, or none, are so.
    """
    ends = stats.binomtest(count, n).proportion_ci(CONFIDENCE)
    return Estimate(*(np.asarray(float(part)) for part in (count / n, ends.low, ends.high, np.nan)))


def false_discovery(p_values: Floats) -> Floats:
    """Benjamini–Hochberg q-values of a family of tests; NaN stay NaN."""
    p_values = np.asarray(p_values, dtype=np.float64)
    q_values = np.full_like(p_values, np.nan)
    present = ~np.isnan(p_values)
    if present.any():
        q_values[present] = stats.false_discovery_control(p_values[present])
    return q_values
