"""What pictures of token embeddings are read for: norms alike for ±v, signs apart, magnitudes in order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcinterp.analysis.passes.geometry import rank_correlation
from mcinterp.analysis.statistics import Floats

NAN = float("nan")
STRUCTURE = {
    "norm_symmetry": "agreement (intraclass correlation) of the norms of the embeddings of v and −v: 1 where they are "
    "the same, 0 where they have nothing to do with each other",
    "sign_separable": "share of negative and of positive values, averaged, on their side of the line that best parts "
    "them in the plane of the components (linear discriminant): 1 where signs are apart, ½ by chance",
    "magnitude_order": "rank correlation of |v| with the direction of that plane along which |v| grows (least squares)",
    "continuity": "how near values of one sign that are neighbours in size lie in that plane: 1 − half the mean square "
    "distance of neighbours over the variance (von Neumann's ratio); 1 on a smooth curve, 0 in random order",
}
"""Each measure and its meaning; all are of a whole vocabulary, so that nothing is sampled."""


@dataclass(frozen=True)
class TokenStructure:
    """The measures of `STRUCTURE`; NaN where values of one sign or magnitude are too few."""

    norm_symmetry: float
    sign_separable: float
    magnitude_order: float
    continuity: float


def token_structure(tokens: Floats, values: Floats, plane: Floats) -> TokenStructure:
    """Measure the embeddings of tokens of numbers.

    Args:
        tokens: embeddings, (token, d_model).
        values: of the tokens, increasing and different, (token,).
        plane: the embeddings' coordinates on two components, (token, 2).
    """
    norms = np.linalg.norm(tokens, axis=1)
    return TokenStructure(
        norm_symmetry(norms, values),
        sign_separable(plane, values),
        magnitude_order(plane, values),
        continuity(plane, values),
    )


def norm_symmetry(norms: Floats, values: Floats) -> float:
    """Intraclass correlation of the norms of v and −v, over all v > 0 of which both occur (Fisher 1925)."""
    scale = np.abs(values).max(initial=0.0)
    at = {round(float(value) / scale, 6): norm for value, norm in zip(values, norms, strict=True)} if scale else {}
    pairs = np.array([(norm, at[-value]) for value, norm in at.items() if value > 0 and -value in at])
    if len(pairs) < 2 or not np.ptp(pairs):
        return NAN
    centred = pairs - pairs.mean()
    return float(2 * (centred[:, 0] * centred[:, 1]).sum() / (centred**2).sum())


def sign_separable(plane: Floats, values: Floats) -> float:
    """Balanced share of tokens (token, 2) on their sign's side of the linear discriminant; 0 is of neither sign."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.metrics import balanced_accuracy_score

    signs, points = np.sign(values[values != 0]), plane[values != 0]
    if min((signs > 0).sum(), (signs < 0).sum()) < 2 or not np.ptp(points):
        return NAN
    told = LinearDiscriminantAnalysis(priors=[0.5, 0.5]).fit(points, signs).predict(points)
    return float(balanced_accuracy_score(signs, told))


def magnitude_order(plane: Floats, values: Floats) -> float:
    """Rank correlation of |value| with its least-squares fit by the coordinates (token, 2)."""
    size, design = np.abs(values), np.column_stack([np.ones(len(values)), plane])
    fit = design @ np.linalg.lstsq(design, size, rcond=None)[0]
    # A fit that is constant but for rounding orders nothing.
    return rank_correlation(fit, size) if np.ptp(fit) > 1e-9 * np.ptp(size) else NAN


def continuity(plane: Floats, values: Floats) -> float:
    """One minus von Neumann's ratio over 2 (1941), summed over coordinates, and over both signs on their own."""
    steps, scatter = 0.0, 0.0
    for points in (plane[values < 0], plane[values > 0]):
        if len(points) > 2:
            steps += float((np.diff(points, axis=0) ** 2).sum() / (len(points) - 1))
            scatter += float(((points - points.mean(0)) ** 2).sum() / (len(points) - 1))
    return 1 - steps / (2 * scatter) if scatter else NAN
