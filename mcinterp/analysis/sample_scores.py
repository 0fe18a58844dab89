"""Squared errors of a batch, kept sample by sample so that comparisons can be paired."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from mcinterp.analysis.statistics import Estimate, Floats, pooled_estimate
from mcinterp.task import MatrixBatch

ENTRIES = ("masked", "observed", "total")


@dataclass(frozen=True)
class EntryErrors:
    """Sums of squared errors over the entries of each sample.

    Attributes:
        sums: for `masked`, `observed` and `total` entries, (n,).
        counts: how many such entries each sample has, (n,).
    """

    sums: dict[str, Floats]
    counts: dict[str, Floats]

    @classmethod
    def of(cls, output: Tensor, targets: Tensor, batch: MatrixBatch) -> EntryErrors:
        """Errors of `output` against `targets`, both (n, rows·cols), by the masks of `batch`; padding is in none."""
        square = (output - targets).square().double().cpu().numpy()
        masked, observed = (part.cpu().numpy().astype(np.float64) for part in (batch.masked, batch.observed))
        weights = {"masked": masked, "observed": observed, "total": masked + observed}
        return cls(
            {name: (square * weight).sum(1) for name, weight in weights.items()},
            {name: weight.sum(1) for name, weight in weights.items()},
        )

    @classmethod
    def joined(cls, parts: Sequence[EntryErrors]) -> EntryErrors:
        """The errors of a batch from those of its parts, in order."""
        sums, counts = (
            {name: np.concatenate([getattr(part, kept)[name] for part in parts]) for name in ENTRIES}
            for kept in ("sums", "counts")
        )
        return cls(sums, counts)

    def mse(self, entries: str) -> Estimate:
        """Mean squared error over `entries` of all samples, pooled as L_mask and L_obs are."""
        return pooled_estimate(self.sums[entries], self.counts[entries])

    def minus(self, other: EntryErrors, entries: str) -> Estimate:
        """This MSE minus `other`'s on the same batch, paired sample by sample."""
        return pooled_estimate(self.sums[entries] - other.sums[entries], self.counts[entries])
