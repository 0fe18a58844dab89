"""Dead networks whose output is made less confident: their gradients, and whether they learn again."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch

from mcinterp.analysis.statistics import interval_columns, mean_estimate
from mcinterp.config import RunConfig
from mcinterp.model.plain import load_weights, trainable
from mcinterp.results import Result, Table
from mcinterp.runs import Run
from mcinterp.studies.ghost_points.dynamics import Floats
from mcinterp.studies.ghost_points.model import RecurrentNetworks
from mcinterp.studies.ghost_points.networks import losses_of, outcomes
from mcinterp.studies.ghost_points.task import DelayedSwitch
from mcinterp.study.trained import changed
from mcinterp.training.loop import TrainState, training_steps

REVIVAL = "revival"
DEADLY = 0.1
"""Learning rate of the run whose dead networks go on."""
LOWER = (10.0, 5.0, 2.0, 1.0)
"""Gains that they go on with, the first being the one that they died at."""
UPDATES = 100
"""As many as the authors' networks go on for."""

REVIVAL_COLUMNS = {
    "gain": "of the output, from here on",
    "rate": "learning rate",
    "updates": "that the networks go on for",
    "n": "networks that had dropped and died",
    "seed": "of the first network of their run",
    **interval_columns("gradient", "mean over networks of log10 of the norm of the gradient at the dead weights"),
    **interval_columns("regained", "gradient less that of the same networks at the gain that they died at"),
    **interval_columns("before", "share of the steps on the right side of ½ at the dead weights; mean over networks"),
    **interval_columns("after", "the same after the updates"),
}


def revival(run: Run) -> Result:
    """Let the dead networks of a run go on with other gains, from their last weights, by the ordinary training loop."""
    dead = np.flatnonzero(outcomes(losses_of(run))["died"]).tolist()
    at_death = _gradients(run, dead, LOWER[0]) if dead else np.empty(0)
    rows = [_row(run, dead, gain, at_death) for gain in LOWER] if dead else []
    settings = {"updates": UPDATES}
    return Result(REVIVAL, "Dead networks at lower gain", settings, {}, {"revival": Table.of(REVIVAL_COLUMNS, rows)})


def _row(run: Run, dead: Sequence[int], gain: float, at_death: Floats) -> dict[str, Any]:
    model, config = _dead(run, dead, gain)
    gradient, before = _gradients(run, dead, gain), _right(model, config)
    state = TrainState.fresh(trainable(model), config.training)
    deque(training_steps(state, _task(config), model, config.training, torch.device("cpu")), maxlen=0)
    columns = mean_estimate(gradient).columns("gradient") | mean_estimate(gradient - at_death).columns("regained")
    columns |= mean_estimate(before).columns("before") | mean_estimate(_right(model, config)).columns("after")
    about = {"gain": gain, "rate": config.training.learning_rate, "updates": UPDATES}
    return about | {"n": len(dead), "seed": config.training.seed} | columns


def _dead(run: Run, dead: Sequence[int], gain: float) -> tuple[RecurrentNetworks, RunConfig]:
    """The dead networks of a run, with another gain, and how they go on."""
    config = changed(run.config, {"task.networks": len(dead), "training.steps": UPDATES, "model.gain": gain})
    model = RecurrentNetworks(cast(Any, config.model), len(dead))
    weights = run.checkpoint("last").weights
    load_weights(model, {name: value[list(dead)] for name, value in weights.items()}, f"run {run.name}")
    return model, config


def _gradients(run: Run, dead: Sequence[int], gain: float) -> Floats:
    """log10 of the norm of each dead network's gradient; of the smallest number there is where it is 0."""
    model, config = _dead(run, dead, gain)
    task = _task(config)
    batch = task.draw(1, torch.Generator())
    parts = torch.autograd.grad(task.loss(model(batch.inputs), batch), list(model.parameters()))
    squares = torch.stack([part.double().square().flatten(1).sum(1) for part in parts]).sum(0).numpy()
    return np.log10(np.maximum(squares, np.finfo(np.float64).tiny)) / 2


def _right(model: RecurrentNetworks, config: RunConfig) -> Floats:
    """Share of the steps at which each network's output is on the right side of ½."""
    batch = _task(config).draw(1, torch.Generator())
    with torch.no_grad():
        right = (model(batch.inputs)[0] > 0.5) == (batch.targets[0, :, None] > 0.5)
    return right.double().mean(0).numpy()


def _task(config: RunConfig) -> DelayedSwitch:
    return DelayedSwitch(cast(Any, config.task))
