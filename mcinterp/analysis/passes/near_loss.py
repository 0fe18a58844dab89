"""The progress score near each checkpoint of a run, with its interval."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from mcinterp.analysis.passes.onset import Curve
from mcinterp.analysis.registry import missing
from mcinterp.analysis.sample_scores import SampleScores, main_score
from mcinterp.analysis.statistics import Estimate, mean_estimate
from mcinterp.runs import Checkpoint, Run
from mcinterp.runs.run import RULED_OUT
from mcinterp.task import make_task

NEAR = "mean over the training batches next to each checkpoint"
SAMPLES = 512
"""That an imported checkpoint is measured on, where its run has no curve that is known at more steps than these."""


def near_loss(run: Run, steps: Sequence[int], seed: int) -> tuple[Curve, str]:
    """The progress score at each step with its 95 % interval, and what it is the mean of.

    Of a run that was trained here, or whose curve came along, it is the mean over the stretch of training next to the
    checkpoint. Of other imported runs it is measured.

    Args:
        run: whose checkpoints.
        steps: of these.
        seed: of the samples, where it is measured.
    """
    score, metrics = make_task(run.config.task).progress_score, run.metrics
    if run.is_imported:  # its curve may be known at some steps only
        metrics = metrics.dropna(subset=[score])
    if run.is_imported and len(metrics) < RULED_OUT and not missing(("sample_scores",), run.config):
        found = [_measured(run.checkpoint(step), seed) for step in steps]
        return _curve(found), f"n = {SAMPLES} fresh samples, seed {seed}"
    around = max(1, len(metrics) // 200)
    values = metrics[score].to_numpy()
    at = np.searchsorted(metrics["step"].to_numpy(), steps)
    return _curve([mean_estimate(values[max(0, i - around) : i + around + 1]) for i in at]), NEAR


@torch.no_grad()
def _measured(checkpoint: Checkpoint, seed: int) -> Estimate:
    batch = checkpoint.sample(SAMPLES, seed)
    answers = checkpoint.model.read(checkpoint.model(batch.inputs))
    return SampleScores.told(checkpoint.task, answers, batch).mean(main_score(checkpoint.task))


def _curve(estimates: Sequence[Estimate]) -> Curve:
    return Curve(*(np.array([float(getattr(one, end)) for one in estimates]) for end in ("value", "low", "high")))
