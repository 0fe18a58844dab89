"""Numbers for what pictures of embeddings show: groups of points, order along an axis, likeness of two sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from mcinterp.analysis.statistics import CONFIDENCE, Floats
from mcinterp.errors import InputError


def rank_correlation(x: ArrayLike, y: ArrayLike) -> float:
    """Spearman's ρ; NaN for fewer than four points or a constant variable."""
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if len(x) < 4 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    return float(np.clip(stats.spearmanr(x, y).statistic, -1, 1))


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
    centred = points - points.mean(0)
    total = (centred**2).sum()
    return float(_between(centred, _indicators(labels)) / total) if total > 0 else float("nan")


def _indicators(labels: ArrayLike) -> Floats:
    """Which group each point is in, 0 or 1, (n, group)."""
    names, group = np.unique(np.asarray(labels), return_inverse=True)
    return np.eye(len(names))[group]


def _between(centred: Floats, indicators: Floats) -> Floats:
    """Scatter of the groups' means of centred points (n, d), by one or many groupings (…, n, group)."""
    sums = np.swapaxes(indicators, -1, -2) @ centred
    return np.asarray(((sums**2).sum(-1) / indicators.sum(-2)).sum(-1))


def silhouette(points: Floats, labels: ArrayLike) -> float:
    """Mean silhouette of the points (n, d) under `labels` (n,), Euclidean; NaN for one group or one point a group."""
    from sklearn.metrics import silhouette_score

    groups = len(np.unique(np.asarray(labels)))
    return float(silhouette_score(points, labels)) if 2 <= groups < len(points) else float("nan")


SILHOUETTES = 50
"""So many of the shuffles are also given a silhouette, which decides nothing."""


@dataclass(frozen=True)
class Grouping:
    """How strongly points are grouped by labels, against the same labels dealt at random.

    Attributes:
        silhouette, explained: of the labels; η² for `explained`.
        silhouette_shuffled, explained_shuffled: means over the shuffles.
        silhouette_top, explained_top: 97.5 % quantiles of the shuffles.
        excess, excess_low, excess_high: `explained` less its mean over shuffles: 0 in the mean without groups; with a
            95 % interval.
        detectable: the smallest excess that would be told from 0 in four of five cases.
        p_value: of η²: share of shuffles (and the labels themselves) that reach it.
        shuffles: how many.
    """

    silhouette: float
    silhouette_shuffled: float
    silhouette_top: float
    explained: float
    explained_shuffled: float
    explained_top: float
    excess: float
    excess_low: float
    excess_high: float
    detectable: float
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
    dealt = generator.permuted(np.tile(labels, (shuffles, 1)), axis=1)
    explained, null = variance_explained(points, labels), _shuffled(points, dealt)
    silhouettes = np.array([silhouette(points, other) for other in dealt[:SILHOUETTES]])
    excess = explained - float(null.mean())
    return Grouping(
        silhouette(points, labels),
        float(silhouettes.mean()),
        float(np.quantile(silhouettes, 0.975)),
        explained,
        float(null.mean()),
        float(np.quantile(null, 0.975)),
        excess,
        *_excess_interval(points, labels, dealt, excess, float(null.mean())),
        float(np.quantile(null, 0.975) - np.quantile(null, 0.2)),
        # Equal groupings of other labels count as reached, whatever rounding does to them.
        float((1 + (null >= explained - 1e-12).sum()) / (1 + shuffles)),
        shuffles,
    )


def _shuffled(points: Floats, dealt: NDArray[Any]) -> Floats:
    """η² under each dealing of the labels, (shuffle, n)."""
    centred = points - points.mean(0)
    total = (centred**2).sum()
    return _between(centred, _dealt_indicators(dealt)) / total if total > 0 else np.full(len(dealt), np.nan)


def _dealt_indicators(dealt: NDArray[Any]) -> Floats:
    """`_indicators` of each dealing, (shuffle, n, group)."""
    return (dealt[..., None] == np.unique(dealt)).astype(np.float64)


def _excess_interval(
    points: Floats, labels: NDArray[Any], dealt: NDArray[Any], excess: float, null: float
) -> tuple[float, float]:
    """The 95 % interval of η² less its mean over shuffles.

    Groups as far apart as they seem to be, `excess` of the scatter beyond chance, are given the points' distances from
    their groups' means in shuffled order; the spread of η² over these is that of the estimate (a basic bootstrap over
    permuted residuals, as there is one set of points and no second draw).
    """
    own, centred = _indicators(labels), points - points.mean(0)
    total = (centred**2).sum()
    fitted = own @ (own.T @ centred / own.sum(0)[:, None])
    share = min(max(excess, 0.0) / (1 - null), 1.0) if null < 1 else np.nan
    signal = _scaled(fitted, share * total)
    rest = _scaled(centred - fitted, (1 - share) * total)
    sums = np.swapaxes(_dealt_indicators(dealt), -1, -2) @ rest
    groups = own.T @ signal
    between = (((groups + sums) ** 2).sum(-1) / own.sum(0)).sum(-1)
    whole = total + 2 * (groups / own.sum(0)[:, None] * sums).sum((-1, -2))
    spread = between / whole - (between / whole).mean()
    tail = (1 - CONFIDENCE) / 2
    return excess - float(np.quantile(spread, 1 - tail)), excess - float(np.quantile(spread, tail))


def _scaled(points: Floats, scatter: float) -> Floats:
    """The points with another sum of squares; as they are where they have none."""
    own = (points**2).sum()
    return points * np.sqrt(scatter / own) if own > 0 else points
