"""Completions by regression: a row's masked entries from its observed ones, as the complete rows relate them."""

from __future__ import annotations

import torch
from torch import Tensor

from mcinterp.studies.matrix_completion.baselines.completion import CompletionSettings, filled, zero_filled


def row_regression(values: Tensor, observed: Tensor, settings: CompletionSettings) -> Tensor:
    """Least squares on the fully observed rows, with the smallest coefficients where several fit as well.

    Only the `rank` largest singular values of the regressors are inverted: the others are rounding, and coefficients
    that fit it are useless.

    Args:
        values: (n, rows, cols), float; masked entries are not read.
        observed: (n, rows, cols), bool.
        settings: rank.

    Returns:
        (n, rows, cols); NaN in matrices without a complete row and in rows without an observed entry.
    """
    seen = zero_filled(values, observed)
    complete = observed.all(2)
    examples = seen * complete[:, :, None]
    # For each row of each matrix, the complete rows with only the columns that this row observes.
    regressors = examples[:, None] * observed[:, :, None, :]
    estimate = (seen[:, :, None, :] @ _inverse(regressors, settings.rank) @ examples[:, None])[:, :, 0]
    defined = complete.any(1)[:, None, None] & observed.any(2)[:, :, None]
    return filled(values, observed, torch.where(defined, estimate, torch.nan))


def column_regression(values: Tensor, observed: Tensor, settings: CompletionSettings) -> Tensor:
    """The same with rows and columns exchanged."""
    return row_regression(values.mT, observed.mT, settings).mT


def _inverse(matrices: Tensor, rank: int) -> Tensor:
    """Pseudo-inverses (…, cols, rows) from the `rank` largest singular values."""
    left, sizes, right = torch.linalg.svd(matrices, full_matrices=False)
    kept = (sizes > sizes[..., :1] * max(matrices.shape[-2:]) * torch.finfo(sizes.dtype).eps) & (sizes > 0)
    kept[..., rank:] = False
    inverse_sizes = torch.where(kept, 1 / torch.where(kept, sizes, 1.0), 0.0)
    return right.mT @ (inverse_sizes[..., None] * left.mT)
