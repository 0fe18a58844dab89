"""Where a series of counts changes its law: exact Bayesian segmentation, without sampling or approximation.

Positions are cut into segments, each with one law of outcomes, unknown and Dirichlet-distributed beforehand; between
two neighbouring positions the law changes with a known probability. Sums over all 2^(T−1) segmentations are made
forward and backward in O(T²).

Source: Fearnhead 2006, Exact and efficient Bayesian inference for multiple changepoint problems.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp

from mcinterp.analysis.skewed_t import Floats
from mcinterp.errors import InputError

EXPECTED, MOST = 3.0, 0.2
"""Changes that are expected beforehand in a series of any length; the largest probability of one between neighbours."""
SURE = 0.5
"""A place is called where a change is more probable than none …"""
EFFECT = 0.2
"""… and where the laws on either side are at least so far apart, in total variation."""


@dataclass(frozen=True)
class Segmentation:
    """What counts say of changes between neighbouring positions.

    Attributes:
        posterior: probability of a change between position t and t + 1, (T − 1,).
        log_bayes_factor: natural logarithm of the evidence for any change over that for none; prior odds are divided
            out. NaN for a single position.
        change_probability: that was assumed between any two neighbours.
    """

    posterior: Floats
    log_bayes_factor: float
    change_probability: float


def default_change_probability(n_positions: int) -> float:
    """So that `EXPECTED` changes are expected, and never more than `MOST`."""
    return min(MOST, EXPECTED / max(n_positions, 1))


def segmented(counts: NDArray[np.integer], change_probability: float | None = None) -> Segmentation:
    """Sum over all segmentations of a series of counts.

    Args:
        counts: how many samples at each position had each outcome, (T, K).
        change_probability: between any two neighbours, inside 0 … 1; `default_change_probability` where left out.

    Raises:
        InputError: for counts that are none, or a probability outside 0 … 1.
    """
    counts = np.asarray(counts)
    if counts.ndim != 2 or 0 in counts.shape or counts.dtype.kind not in "iu" or counts.min() < 0:
        raise InputError(
            f"counts must be whole numbers, at least 0, (position, outcome), got {counts.dtype} of {counts.shape}"
        )
    chance = default_change_probability(len(counts)) if change_probability is None else change_probability
    if not 0.0 < chance < 1.0:
        raise InputError(f"change_probability must lie between 0 and 1, got {chance}")
    segments = _segments(counts, chance)
    forward, backward = _forward(segments, chance), _forward(segments[::-1, ::-1].T, chance)[::-1]
    posterior = np.exp(forward[1:-1] + backward[1:-1] + np.log(chance) - forward[-1])
    return Segmentation(np.minimum(posterior, 1.0), _bayes_factor(segments, forward, chance), chance)


def _segments(counts: NDArray[np.integer], chance: float) -> Floats:
    """Log-evidence of one law from position i up to j, with no change in between; −∞ where j comes before i."""
    n, k = counts.shape
    sums = np.concatenate([np.zeros((1, k), dtype=np.int64), counts.cumsum(0)])
    i, j = np.triu_indices(n)
    within = sums[j + 1] - sums[i]
    # Γ at all whole numbers that come up, which is much faster than to work each out.
    log_gamma = gammaln(np.arange(int(sums[-1].sum()) + k + 1, dtype=np.float64))
    evidence = log_gamma[within + 1].sum(1) - log_gamma[within.sum(1) + k] + log_gamma[k]
    found = np.full((n, n), -np.inf)
    found[i, j] = evidence + (j - i) * np.log1p(-chance)
    return found


def _forward(segments: Floats, chance: float) -> Floats:
    """Log-probability of the first t positions with a segment that ends there, t = 0 … T."""
    n, log_chance = len(segments), np.log(chance)
    forward = np.zeros(n + 1)
    for end in range(1, n + 1):
        terms = forward[:end] + segments[:end, end - 1]
        terms[1:] += log_chance
        forward[end] = logsumexp(terms)
    return forward


def _bayes_factor(segments: Floats, forward: Floats, chance: float) -> float:
    """Evidence for any change over that for none, both given that it is so."""
    n = len(segments)
    if n < 2:
        return float("nan")
    none = segments[0, -1] - (n - 1) * np.log1p(-chance)
    some = logsumexp(forward[1:n] + segments[1:, -1] + np.log(chance)) - np.log(-np.expm1((n - 1) * np.log1p(-chance)))
    return float(some - none)


def called_changes(
    counts: NDArray[np.integer], posterior: Floats, sure: float = SURE, effect: float = EFFECT
) -> NDArray[np.bool_]:
    """Between which positions there is a change that is both probable and large, (T − 1,).

    A law that drifts changes surely and by little everywhere; what is asked for here is a step. The laws on either side
    are those of all samples up to the next probable change.

    Args:
        counts: (T, K).
        posterior: of a change between t and t + 1, (T − 1,).
        sure: a change must be more probable.
        effect: and the total variation between the laws on either side larger.
    """
    cuts = np.flatnonzero(posterior > sure)
    edges = [0, *(cuts + 1).tolist(), len(counts)]
    pooled = np.array([counts[a:b].sum(0) for a, b in pairwise(edges)])
    laws = pooled / np.maximum(pooled.sum(1, keepdims=True), 1.0)
    found = np.zeros(len(posterior), dtype=bool)
    found[cuts] = 0.5 * np.abs(np.diff(laws, axis=0)).sum(1) > effect
    return found
