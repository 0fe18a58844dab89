"""Completions that know no rank: 0, and means of what is observed in the row or the column."""

from __future__ import annotations

import torch
from torch import Tensor

from mcinterp.studies.matrix_completion.baselines.completion import CompletionSettings, filled, zero_filled


def zero(values: Tensor, observed: Tensor, settings: CompletionSettings) -> Tensor:
    """0 at every masked entry: (n, rows, cols) to the same."""
    return zero_filled(values, observed)


def row_mean(values: Tensor, observed: Tensor, settings: CompletionSettings) -> Tensor:
    """The mean of the observed entries of the row; NaN where there are none."""
    return filled(values, observed, _mean(values, observed, 2).expand_as(values))


def column_mean(values: Tensor, observed: Tensor, settings: CompletionSettings) -> Tensor:
    """The mean of the observed entries of the column; NaN where there are none."""
    return filled(values, observed, _mean(values, observed, 1).expand_as(values))


def row_and_column_mean(values: Tensor, observed: Tensor, settings: CompletionSettings) -> Tensor:
    """Half the row's mean plus half the column's; the one that there is where the other has nothing observed."""
    both = torch.stack([row_mean(values, observed, settings), column_mean(values, observed, settings)])
    return filled(values, observed, both.nanmean(0))


def _mean(values: Tensor, observed: Tensor, dim: int) -> Tensor:
    return zero_filled(values, observed).sum(dim, keepdim=True) / observed.sum(dim, keepdim=True)
