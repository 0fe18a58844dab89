"""Where a text's outcome is decided: laws of outcomes along it, how far they change, and what a resampling would do.

A position of a text is the state after so many of its tokens. The law there is that of the outcome of a text that goes
on from it; the law of a branch is that of a text that goes on with a certain token next.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mcinterp.analysis.skewed_t import Floats


class Branching(Protocol):
    """What may come next at a position.

    Attributes:
        weights: probabilities of the tokens that are followed, (branch,), together 1.
        laws: of the outcome after each of them, (branch, outcome).
        base: which of them the text itself goes on with.
    """

    @property
    def weights(self) -> Floats: ...

    @property
    def laws(self) -> Floats: ...

    @property
    def base(self) -> int: ...


def total_variation(one: Floats, other: Floats) -> Floats:
    """Half the sum of absolute differences over the last axis: 0 for the same law, 1 for laws that share nothing."""
    return np.asarray(0.5 * np.abs(np.asarray(one) - np.asarray(other)).sum(-1))


def changes(laws: Floats) -> Floats:
    """How far each token moves the law, (T,), of the laws at positions 0 … T, (T + 1, outcome)."""
    return total_variation(laws[1:], laws[:-1])


def hazards(text: Sequence[Branching], distance: float) -> Floats:
    """Probability that a resampled token leads to another law, at every position, (T,).

    Args:
        text: what may come next at each position.
        distance: laws are others from this total variation on.
    """
    return np.array([_hazard(at, distance) for at in text])


def _hazard(at: Branching, distance: float) -> float:
    apart = total_variation(at.laws, at.laws[at.base]) >= distance
    apart[at.base] = False
    return float(at.weights[apart].sum())


def survival(hazard: Floats) -> Floats:
    """Probability that no token up to each position is resampled into another law: Π (1 − hazard), (T,)."""
    return np.asarray(np.cumprod(1.0 - hazard))


def largest_changes(change: Floats, share: float = 0.2) -> float:
    """How much the `share` of the tokens that change the law most changes it, together; one token at least."""
    change = np.sort(np.asarray(change))[::-1]
    return float(change[: max(1, round(share * len(change)))].sum())


def mixture_counts(
    weights: Floats, outcomes: Sequence[NDArray[np.integer]], n_outcomes: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Outcomes of texts that go on from a position, put together from samples of its branches, (outcome,).

    Of S samples of each branch as many are taken as S draws of a branch by its weight give. The counts are multinomial
    with the position's own law, which those of a weighted mean are not.

    Args:
        weights: of the branches, together 1.
        outcomes: of each branch's samples, which are exchangeable; as many as the first has are drawn in all.
        n_outcomes: outcomes are 0 … n_outcomes − 1.
        generator: draws them.
    """
    taken = generator.multinomial(len(outcomes[0]), weights)
    parts = [generator.permutation(own)[:n] for own, n in zip(outcomes, taken, strict=True)]
    return np.bincount(np.concatenate(parts), minlength=n_outcomes)
