"""The curve of a run that was trained elsewhere: as it was written down there, or measured at its checkpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from mcinterp.errors import CheckpointError, InputError, reason
from mcinterp.task import make_task
from mcinterp.task.batch import Task

SAMPLES = 512
"""Fresh samples that a checkpoint is measured on."""
PART = 64
"""Samples of one forward pass."""


class Measured:
    """Measures loss and scores of models, each on fresh samples of its own.

    Args:
        task: that the models are asked.
        samples: of each.
        seed: of the first; the samples of further ones go on from there.
    """

    def __init__(self, task: Task[Any], samples: int, seed: int) -> None:
        if samples < 1:
            raise InputError(f"samples must be a whole number, at least 1, got {samples!r:.40}")
        self._task, self._samples = task, samples
        self._generator = torch.Generator().manual_seed(seed)

    @torch.no_grad()
    def of(self, model: Any) -> dict[str, float]:
        """Loss and scores of a model on the CPU, by name.

        Raises:
            InputError: if the task drew values that it cannot express.
        """
        from mcinterp.model.fused import training_forward  # brings TransformerLens, which takes seconds to load

        batch = self._task.draw(self._samples, self._generator)
        if n_unfit := int(self._task.n_unfit(batch)):
            raise InputError(f"the task drew values of which {self._task.unfit_sentence(n_unfit)}")
        forward = training_forward(model)
        output = torch.cat([forward(part) for part in torch.split(batch.inputs, PART)]).float()
        scores = self._task.scores(output, batch)
        return {"loss": float(self._task.loss(output, batch)), **{name: float(scores[name]) for name in scores}}


def read_curve(path: Path, task: Task[Any]) -> tuple[pd.DataFrame, list[str]]:
    """A curve that was written down as a table: `step`, and any of `loss` and the task's scores.

    Returns:
        the curve by step, in order, and what of the table is nothing that is known here.

    Raises:
        CheckpointError: if it cannot be read, lacks steps or scores, or has steps that are none or stand twice.
    """
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read as a table: {reason(error)}") from None
    known = ["loss", *task.score_names]
    kept = [name for name in known if name in table]
    if "step" not in table or not kept:
        found = ", ".join(f"{name!s:.40}" for name in list(table)[:8])
        raise CheckpointError(f"{path} begins with {found}; expected step, and any of {', '.join(known)}")
    return _by_step(table, kept, path), [str(name) for name in table if name not in ("step", *kept)]


def joined(measured: Mapping[int, Mapping[str, float]], theirs: pd.DataFrame | None, task_section: Any) -> pd.DataFrame:
    """The curve that a run keeps: what was written down, and of scores that were not, what was measured.

    The two are never mixed within one score, whose noise would differ from point to point.

    Args:
        measured: by step, of every checkpoint.
        theirs: as `read_curve` gives it; None where nothing was written down.
        task_section: of the run.
    """
    names = ["loss", *make_task(task_section).score_names]
    own = pd.DataFrame({name: {step: each[name] for step, each in measured.items()} for name in names})
    curve = own if theirs is None else pd.concat([theirs, own[[n for n in names if n not in theirs]]], axis=1)
    curve = curve.sort_index()[names].astype(float)
    curve.insert(0, "step", curve.index)
    # Neither is known of a training that happened elsewhere; 0 seconds are read as a time that was not kept.
    return curve.assign(learning_rate=np.nan, seconds=0.0)


def _by_step(table: pd.DataFrame, kept: Sequence[str], path: Path) -> pd.DataFrame:
    steps = pd.to_numeric(table["step"], errors="coerce")
    if (steps.isna() | (steps < 0) | (steps % 1 != 0)).any():
        raise CheckpointError(f"{path}: step must be whole numbers, 0 or more, in every line")
    if steps.duplicated().any():
        raise CheckpointError(f"{path} has step {int(steps[steps.duplicated()].iloc[0])} twice")
    values = table[list(kept)].apply(pd.to_numeric, errors="coerce").set_index(steps.astype(int).to_numpy())
    return values.sort_index()
