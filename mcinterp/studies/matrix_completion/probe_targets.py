"""What linear probes are to read off the residual stream of a model that completes matrices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mcinterp.studies.matrix_completion.task.batch import MatrixBatch
from mcinterp.task.offers import Floats

Indices = NDArray[np.int64]

TARGETS = ("masked row", "entry", "singular vector")


@dataclass(frozen=True)
class MatrixTargets:
    """What probes are to read, of all matrices: a few numbers a matrix, spread over positions only where needed.

    Attributes:
        rows: each matrix with masked entries at 0, (n, rows, cols).
        entries: its true entries, (n, pos, 1).
        vectors: its top left singular vector, largest element positive, (n, rows).
        observed: where the model is given a value, bool (n, pos).
    """

    names = TARGETS
    main_places: ClassVar[Mapping[str, str]] = {"entry": "masked"}

    rows: Floats
    entries: Floats
    vectors: Floats
    observed: NDArray[np.bool_]

    @classmethod
    def of(cls, batch: MatrixBatch) -> MatrixTargets:
        """The targets of a batch."""
        matrices = batch.targets.double().cpu().view(-1, *batch.shape)
        seen = matrices * batch.observed.cpu().view(-1, *batch.shape)
        return cls(
            seen.numpy(),
            matrices.flatten(1)[..., None].numpy(),
            _top_left_singular(matrices).numpy(),
            batch.observed.cpu().numpy(),
        )

    def at(self, matrices: slice | Indices) -> dict[str, Floats]:
        """Each target of some matrices at every position, (n, pos, k)."""
        rows, entries, vectors = self.rows[matrices], self.entries[matrices], self.vectors[matrices]
        n_pos = entries.shape[1]
        spread = np.broadcast_to(vectors[:, None], (len(vectors), n_pos, vectors.shape[1]))
        return dict(zip(TARGETS, (rows.repeat(rows.shape[2], axis=1), entries, spread), strict=True))

    def means(self) -> dict[str, Floats]:
        """The mean of each target over matrices and positions, (k,)."""
        means = (self.rows.mean((0, 1)), self.entries.mean((0, 1)), self.vectors.mean(0))
        return dict(zip(TARGETS, means, strict=True))

    def places(self, target: str, matrices: slice) -> dict[str, Floats]:
        """Positions that a target's error is averaged over, by name: 0 or 1, (n, pos)."""
        seen = self.observed[matrices]
        if target != "entry":
            return {"all": np.ones(seen.shape)}
        return {"observed": seen.astype(float), "masked": (~seen).astype(float)}


def _top_left_singular(matrices: Tensor) -> Tensor:
    vectors = torch.linalg.svd(matrices).U[:, :, 0]
    largest = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))
    return vectors * largest.sign()
