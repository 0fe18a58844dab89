"""Estimates and intervals from their definition, for any statistic of samples that can be weighted: judges of tables.

The 95 % interval of a statistic T of n samples is T − t(±q) · s / √n, where s is the standard deviation of the samples'
influences, n · ∂T/∂wᵢ at weights of 1: what the delta method gives, here by numerical differentiation. t(q) is Hall's
inverse transformation of a quantile of Student's t, by the influences' skewness and kurtosis.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from scipy import stats

Columns = dict[str, float]
Statistic = Callable[[np.ndarray], float]
"""From the weight of every sample, (n,), to a number; the same for weights that are all twice as large."""
STEP = 1e-4


def estimate(statistic: Statistic, used: np.ndarray) -> tuple[float, float, float, float]:
    """Value, ends of the interval, and p-value of the t test that it is 0; `used` (n,) says which samples have any."""
    n, ones = int(used.sum()), np.ones(len(used))
    value = statistic(ones)
    if n < 2 or not np.isfinite(value):
        return value, np.nan, np.nan, np.nan
    slopes = []
    for sample in np.flatnonzero(used):
        up, down = ones.copy(), ones.copy()
        up[sample], down[sample] = 1 + STEP, 1 - STEP
        slopes.append((statistic(up) - statistic(down)) / (2 * STEP))
    influences = n * np.array(slopes)
    influences[np.abs(influences) < 1e-11 * max(1.0, abs(value))] = 0.0  # rounding of the differences
    low, high = interval(value, influences)
    return value, low, high, p_value(value, influences)


def shape(influences: np.ndarray) -> tuple[float, float, float]:
    """Standard error, skewness over √n, and degrees of freedom, of influences (n,) of mean 0."""
    n = len(influences)
    error = float(np.sqrt((influences**2).sum() / (n - 1) / n))
    if n < 8 or not error:
        return error, 0.0, n - 1
    moments = [float((influences**power).mean()) for power in (2, 3, 4)]
    skewness, excess = moments[1] / moments[0] ** 1.5, moments[2] / moments[0] ** 2 - 3
    z2 = stats.norm.ppf(0.975) ** 2
    share = 4 * (1 + 2 * z2) / (6 * (1 + z2)) * max(excess - 1.5 * skewness**2, 0.0)
    return error, skewness / np.sqrt(n), (n - 1) / (1 + share)


def interval(value: float, influences: np.ndarray) -> tuple[float, float]:
    """Ends of the interval of a value with these influences (n,) of mean 0."""
    return ends(value, *shape(influences))


def ends(value: float, error: float, a: float, freedom: float) -> tuple[float, float]:
    """Of the interval of a value with a standard error, skewness over √n, and degrees of freedom."""
    quantile = stats.t.ppf(0.975, freedom)
    t = [u if abs(a) < 1e-9 else 3 / a * (np.cbrt(1 + a * (u - a / 6)) - 1) for u in (quantile, -quantile)]
    return value - t[0] * error, value - t[1] * error


def p_value(value: float, influences: np.ndarray) -> float:
    """Of the two-sided test that the value is 0 in truth."""
    error, a, freedom = shape(influences)
    if not error:
        return float(value == 0)
    t = value / error
    return float(2 * stats.t.sf(abs(t + a * t**2 / 3 + a**2 * t**3 / 27 + a / 6), freedom))


def columns(name: str, statistic: Statistic, used: np.ndarray) -> Columns:
    """The three columns of an estimate."""
    return dict(zip((name, f"{name}_low", f"{name}_high"), estimate(statistic, used)[:3], strict=True))


def ratio(sums: np.ndarray, counts: np.ndarray) -> Statistic:
    """Σ sums / Σ counts; NaN where there is nothing to divide by."""

    def statistic(weights: np.ndarray) -> float:
        below = float(weights @ counts)
        return float(weights @ sums) / below if below else np.nan

    return statistic


def pooled(name: str, sums: np.ndarray, counts: np.ndarray) -> Columns:
    """The columns of Σ sums / Σ counts over samples."""
    return columns(name, ratio(np.asarray(sums, float), np.asarray(counts, float)), np.asarray(counts) > 0)


def mean(name: str, values: Sequence[float] | np.ndarray) -> Columns:
    """The columns of a mean over samples, with its interval; NaN where a sample has no value."""
    values = np.asarray(values, float)
    values = values[~np.isnan(values)]
    if len(values) < 2 or np.ptp(values) == 0:
        value = values.mean() if len(values) else np.nan
        end = value if len(values) > 1 else np.nan
        return {name: value, f"{name}_low": end, f"{name}_high": end}
    low, high = interval(values.mean(), values - values.mean())
    return {name: values.mean(), f"{name}_low": low, f"{name}_high": high}


@dataclass(frozen=True)
class Errors:
    """Squared errors summed over some entries of each sample, and how many they are: (n,) each."""

    sums: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, outputs: Sequence[np.ndarray] | np.ndarray, targets: np.ndarray, where: np.ndarray) -> Errors:
        """Errors of answers to targets over the entries that `where` picks, (n, entries) each."""
        squares = (np.asarray(outputs, float) - np.asarray(targets, float)) ** 2
        sums = [row[chosen].sum() for row, chosen in zip(squares, where, strict=True)]
        return cls(np.array(sums), np.array([chosen.sum() for chosen in where], float))

    @classmethod
    def averaged(cls, several: Sequence[Errors]) -> Errors:
        """Each sample's mean over several answers to it."""
        return cls(np.mean([each.sums for each in several], axis=0), several[0].counts)

    @property
    def mse(self) -> float:
        """Over all samples together."""
        return ratio(self.sums, self.counts)(np.ones(len(self.sums)))

    def columns(self, name: str) -> Columns:
        """Of the mean squared error."""
        return pooled(name, self.sums, self.counts)

    def minus(self, name: str, other: Errors) -> Columns:
        """Of this mean squared error minus another on the same samples."""
        return pooled(name, self.sums - other.sums, self.counts)


def assert_table(
    frame: pd.DataFrame, rows: Sequence[Mapping[str, object]], rel: float = 1e-4, tiny: float = 1e-5
) -> None:
    """Every cell of every column is the expected one: numbers nearly, the rest exactly.

    Ends of intervals less nearly: of few samples they may hang on their skewness by a cube root near 0.
    """
    assert len(frame) == len(rows)
    assert len(rows) > 0
    assert set(frame.columns) == set(rows[0])
    for column in frame.columns:
        for index, row in enumerate(rows):
            found, wanted = frame[column].iloc[index], row[column]
            about = (column, index, {k: v for k, v in row.items() if isinstance(v, str)})
            if isinstance(wanted, (float, np.floating)):
                nearly = max(rel, 1e-2) if column.endswith(("_low", "_high")) else rel
                assert float(found) == pytest.approx(float(wanted), rel=nearly, abs=tiny, nan_ok=True), about
            else:
                assert found == wanted, about
