"""How widely a model's answers spread at masked entries: sums over each matrix, and what they are divided by."""

from __future__ import annotations

import numpy as np

from mcinterp.task.offers import Floats


def answer_spread(answers: Floats, targets: Floats, masked: np.ndarray) -> tuple[Floats, Floats]:
    """Variance of the answers at masked entries over the mean square of their targets.

    Args:
        answers, targets: 0 where not masked, (n, pos).
        masked: bool, (n, pos).
    """
    centre = answers.sum() / max(1, masked.sum())
    variance = (np.where(masked, answers - centre, 0.0) ** 2).sum(1)
    return variance, (targets**2).sum(1)


def repeated_answers(answers: Floats, masked: np.ndarray, decimals: int) -> tuple[Floats, Floats]:
    """Share of masked entries that get the most frequent answer of the batch, answers rounded; shapes as above."""
    rounded = np.where(masked, np.round(answers, decimals) + 0.0, np.nan)
    values, counts = np.unique(rounded[masked], return_counts=True)
    common = values[counts.argmax()] if len(values) else np.nan
    return (rounded == common).sum(1).astype(np.float64), masked.sum(1).astype(np.float64)
