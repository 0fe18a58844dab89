"""The 95 % interval and p-value of an average of skewed samples: Student's t, its skewness taken out.

Squared errors are skewed, and so is the t statistic of their mean, the other way: a t interval of 256 of them ends too
low several times as often as it starts too high. Hall's transformation g takes the skewness out of the statistic, and
is monotone, so that it has a closed inverse and gives an interval without random numbers (Hall 1992, On the removal of
skewness by transformation, J. R. Statist. Soc. B 54):

    g(t) = t + a t² / 3 + a² t³ / 27 + a / 6,   a = skewness / √n.

The skewness is itself estimated, and its error goes with that of the mean. That costs coverage, to order 1/n,
(κ − 3/2 skewness²) x (1 + 2 x²) φ(x) / (3 n), κ the excess kurtosis (Hall 1988, Theoretical comparison of bootstrap
confidence intervals, Ann. Statist. 16): nothing where squares of normal numbers are averaged, and some where tails are
heavier. Fewer degrees of freedom make up for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

CONFIDENCE = 0.95
FEWEST = 8
"""Of fewer samples the skewness says nothing, and the interval is Student's."""

Floats = NDArray[np.float64]

_X2 = float(stats.norm.ppf(0.5 + CONFIDENCE / 2)) ** 2
# Lowering 1/ν by c/n moves a t quantile x by c x (x² + 1) / (4 n); the lost coverage wants x (1 + 2 x²) / (6 n).
_PER_KURTOSIS = 2 * (1 + 2 * _X2) / (3 * (1 + _X2))


@dataclass(frozen=True)
class Spread:
    """How far an average may be from the truth.

    Attributes:
        error: its standard error; NaN where it cannot be told, as of one sample.
        asymmetry: a of the transformation, the third moment of the error over its second to the power 3/2.
        freedom: degrees of freedom of the t statistic.
    """

    error: Floats
    asymmetry: Floats
    freedom: Floats

    def interval(self, value: Floats) -> tuple[Floats, Floats]:
        """Lower and upper end of the average's interval; both are the average where there is no error."""
        quantile = stats.t.ppf(0.5 + CONFIDENCE / 2, self.freedom)
        return (
            np.asarray(value - self.error * _untransformed(quantile, self.asymmetry)),
            np.asarray(value - self.error * _untransformed(-quantile, self.asymmetry)),
        )

    def p_value(self, value: Floats) -> Floats:
        """Of the two-sided test that the average is 0 in truth; below 0.05 just where the interval leaves 0 out."""
        with np.errstate(divide="ignore", invalid="ignore"):
            statistic = np.abs(_transformed(value / self.error, self.asymmetry))
            tested = 2 * stats.t.sf(statistic, self.freedom)
        return np.asarray(np.where(self.error == 0, np.where(np.asarray(value) == 0, 1.0, 0.0), tested))


@dataclass(frozen=True)
class Residuals:
    """What samples add to the error of an average: how many there are, and sums of powers.

    Attributes:
        n: samples that count, of the shape of the average, or one number.
        squares, cubes, fourths: summed over samples.
    """

    n: NDArray[np.int64] | int
    squares: Floats
    cubes: Floats
    fourths: Floats

    @classmethod
    def of(cls, residuals: Floats, n: NDArray[np.int64] | int) -> Residuals:
        """Of residuals (n, …) about 0, whose sum is the error; those of samples that don't count are 0."""
        squares = residuals**2
        return cls(
            n,
            np.asarray(squares.sum(0)),
            np.asarray(np.einsum("i...,i...->...", squares, residuals)),
            np.asarray(np.einsum("i...,i...->...", squares, squares)),
        )

    @property
    def spread(self) -> Spread:
        """Of the average over these samples, independent of each other."""
        n = np.asarray(self.n, dtype=np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            error = np.where(n > 1, np.sqrt(self.squares * n / (n - 1)), np.nan)
            asymmetry = _told(self.cubes / self.squares**1.5, n)
            heavy = np.maximum(_told(n * self.fourths / self.squares**2 - 3, n) - 1.5 * n * asymmetry**2, 0.0)
        return Spread(error, asymmetry, np.maximum(n - 1, 1) / (1 + _PER_KURTOSIS * heavy))


def crossed(inputs: Residuals, interventions: Residuals, both: Floats) -> Spread:
    """Of an average over all pairs of two samples that are crossed, as of inputs and interventions on each of them.

    The variance is that of the inputs' averages, and of the interventions', less what is in both: that of what is left
    when either is taken out (Owen 2007, The pigeonhole bootstrap, Ann. Appl. Stat. 1; degrees of freedom of
    Satterthwaite 1946).

    Args:
        inputs: what each input adds to the error, under all interventions.
        interventions: what each intervention adds, on all inputs.
        both: the variance that is in both.
    """
    first, second = inputs.spread, interventions.spread
    own = np.maximum(second.error**2 - both, 0.0)
    variance = first.error**2 + own
    with np.errstate(divide="ignore", invalid="ignore"):
        cubes = first.asymmetry * first.error**3 + second.asymmetry * own**1.5
        asymmetry = np.nan_to_num(cubes / variance**1.5, nan=0.0)
        freedom = variance**2 / (first.error**4 / first.freedom + own**2 / second.freedom)
    return Spread(np.sqrt(variance), asymmetry, np.where(variance == 0, first.freedom, freedom))


def _told(moment: Floats, n: Floats) -> Floats:
    """A standardised moment, 0 where there are too few samples or all are the same."""
    return np.asarray(np.where((n < FEWEST) | ~np.isfinite(moment), 0.0, moment))


def _transformed(t: Floats, a: Floats) -> Floats:
    return np.asarray(t + a * t**2 / 3 + a**2 * t**3 / 27 + a / 6)


def _untransformed(u: Floats, a: Floats) -> Floats:
    """The t with g(t) = u: 3 (∛(1 + a (u − a/6)) − 1) / a, written so that a may be 0."""
    root = np.cbrt(1 + a * (u - a / 6))
    return np.asarray(3 * (u - a / 6) / (root**2 + root + 1))
