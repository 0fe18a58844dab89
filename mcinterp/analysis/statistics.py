"""Estimates with 95 % intervals, paired over samples; every average of the passes is made here.

Intervals are those of `skewed_t`, which `benchmarks/interval_coverage.py` tries on the shipped runs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from mcinterp.analysis.skewed_t import CONFIDENCE as CONFIDENCE
from mcinterp.analysis.skewed_t import Floats as Floats
from mcinterp.analysis.skewed_t import Residuals, Spread, crossed
from mcinterp.errors import InputError


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval, or an array of them.

    Attributes:
        value: the mean.
        low: lower end of the interval (NaN with fewer than two samples).
        high: upper end.
        p_value: of the two-sided test that the mean is 0 (1 where every sample is exactly 0).
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
    """The mean over samples with its interval, as `mean_estimate` of all of them, from one part after the other."""

    def __init__(self) -> None:
        self._n = 0
        self._mean: Floats = np.zeros(())
        self._about_mean = Residuals(0, np.zeros(()), np.zeros(()), np.zeros(()))

    def add(self, values: Floats) -> None:
        """Take in samples (n, …), all finite."""
        values = np.asarray(values, dtype=np.float64)
        mean, n = values.mean(0), self._n + len(values)
        apart = mean - self._mean
        self._about_mean = _joined(self._about_mean, Residuals.of(values - mean, len(values)), apart)
        self._mean, self._n = self._mean + apart * (len(values) / n), n

    @property
    def mean(self) -> Floats:
        """Of all samples so far."""
        return self._mean

    def interval(self) -> tuple[Floats, Floats]:
        """The ends of the mean's interval, without the test, which takes as long."""
        return self._residuals.spread.interval(self._mean)

    def estimate(self) -> Estimate:
        """Of all samples so far, at least 2."""
        return _estimate(self._mean, self._residuals)

    @property
    def _residuals(self) -> Residuals:
        sums, n = self._about_mean, self._n
        return Residuals(n, sums.squares / n**2, sums.cubes / n**3, sums.fourths / n**4)


def _joined(a: Residuals, b: Residuals, apart: Floats) -> Residuals:
    """Sums of powers about the means of two parts, which are `apart`, about the mean of both.

    Source: Pébay 2008, Formulas for robust, one-pass parallel computation of covariances and arbitrary-order moments.
    """
    n, step = a.n + b.n, apart**2
    q, p, between = a.n / n, b.n / n, a.n * b.n / n
    squares = a.squares + b.squares + step * between
    cubes = a.cubes + b.cubes + apart * (step * between * (q - p) + 3 * (q * b.squares - p * a.squares))
    fourths = a.fourths + b.fourths + step**2 * between * (q * q - q * p + p * p)
    fourths += 6 * step * (q * q * b.squares + p * p * a.squares) + 4 * apart * (q * b.cubes - p * a.cubes)
    return Residuals(n, squares, cubes, fourths)


def _estimate(value: Floats, residuals: Residuals) -> Estimate:
    return _of_spread(value, residuals.spread)


def _of_spread(value: Floats, spread: Spread) -> Estimate:
    return Estimate(np.asarray(value), *spread.interval(value), spread.p_value(value))


def linearised_estimate(value: Floats, residuals: Floats) -> Estimate:
    """An estimate of any smooth function of averages over the samples, from what each of them adds to its error.

    That is its influence over n (delta method, or infinitesimal jackknife). A score whose mean over samples is taken,
    and that is itself measured against an average over the same samples, has both in it: scoreᵢ − mean score, and
    the mean score's derivative in the average times by how much sample i is away from it.

    Args:
        value: the estimate, of shape (…).
        residuals: (n, …), of mean 0.
    """
    residuals = np.asarray(residuals, dtype=np.float64)
    return _estimate(np.asarray(value, dtype=np.float64), Residuals.of(residuals, len(residuals)))


def pooled_estimate(sums: Floats, counts: Floats) -> Estimate:
    """The mean over all parts of all samples, Σ sums / Σ counts, with an interval over samples.

    Samples differ in how many parts they have, so this is a ratio; its interval is that of the linearised residuals
    sumsᵢ − ratio · countsᵢ (delta method).

    Args:
        sums: (n, …), the sum of a quantity over a sample's parts; for a paired comparison, the difference of sums.
        counts: (n,) or (n, …), how many parts the sample has.
    """
    sums = np.asarray(sums, dtype=np.float64)
    counts = np.asarray(counts, dtype=np.float64)
    if sums.ndim == 0 or len(sums) == 0:
        raise InputError("an estimate needs at least one sample")
    counts = np.broadcast_to(counts.reshape(counts.shape + (1,) * (sums.ndim - counts.ndim)), sums.shape)
    value, residuals = _linearised(sums, counts)
    return _estimate(value, Residuals.of(np.where(counts > 0, residuals, 0.0), (counts > 0).sum(0)))


def crossed_estimate(sums: Floats, counts: Floats) -> Estimate:
    """The mean over all parts of all samples and over several interventions, each on every sample.

    Interventions are a sample as the inputs are: the interval is for the mean over all that might have been drawn of
    both.

    Args:
        sums: (n, k), the sum of a quantity over the parts of each sample under each intervention; the interval is NaN
            where k is 1.
        counts: (n,), how many parts the sample has.
    """
    sums, counts = np.asarray(sums, dtype=np.float64), np.asarray(counts, dtype=np.float64)
    n, k, total = int((counts > 0).sum()), sums.shape[1], counts.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.asarray(sums.mean(1).sum() / total)
        each = (sums - value * counts[:, None]) / (k * total)
        own, others = each.sum(1), each.sum(0)
        left = each - own[:, None] / k - others * (counts > 0)[:, None] / np.float64(n)
        both = np.square(left).sum() * np.divide(n * k, (n - 1) * (k - 1))
    return _of_spread(value, crossed(Residuals.of(own, n), Residuals.of(others, k), both))


def ratio_estimate(numerators: Floats, denominators: Floats) -> Estimate:
    """The ratio of two means over the same samples, Σ numerators / Σ denominators, of either sign.

    The interval is that of the linearised residuals (delta method), as in `pooled_estimate`: it carries the
    denominator's error. It means nothing where the denominator may be 0: there (its own interval holds 0) value and
    interval are NaN.

    Args:
        numerators: (n,).
        denominators: (n,), of the same samples.
    """
    numerators, denominators = (np.asarray(part, dtype=np.float64) for part in (numerators, denominators))
    below = mean_estimate(denominators)
    if not (below.low > 0 or below.high < 0):
        nan = np.asarray(np.nan)
        return Estimate(nan, nan, nan, nan)
    value, residuals = _linearised(numerators, denominators)
    return linearised_estimate(value + 0.0, residuals)  # no −0


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
    counts, other_counts = np.asarray(counts, dtype=np.float64), np.asarray(other_counts, dtype=np.float64)
    first, second = _linearised(sums, counts), _linearised(other_sums, other_counts)
    counted = (counts > 0) | (other_counts > 0)
    residuals = np.where(counted, first[1] - second[1], 0.0)
    return _estimate(np.asarray(first[0] - second[0]), Residuals.of(residuals, counted.sum(0)))


def _linearised(sums: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """A ratio of totals, and what each sample adds to its error (delta method); NaN of nothing."""
    sums, counts = np.asarray(sums, dtype=np.float64), np.asarray(counts, dtype=np.float64)
    total = counts.sum(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = sums.sum(0) / total
        return np.asarray(ratio), (sums - ratio * counts) / total


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
