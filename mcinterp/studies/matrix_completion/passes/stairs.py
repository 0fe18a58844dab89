"""Which entries are right first: L_mask by row, column and what is observed, by step, and what heads do to each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from mcinterp.analysis.registry import check_offered
from mcinterp.analysis.statistics import Floats, interval_columns, pooled_difference, ratio_estimate
from mcinterp.errors import InputError, UnansweredError
from mcinterp.model import Head, HeadSet
from mcinterp.model.head_sweep import HeadChange, HeadSweep
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint, Run
from mcinterp.studies.matrix_completion.passes.shelf_answers import answers_of
from mcinterp.studies.matrix_completion.passes.shelf_verdicts import FALLEN
from mcinterp.studies.matrix_completion.passes.stairs_bins import COLUMN, KINDS, ROW, Labels, binned
from mcinterp.studies.matrix_completion.task.batch import MatrixBatch, double

_ABOUT = {
    "by": "what masked entries are binned by",
    "bin": "which of them",
    "low": "smallest value of what they are binned by",
    "high": "largest value",
    "entries": "masked entries in the bin",
    "n": "matrices, the same at every step",
    "seed": "seed of the batch, and of the shuffled bins",
}
BIN_COLUMNS = {
    "step": "checkpoint",
    **_ABOUT,
    **interval_columns("left", "L_mask of these entries over that of answering 0 to them"),
    **interval_columns("apart", "left minus that of all other masked entries: below 0 where these are right earlier"),
    **interval_columns(
        "shuffled_apart", "control: the same with the bins of all masked entries dealt out anew to them"
    ),
}
HEAD_COLUMNS = {
    "step": "checkpoint",
    "head": "layer and head from 0; its z is made its mean over matrices",
    **_ABOUT,
    **interval_columns("harm", "by how much left rises without it, paired"),
    **interval_columns("apart", "harm minus that at all other masked entries"),
    **interval_columns("shuffled_apart", "control: the same with shuffled bins"),
}


def entry_stairs(run: Run, steps: Sequence[int] | None = None, samples: int = 1024, seed: int = 0) -> Result:
    """Follow the errors of masked entries by row, column, number observed and conditioning, on the same matrices.

    Args:
        run: whose checkpoints.
        steps: which, at least one; None for all.
        samples: at least 2.
        seed: of the batch.

    Returns:
        tables `bins` by step, and `heads`: what each head is worth in every row and column, at the step since the loss
        has begun to fall at which rows and columns differ most. The definitions are this package's.

    Raises:
        InputError: with too few samples, or if the task does not answer entries.
        UnansweredError: where no entry is masked.
    """
    if samples < 2:
        raise InputError(f"entry_stairs: samples must be at least 2, got {samples}")
    check_offered("stairs", run.config)
    steps = run.steps if steps is None else sorted(steps)
    last = run.checkpoint(steps[-1])
    batch = last.sample(samples, seed)
    masked, targets = double(batch.masked), double(batch.targets)
    if not masked.any():
        raise UnansweredError(f"entry_stairs: no entry of {samples} matrices is masked")
    kinds, about = binned(last, batch, masked, seed), {"n": samples, "seed": seed}
    answers = {step: answers_of(run.checkpoint(step), batch.inputs) for step in steps}
    rows = [row for step, own in answers.items() for row in bin_rows(own, targets, kinds, {"step": step, **about})]
    bins = Table.of(BIN_COLUMNS, rows)
    looked = most_uneven(bins.frame)
    heads = _head_rows(run.checkpoint(looked), batch, targets, kinds, {"step": looked, **about})
    return Result(
        "stairs",
        "Which entries are right first",
        {"steps": steps, "samples": samples, "seed": seed},
        {"looked_at": looked, "kinds": dict(KINDS)},
        {"bins": bins, "heads": Table.of(HEAD_COLUMNS, heads)},
    )


def bin_rows(
    answers: Floats, targets: Floats, kinds: Mapping[str, Labels], about: Mapping[str, int]
) -> Iterator[dict[str, Any]]:
    """Rows of `bins` of any answers, (n, entry) both."""
    errors, zero = (answers - targets) ** 2, targets**2
    for kind, own in kinds.items():
        for index, told in enumerate(_told(kind, own, about)):
            yield {
                "step": about["step"],
                **told,
                **ratio_estimate(*(_sums(part, own.labels == index) for part in (errors, zero))).columns("left"),
                **_apart(errors, zero, own, index),
            }


def most_uneven(bins: pd.DataFrame) -> int:
    """The step at which the errors of rows and columns lie farthest apart, by their standard deviation over bins.

    Of those at which the rows' mean error is at least `FALLEN` below that of answering 0; the last where none is.
    """
    rows = bins[bins["by"] == ROW].groupby("step", sort=True)["left"].mean()
    fallen = rows[rows < 1 - FALLEN].index
    placed = bins[bins["by"].isin([ROW, COLUMN]) & bins["step"].isin(fallen)]
    spread = placed.groupby("step", sort=True)["apart"].std(ddof=0).sort_values(kind="stable").dropna()
    return int(spread.index[-1] if len(spread) else bins["step"].max())


def _head_rows(
    checkpoint: Checkpoint, batch: MatrixBatch, targets: Floats, kinds: Mapping[str, Labels], about: Mapping[str, int]
) -> Iterator[dict[str, Any]]:
    """Rows of `heads` of a checkpoint."""
    sweep, shape = HeadSweep(checkpoint.model), checkpoint.model.model_config
    heads = [str(Head(*pair)) for pair in product(range(shape.n_layers), range(shape.n_heads))]
    mean, parts = sweep.mean_z(batch.inputs), defaultdict(list)
    changes = {name: HeadChange(HeadSet.parse(name, shape.n_layers, shape.n_heads), mean) for name in heads}
    for part in sweep.parts(batch.inputs):
        parts[""].append(double(part.run.answers))
        for name, answers in sweep.answers(part.run, changes):
            parts[name].append(double(answers))
    whole = {name: (np.concatenate(own) - targets) ** 2 for name, own in parts.items()}
    for head, kind in product(heads, (ROW, COLUMN)):
        own, harm, zero = kinds[kind], whole[head] - whole[""], targets**2
        for index, told in enumerate(_told(kind, own, about)):
            yield {
                "step": about["step"],
                "head": head,
                **told,
                **ratio_estimate(*(_sums(part, own.labels == index) for part in (harm, zero))).columns("harm"),
                **_apart(harm, zero, own, index),
            }


def _told(kind: str, own: Labels, about: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    """What stands before the numbers of each bin."""
    for index, (name, low, high) in enumerate(own.bins):
        yield {
            "by": kind,
            "bin": name,
            "low": low,
            "high": high,
            "entries": int((own.labels == index).sum()),
            "n": about["n"],
            "seed": about["seed"],
        }


def _apart(parts: Floats, whole: Floats, own: Labels, index: int) -> dict[str, float]:
    """Σ parts / Σ whole in a bin minus the same in all others, with the bins as they are and shuffled."""
    found: dict[str, float] = {}
    for name, labels in (("apart", own.labels), ("shuffled_apart", own.shuffled)):
        inside, outside = labels == index, (labels >= 0) & (labels != index)
        sums = [_sums(part, where) for where in (inside, outside) for part in (parts, whole)]
        found |= pooled_difference(*sums).columns(name)
    return found


def _sums(values: Floats, where: np.ndarray) -> Floats:
    return np.asarray((values * where).sum(1))
