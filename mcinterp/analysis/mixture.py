"""Mixtures: the weights, none negative and 1 together, at which some answers come nearest to others."""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

from mcinterp.analysis.statistics import Floats

STRICT = 1e4
"""How much more than the answers themselves it counts that the weights are 1 together, before they are made so."""


def mixture_weights(wanted: Floats, answers: Floats) -> Floats:
    """The weights of the mixture that is nearest to what is wanted by least squares.

    Args:
        wanted: (place,).
        answers: (answer, place), what is mixed, one answer at least.

    Returns:
        (answer,), at least 0, with sum 1; answers that agree share theirs arbitrarily.
    """
    strict = STRICT * (np.linalg.norm(answers, axis=1).max() or 1.0)
    together = np.full((1, len(answers)), strict)
    weights, _ = nnls(np.concatenate([answers.T, together]), np.append(wanted, strict))
    return np.asarray(weights / weights.sum())


def mixture_of_products(products: Floats, against: Floats) -> Floats:
    """The same from sums of products over places alone, which may be sums over any choice of samples.

    Args:
        products: of every two answers, (answer, answer).
        against: of every answer and what is wanted, (answer,).
    """
    # Any square root of the products stands for the answers: places that have the same products have the same weights.
    values, vectors = np.linalg.eigh(products)
    roots = np.sqrt(np.clip(values, 0.0, None))
    inverse = np.divide(1.0, roots, out=np.zeros_like(roots), where=roots > 1e-9 * roots.max())
    return mixture_weights(inverse * (vectors.T @ against), vectors * roots)
