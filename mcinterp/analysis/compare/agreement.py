"""How much of a model's answers other answers explain, over chosen places, with intervals over samples."""

from __future__ import annotations

import numpy as np

from mcinterp.analysis.statistics import Estimate, Floats, pooled_estimate


def mean_square(difference: Floats, weight: Floats) -> Estimate:
    """Mean square of differences over the places with weight 1.

    Args:
        difference: (…, n, pos).
        weight: (n, pos), 0 or 1.

    Returns:
        of shape (…).
    """
    return pooled_estimate(_sums(difference**2, weight), weight.sum(1))


def unexplained(predictions: Floats, answers: Floats, weight: Floats) -> Estimate:
    """Σ (prediction − answer)² / Σ prediction² over the places with weight 1: what the answers leave.

    The mean square is about 0, so that the answer 0 leaves 1 by definition; an answer that is worse than 0 leaves more
    than 1. It is a ratio of sums over samples, and its interval that of such ratios.

    Args:
        predictions: (n, pos).
        answers: (…, n, pos).
        weight: (n, pos), 0 or 1.

    Returns:
        of shape (…); NaN where every prediction is 0.
    """
    left = _sums((predictions - answers) ** 2, weight)
    return _share(left, _sums(predictions**2, weight))


def unexplained_difference(predictions: Floats, answers: Floats, others: Floats, weight: Floats) -> Estimate:
    """`unexplained` of `others` (…, n, pos) minus that of `answers` (n, pos), paired over samples; of shape (…)."""
    difference = _sums((predictions - others) ** 2 - (predictions - answers) ** 2, weight)
    return _share(difference, _sums(predictions**2, weight))


def best_scale(predictions: Floats, answers: Floats, weight: Floats) -> Floats:
    """The number by which each of the answers (…, n, pos) is multiplied to fit best, (…); 0 where all of them are 0."""
    squares = (answers**2 * weight).sum((-2, -1))
    products = (answers * predictions * weight).sum((-2, -1))
    return np.divide(products, squares, out=np.zeros_like(products), where=squares > 0)


def scaled(predictions: Floats, answers: Floats, weight: Floats) -> Floats:
    """The answers (…, n, pos) times their best scale."""
    return np.asarray(answers * best_scale(predictions, answers, weight)[..., None, None])


def correlation(x: Floats, y: Floats, weight: Floats) -> Estimate:
    """Pearson's correlation over the places with weight 1, with an interval over samples (delta method).

    With both variables standardised, its linearised residual is the sum over a sample's places of
    z_x z_y − ρ (z_x² + z_y²) / 2. The interval is cut at −1 and 1; there is no p-value.

    Args:
        x: (…, n, pos).
        y: (…, n, pos) or (n, pos).
        weight: (n, pos), 0 or 1.

    Returns:
        of shape (…); NaN where x or y is constant.
    """
    rho, residuals = _correlated(x, y, weight)
    spread = pooled_estimate(_sums(residuals, weight), weight.sum(1))
    nan = np.full_like(rho, np.nan)
    return Estimate(rho, np.maximum(rho + spread.low, -1.0), np.minimum(rho + spread.high, 1.0), nan)


def correlation_difference(x: Floats, y: Floats, other: Floats, weight: Floats) -> Estimate:
    """Pearson's correlation of x with y minus that of x with `other`, paired over samples.

    Args:
        x: (n, pos).
        y: (n, pos).
        other: (n, pos).
        weight: (n, pos), 0 or 1.

    Returns:
        a number; NaN where one of the three is constant.
    """
    (rho, residuals), (rho_other, residuals_other) = (_correlated(x, each, weight) for each in (y, other))
    spread = pooled_estimate(_sums(residuals - residuals_other, weight), weight.sum(1))
    apart = np.asarray(rho - rho_other)
    return Estimate(apart, apart + spread.low, apart + spread.high, np.full_like(apart, np.nan))


def _correlated(x: Floats, y: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """The correlation, and what each place adds to its error (delta method), of mean 0 over the places."""
    a, b = _standardised(x, weight), _standardised(y, weight)
    rho = np.asarray((a * b * weight).sum((-2, -1)) / weight.sum())
    return rho, a * b - rho[..., None, None] * (a**2 + b**2) / 2


def _standardised(values: Floats, weight: Floats) -> Floats:
    total = weight.sum()
    centred = values - (values * weight).sum((-2, -1), keepdims=True) / total
    variance = (centred**2 * weight).sum((-2, -1), keepdims=True) / total
    # Constant numbers have a variance of some rounding errors, not of 0.
    scale = np.abs(values * weight).max((-2, -1), keepdims=True)
    varies = variance > (1e-12 * scale) ** 2
    return np.divide(centred, np.sqrt(variance), out=np.full_like(centred, np.nan), where=varies)


def _sums(values: Floats, weight: Floats) -> Floats:
    """Sums over each sample's places, (n, …) from (…, n, pos): the samples come first, as estimates want them."""
    return np.moveaxis((values * weight).sum(-1), -1, 0)


def _share(parts: Floats, whole: Floats) -> Estimate:
    """Σ parts / Σ whole over samples, of (n, …) and (n,); NaN where the whole is 0."""
    if not whole.any():
        return Estimate(*(np.full(parts.shape[1:], np.nan) for _ in range(4)))
    return pooled_estimate(parts, whole)
