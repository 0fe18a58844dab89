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
