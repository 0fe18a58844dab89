"""Numbers for what pictures of embeddings show: groups of points, order along an axis, likeness of two sets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from mcinterp.analysis.statistics import CONFIDENCE, Estimate, Floats
from mcinterp.errors import InputError


def rank_correlation(x: ArrayLike, y: ArrayLike) -> Estimate:
    """Spearman's ρ with the Fisher-z interval of Bonett and Wright (2000), variance (1 + ρ²/2)/(n − 3).

    NaN for fewer than four points or a constant variable.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    nan = np.asarray(np.nan)
    if len(x) < 4 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return Estimate(nan, nan, nan, nan)
    found = stats.spearmanr(x, y)
    rho = float(np.clip(found.statistic, -1, 1))
    half = stats.norm.ppf(0.5 + CONFIDENCE / 2) * np.sqrt((1 + rho**2 / 2) / (len(x) - 3))
    with np.errstate(divide="ignore"):
        centre = np.arctanh(rho)
    low, high = np.tanh(centre - half), np.tanh(centre + half)
    return Estimate(np.asarray(rho), np.asarray(low), np.asarray(high), np.asarray(found.pvalue))


def linear_cka(x: Floats, y: Floats) -> float:
    """Linear centred kernel alignment of two sets of the same points, (n, d) and (n, e): 1 up to rotation and scale.

    Made of unbiased estimates, so that it is 0 in the mean for unrelated sets, however few the points and many the
    dimensions; it may be slightly negative. NaN for fewer than four points, or where all points of one set are the
    same. Sources: Kornblith et al. 2019, arXiv 1905.00414; Song et al. 2012 (JMLR 13), for the estimates.
    """
    if len(x) < 4:
        return float("nan")
    x, y = x - x.mean(0), y - y.mean(0)
    scale = _unbiased_hsic(x, x) * _unbiased_hsic(y, y)
    return float(_unbiased_hsic(x, y) / np.sqrt(scale)) if scale > 0 else float("nan")


def _unbiased_hsic(x: Floats, y: Floats) -> float:
    """The unbiased estimate of the Hilbert–Schmidt independence criterion with linear kernels."""
    n = len(x)
    K, L = x @ x.T, y @ y.T
    np.fill_diagonal(K, 0.0)
    np.fill_diagonal(L, 0.0)
    together = (K * L).sum() + K.sum() * L.sum() / ((n - 1) * (n - 2)) - 2 * K.sum(0) @ L.sum(0) / (n - 2)
    return float(together / (n * (n - 3)))


def variance_explained(points: Floats, labels: ArrayLike) -> float:
    """Share of the points' scatter (n, d) that lies between the groups that `labels` (n,) names: η², 0 to 1."""
    labels = np.asarray(labels)
    centred = points - points.mean(0)
    total = (centred**2).sum()
    means = np.stack([centred[labels == label].mean(0) for label in np.unique(labels)])
    sizes = np.array([(labels == label).sum() for label in np.unique(labels)])
    return float((sizes[:, None] * means**2).sum() / total) if total > 0 else float("nan")


def silhouette(points: Floats, labels: ArrayLike) -> float:
    """Mean silhouette of the points (n, d) under `labels` (n,), Euclidean; NaN for one group or one point a group."""
    from sklearn.metrics import silhouette_score

    groups = len(np.unique(np.asarray(labels)))
    return float(silhouette_score(points, labels)) if 2 <= groups < len(points) else float("nan")


@dataclass(frozen=True)
class Grouping:
    """How strongly points are grouped by labels, against the same labels dealt at random.

    Attributes:
        silhouette, explained: of the labels; η² for `explained`.
        silhouette_shuffled, explained_shuffled: means over the shuffles.
        silhouette_top, explained_top: 97.5 % quantiles of the shuffles.
        p_value: of η²: share of shuffles (and the labels themselves) that reach it; the silhouette decides nothing.
        shuffles: how many.
    """

    silhouette: float
    silhouette_shuffled: float
    silhouette_top: float
    explained: float
    explained_shuffled: float
    explained_top: float
    p_value: float
    shuffles: int


def grouping(points: Floats, labels: ArrayLike, shuffles: int, seed: int) -> Grouping:
    """Compare the grouping of points (n, d) by labels (n,) with that by shuffled labels.

    Raises:
        InputError: if there is not one label a point.
    """
    labels = np.asarray(labels)
    if len(labels) != len(points):
        raise InputError(f"grouping: {len(points)} points but {len(labels)} labels")
    generator = np.random.default_rng(seed)
    dealt = [generator.permutation(labels) for _ in range(shuffles)]
    explained, silhouettes = variance_explained(points, labels), silhouette(points, labels)
    explained_null = np.array([variance_explained(points, other) for other in dealt])
    silhouette_null = np.array([silhouette(points, other) for other in dealt])
    return Grouping(
        silhouettes,
        float(silhouette_null.mean()),
        float(np.quantile(silhouette_null, 0.975)),
        explained,
        float(explained_null.mean()),
        float(np.quantile(explained_null, 0.975)),
        # Equal groupings of other labels count as reached, whatever rounding does to them.
        float((1 + (explained_null >= explained - 1e-12).sum()) / (1 + shuffles)),
        shuffles,
    )
