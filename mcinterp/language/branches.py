"""Which tokens a text is followed along at a position: its own, and others that are probable enough."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEAST = 0.05
"""Tokens with a larger probability are followed, as in Forking Paths in Neural Text Generation (arXiv 2412.07961)."""


def branches_of(
    probabilities: NDArray[np.float64], base: int, least: float = LEAST
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The tokens that are followed, in order, and their weights, which are together 1.

    Args:
        probabilities: of the next token, (token,).
        base: token that the text goes on with, which is always followed.
        least: others need a larger probability.
    """
    followed = np.union1d(np.flatnonzero(probabilities > least), [base])
    weights = probabilities[followed]
    return followed, weights / weights.sum()


def tempered(probabilities: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """Probabilities of the next token at another temperature, (…, token); at 0 the most probable one has all."""
    if temperature == 0.0:
        return (np.arange(probabilities.shape[-1]) == probabilities.argmax(-1)[..., None]).astype(np.float64)
    with np.errstate(divide="ignore"):
        logits = np.log(probabilities) / temperature
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True))
