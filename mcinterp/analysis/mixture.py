"""Mixtures: the weights, none negative and 1 together, at which some answers come nearest to others."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from mcinterp.analysis.statistics import Floats

PRECISION = 1e-15
"""Of the mean square that is left, as a share of that of what is to be reached."""


def mixture_weights(wanted: Floats, answers: Floats) -> Floats:
    """The weights of the mixture that is nearest to what is wanted by least squares.

    Args:
        wanted: (place,).
        answers: (answer, place), what is mixed, one answer at least.

    Returns:
        (answer,), at least 0, with sum 1; answers that agree share theirs arbitrarily.
    """
    scale = float((wanted**2).sum()) or 1.0
    gram, products = answers @ answers.T / scale, answers @ wanted / scale
    n = len(answers)
    found = minimize(
        lambda w: (w @ gram @ w / 2 - products @ w, gram @ w - products),
        np.full(n, 1 / n),
        jac=True,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * n,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
        options={"ftol": PRECISION, "maxiter": 1000},
    )
    weights = np.clip(found.x, 0.0, None)
    return np.asarray(weights / weights.sum())
