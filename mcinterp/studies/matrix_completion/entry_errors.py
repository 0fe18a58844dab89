"""Squared errors of a batch over masked, observed and all entries, matrix by matrix."""

from __future__ import annotations

from typing import Self

from torch import Tensor

from mcinterp.analysis.sample_scores import SampleScores
from mcinterp.analysis.statistics import Estimate
from mcinterp.studies.matrix_completion.task.batch import MatrixBatch, entry_sums


class EntryErrors(SampleScores):
    """Sums of squared errors for `masked`, `observed` and `total` entries of each matrix, with how many these are."""

    @classmethod
    def of(cls, output: Tensor, targets: Tensor, batch: MatrixBatch) -> Self:
        """Errors of `output` against `targets`, both (n, rows·cols), by the masks of `batch`; padding is in none."""
        scores = entry_sums(output, targets, batch)
        return cls({name: one[0] for name, one in scores.items()}, {name: one[1] for name, one in scores.items()})

    def mse(self, entries: str) -> Estimate:
        """Mean squared error over `entries` of all matrices, pooled as L_mask and L_obs are."""
        return self.mean(entries)
