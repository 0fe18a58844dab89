"""Masked entries by what may make them easy or hard: their row, their column, how much is observed, how well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mcinterp.analysis.statistics import Floats
from mcinterp.runs import Checkpoint
from mcinterp.studies.matrix_completion.baselines.completion import CompletionSettings
from mcinterp.studies.matrix_completion.baselines.minors import largest_pivot
from mcinterp.studies.matrix_completion.passes.algorithm_bins import Bin, observed_bins, pivot_bins
from mcinterp.studies.matrix_completion.passes.shelf_answers import observed_values
from mcinterp.studies.matrix_completion.task.batch import MatrixBatch

ROW, COLUMN, OBSERVED, CONDITIONING = "row", "column", "observed", "conditioning"
KINDS = {
    ROW: "the row of the entry, from 0",
    COLUMN: "the column of the entry, from 0",
    OBSERVED: "how many entries of its row and of its column are observed, together",
    CONDITIONING: "the largest |det|^(1/r) of an observed r × r block that gives it through a vanishing minor",
}
NONE = -1


@dataclass(frozen=True)
class Labels:
    """The bins of one kind.

    Attributes:
        bins: names, smallest and largest value.
        labels: (n, entry), which bin a masked entry is in, `NONE` for all else.
        shuffled: the same with the labels of all masked entries dealt out anew to them.
    """

    bins: Sequence[tuple[str, float, float]]
    labels: NDArray[np.int64]
    shuffled: NDArray[np.int64]

    @classmethod
    def of(cls, bins: Sequence[Bin], masked: NDArray[np.bool_], generator: np.random.Generator) -> Labels:
        """From bins of entries; those that are empty are left out."""
        kept = [each for each in bins if (each.where & masked).any()]
        labels = np.full(masked.shape, NONE)
        for index, each in enumerate(kept):
            labels[each.where & masked] = index
        return cls([(each.name, each.low, each.high) for each in kept], labels, shuffled(labels, generator))


def shuffled(labels: NDArray[np.int64], generator: np.random.Generator) -> NDArray[np.int64]:
    """The labels of all masked entries of a batch dealt out anew to them, so that they say nothing of an entry.

    Within each matrix would not do: one with little observed has other labels than one with much, wherever they are.
    """
    found = labels.copy()
    found[labels != NONE] = generator.permutation(labels[labels != NONE])
    return found


def binned(checkpoint: Checkpoint, batch: MatrixBatch, masked: Floats, seed: int) -> dict[str, Labels]:
    """The masked entries of a batch by every kind."""
    where, (rows, cols) = masked > 0, batch.shape
    observed = batch.observed.cpu().numpy().reshape(-1, rows, cols)
    config: Any = checkpoint.task.config
    rank = min(batch.shape) if config.factors == "full-rank" else config.rank
    values = torch.from_numpy(observed_values(checkpoint, batch)).view(-1, rows, cols)
    pivots = largest_pivot(values, torch.from_numpy(observed), CompletionSettings(rank, seed)).flatten(1).numpy()
    places = np.arange(rows * cols)
    bins = {
        ROW: _placed(places // cols, where),
        COLUMN: _placed(places % cols, where),
        OBSERVED: observed_bins(observed),
        CONDITIONING: pivot_bins(np.where(where, pivots, 0.0), observed),
    }
    generator = np.random.default_rng(seed)
    return {kind: Labels.of(own, where, generator) for kind, own in bins.items()}


def _placed(numbers: NDArray[np.int64], masked: NDArray[np.bool_]) -> list[Bin]:
    return [Bin(str(k), float(k), float(k), masked & (numbers == k)) for k in range(int(numbers.max()) + 1)]
