"""Errors by matrix size, for a model that was trained on several sizes at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mcinterp.analysis.statistics import interval_columns
from mcinterp.errors import InputError
from mcinterp.model.restricted import restricted_to
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint
from mcinterp.studies.matrix_completion.config import TaskConfig, matrix_task
from mcinterp.studies.matrix_completion.encoder import MatrixEncoder
from mcinterp.studies.matrix_completion.entry_errors import EntryErrors
from mcinterp.studies.matrix_completion.task.batch import MatrixBatch

COLUMNS = {
    "size": "rows × columns of the matrices",
    "trained": "whether the model was trained on this size",
    "entries": "observed or masked",
    "n": "matrices",
    "seed": "seed of the batch; smaller matrices are the top left blocks of the larger ones, with their masks",
    **interval_columns("mse", "L_obs or L_mask, MSE over these entries"),
    **interval_columns("zero_mse", "baseline: MSE of answering 0 at these entries"),
    **interval_columns("gain", "zero_mse − mse, paired over matrices: positive means better than answering 0"),
    "padding_difference": "control: largest |difference| between the answers to the padded matrices and those of the "
    "same weights to the same matrices without padding, near 0; empty for the size without padding",
}


def errors_by_size(
    checkpoint: Checkpoint, sizes: Sequence[tuple[int, int]] | None = None, samples: int = 512, seed: int = 0
) -> Result:
    """Measure L_obs and L_mask on matrices of each size, with random masks.

    The control runs the same weights on the entries alone, the positional embedding cut to their positions: padding
    that is handled right changes no answer beyond rounding.

    Args:
        checkpoint: what to look at.
        sizes: (rows, cols) of each; None for those of the task. A task of several sizes also takes others that fit
            into its largest, on which the model was not trained.
        samples: matrices a size, at least 2.
        seed: of every batch.

    Returns:
        table `sizes`. Source: App. I of arXiv 2410.22244.

    Raises:
        InputError: for a size that the task cannot hold, or fewer than 2 samples.
    """
    if samples < 2:
        raise InputError(f"errors_by_size: samples must be at least 2, got {samples}")
    task = matrix_task(checkpoint.config)
    chosen = trained_sizes(task) if sizes is None else [(int(rows), int(cols)) for rows, cols in sizes]
    measured = [_Measured.of(checkpoint, size, samples, seed) for size in chosen]
    return Result(
        "sizes",
        "Errors by matrix size",
        {"sizes": None if sizes is None else [list(size) for size in chosen], "samples": samples, "seed": seed},
        {
            "sizes": [size_name(size) for size in chosen],
            "trained_sizes": [size_name(size) for size in trained_sizes(task)],
            "grid": size_name((task.rows, task.cols)),
        },
        {"sizes": Table.of(COLUMNS, [row for one in measured for row in one.rows(task, seed)])},
    )


def trained_sizes(task: TaskConfig) -> list[tuple[int, int]]:
    """(rows, cols) of every size that a task draws."""
    return [(task.rows, task.cols)] if task.sizes is None else list(task.sizes)


def size_name(size: tuple[int, int]) -> str:
    """A size in words: `5 × 5`."""
    return f"{size[0]} × {size[1]}"


@dataclass(frozen=True)
class _Measured:
    """One size: what the model answers, and how far that is from its answers without padding."""

    size: tuple[int, int]
    batch: MatrixBatch
    output: Tensor
    padding_difference: float

    @classmethod
    @torch.no_grad()
    def of(cls, checkpoint: Checkpoint, size: tuple[int, int], samples: int, seed: int) -> _Measured:
        batch = checkpoint.sample(samples, seed, size=size)
        output = checkpoint.encoder.complete(batch.inputs)
        return cls(size, batch, output, _padding_difference(checkpoint.encoder, batch, output))

    def rows(self, task: TaskConfig, seed: int) -> list[dict[str, Any]]:
        errors = EntryErrors.of(self.output, self.batch.targets, self.batch)
        zero = EntryErrors.of(torch.zeros_like(self.output), self.batch.targets, self.batch)
        return [
            {
                "size": size_name(self.size),
                "trained": self.size in trained_sizes(task),
                "entries": entries,
                "n": len(self.batch),
                "seed": seed,
                **errors.mse(entries).columns("mse"),
                **zero.mse(entries).columns("zero_mse"),
                **zero.minus(errors, entries).columns("gain"),
                "padding_difference": self.padding_difference,
            }
            for entries in ("masked", "observed")
        ]


def _padding_difference(model: MatrixEncoder, batch: MatrixBatch, output: Tensor) -> float:
    """How far `output` is from what the same weights answer on the entries alone; NaN without padding."""
    if batch.present is None:
        return float(np.nan)
    # All matrices of the batch have one size, and so the same positions.
    positions = torch.nonzero(batch.present[0]).flatten().tolist()
    alone = restricted_to(model, positions).complete(batch.inputs[:, positions])
    return float((alone - output[:, positions]).abs().max())
