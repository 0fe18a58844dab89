"""Completions that fill the masked entries from a simplified SVD of the filled matrix, again and again."""

from __future__ import annotations

import torch
from torch import Tensor

from mcinterp.studies.matrix_completion.baselines.completion import CompletionSettings, filled, until_still, zero_filled

TOLERANCE = 1e-6
LIMIT = 500


def hard_impute(values: Tensor, observed: Tensor, settings: CompletionSettings) -> Tensor:
    """Fill the masked entries from the best rank-r approximation of the filled matrix, until they stand still.

    Starts from 0, and stops after `LIMIT` rounds where the entries still move.

    Args:
        values: (n, rows, cols), float; masked entries are not read.
        observed: (n, rows, cols), bool.
        settings: rank.

    Returns:
        (n, rows, cols).
    """

    def update(state: Tensor, seen: Tensor, where: Tensor) -> Tensor:
        left, sizes, right = torch.linalg.svd(state, full_matrices=False)
        kept = left[:, :, : settings.rank] * sizes[:, None, : settings.rank]
        return filled(seen, where, kept @ right[:, : settings.rank])

    seen = zero_filled(values, observed)
    return until_still(update, seen, (seen, observed), TOLERANCE, LIMIT)


def soft_impute(values: Tensor, observed: Tensor, settings: CompletionSettings, penalty: float) -> Tensor:
    """Minimise ½‖P(Z − X)‖² + penalty·‖Z‖_* over the observed entries P: singular values shrink by `penalty` a round.

    Args:
        values: (n, rows, cols), float; masked entries are not read.
        observed: (n, rows, cols), bool.
        settings: not used; the penalty decides the rank.
        penalty: of the nuclear norm, in units of the entries.

    Returns:
        (n, rows, cols). Source: Mazumder, Hastie, Tibshirani (2010), "Spectral regularization algorithms".
    """

    def update(state: Tensor, seen: Tensor, where: Tensor) -> Tensor:
        return filled(seen, where, shrunken(state, penalty))

    seen = zero_filled(values, observed)
    return until_still(update, seen, (seen, observed), TOLERANCE, LIMIT)


def shrunken(matrices: Tensor, by: float) -> Tensor:
    """The matrices (n, rows, cols) with their singular values shrunk by `by`, to no less than 0."""
    left, sizes, right = torch.linalg.svd(matrices, full_matrices=False)
    return (left * (sizes - by).clamp_min(0)[:, None, :]) @ right
