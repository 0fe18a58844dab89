"""Batches of matrices with masks, and errors over their entries."""

from __future__ import annotations

from dataclasses import dataclass, replace

from jaxtyping import Bool
from torch import Tensor

from mcinterp.task.batch import Batch
from mcinterp.task.offers import Floats, Sums


@dataclass(frozen=True)
class MatrixBatch(Batch):
    """Matrices with masks; entries are in row-major order.

    Attributes:
        inputs: token ids, int64, (n, rows·cols), MASK where an entry is not observed; for a sequence (n, 2·rows·cols +
            1), the same followed by the separator and the tokens of all entries.
        targets: the rounded matrices, float32, (n, rows·cols); 0 where there is no entry.
        observed: False where the model is given MASK or PAD.
        shape: (rows, cols), of the largest matrix where there are several sizes.
        n_clipped: how many observed values were clipped to the vocabulary; not counted (0) in a batch of `draw`.
        present: False where a smaller matrix has no entry (see `task.sizes`); None where every matrix has all.
    """

    observed: Bool[Tensor, "n entry"]
    shape: tuple[int, int]
    n_clipped: int = 0
    present: Bool[Tensor, "n entry"] | None = None

    @property
    def masked(self) -> Bool[Tensor, "n entry"]:
        """True where the input is MASK: entries that there are and that are not observed."""
        return ~self.observed if self.present is None else self.present & ~self.observed

    def part(self, matrices: slice) -> MatrixBatch:
        """Some of the matrices; `n_clipped` stays that of the whole batch."""
        present = None if self.present is None else self.present[matrices]
        return replace(
            self,
            inputs=self.inputs[matrices],
            targets=self.targets[matrices],
            observed=self.observed[matrices],
            present=present,
        )


def entry_weights(batch: MatrixBatch) -> dict[str, Floats]:
    """1 at masked, at observed and at all entries, (n, entry)."""
    masked, observed = (double(part) for part in (batch.masked, batch.observed))
    return {"masked": masked, "observed": observed, "total": masked + observed}


def entry_sums(output: Tensor, targets: Tensor, batch: MatrixBatch) -> Sums:
    """Squared errors of `output` against `targets`, both (n, entry), summed over masked, observed and all entries."""
    square = (output - targets).square().double().cpu().numpy()
    weights = entry_weights(batch)
    return {name: ((square * weight).sum(1), weight.sum(1)) for name, weight in weights.items()}


def double(values: Tensor) -> Floats:
    """As float64 on the CPU."""
    return values.double().cpu().numpy()
