"""Closed forms of Adam's update: its bound over all gradients, how fast the bound grows, and both in continuous time.

β₁ is the decay of the mean gradient, which the paper calls γ, and β₂ that of the squared gradient, its β.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def ratio(beta1: ArrayLike, beta2: ArrayLike) -> Floats:
    """β₁²/β₂, called r: below 1 the update is bounded whatever the gradients."""
    return np.asarray(beta1, dtype=np.float64) ** 2 / np.asarray(beta2, dtype=np.float64)


def growth(beta1: ArrayLike, beta2: ArrayLike) -> Floats:
    """½ ln r, which the logarithm of the bound gains with an update where r is above 1."""
    return np.asarray(0.5 * np.log(ratio(beta1, beta2)))


def bound(beta1: ArrayLike, beta2: ArrayLike, n: ArrayLike) -> Floats:
    """The largest |m_n|/√v_n over all gradients, (1 − β₁)/√(1 − β₂) · √((1 − rⁿ)/(1 − r)).

    By Cauchy and Schwarz; attained where gradient i is proportional to (β₂/β₁)^i. Without bias correction.
    """
    r = ratio(beta1, beta2)
    return np.asarray((1 - np.asarray(beta1)) / np.sqrt(1 - np.asarray(beta2)) * np.sqrt(_series(r, n)))


def _series(r: Floats, n: ArrayLike) -> Floats:
    """1 + r + … + r^(n − 1)."""
    n = np.asarray(n, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        several = -np.expm1(n * np.log(r)) / (1 - r)
    return np.where(r == 1, n, several)


def correction(beta1: ArrayLike, beta2: ArrayLike, n: ArrayLike) -> Floats:
    """c_n = √(1 − β₂ⁿ)/(1 − β₁ⁿ): what correcting the bias of both means multiplies the update by."""
    n = np.asarray(n, dtype=np.float64)
    return np.asarray(np.sqrt(1 - np.asarray(beta2) ** n) / (1 - np.asarray(beta1) ** n))


def rates(beta1: ArrayLike, beta2: ArrayLike) -> tuple[Floats, Floats]:
    """At which the means forget in continuous time, a = (1 − β₁)/β₁ and b = (1 − β₂)/β₂; an update is a unit."""
    beta1, beta2 = np.asarray(beta1, dtype=np.float64), np.asarray(beta2, dtype=np.float64)
    return (1 - beta1) / beta1, (1 - beta2) / beta2


def stability(beta1: ArrayLike, beta2: ArrayLike) -> Floats:
    """What decides of the flow, C = 2a − b: its update is bounded where it is positive, and grows at −C/2 else."""
    a, b = rates(beta1, beta2)
    return np.asarray(2 * a - b)


def log_flow_bound(beta1: ArrayLike, beta2: ArrayLike, time: ArrayLike) -> Floats:
    """Logarithm of the largest |m|/√v of the flow over all gradients, a/√b · √((1 − e^(−tC))/C)."""
    (a, b), c, t = rates(beta1, beta2), stability(beta1, beta2), np.asarray(time, dtype=np.float64)
    size = np.abs(c)
    with np.errstate(invalid="ignore", divide="ignore"):
        square = np.where(size == 0, np.log(t), np.log(-np.expm1(-t * size) / size))
    # Where C is negative, e^(t|C|) is taken out, which may be too large for a number.
    return np.asarray(np.log(a) - np.log(b) / 2 + (square + t * np.maximum(0.0, -c)) / 2)
