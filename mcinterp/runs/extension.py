"""A run's folder, made, opened, or extended by more steps."""

from __future__ import annotations

from pathlib import Path

import torch

from mcinterp.config import RunConfig
from mcinterp.errors import CheckpointError, ConfigError, reason
from mcinterp.runs.device import known_precision
from mcinterp.runs.files import write_atomic
from mcinterp.runs.lock import sole_writer
from mcinterp.runs.run import CONFIG, REPLAY, Run
from mcinterp.runs.start import refuse_imported


def open_or_create(path: Path, config: RunConfig, device: torch.device) -> Run:
    """The run of that configuration in a folder: made where there is none, extended where it is shorter.

    A run that is made has the precision that its `device` computes with, where it is said to be 'auto'.

    Raises:
        ConfigError: if another run stands there, or one that cannot be extended.
        CheckpointError: if the folder cannot be written to.
        TrainingError: if the run was trained elsewhere.
        RunBusyError: if the run is to be extended while another process trains it.
    """
    if not (path / CONFIG).exists():
        try:
            path.mkdir(parents=True, exist_ok=True)
            _write(path, known_precision(config, device).of_length(config.training.steps, ()))
        except OSError as error:
            raise CheckpointError(f"a run cannot be written to {path}: {reason(error)}") from None
    run = Run(path)
    refuse_imported(run, "trained on")
    if _is_longer(config, run.config):
        run = _extended(run, config.training.steps)
    run.refuse_other(config)
    return run


def _is_longer(config: RunConfig, than: RunConfig) -> bool:
    """Whether a configuration differs from another in a larger number of steps, and in nothing else."""
    unlike = than.unlike(config).keys() - {"training.extended"}
    return unlike == {"training.steps"} and config.training.steps > than.training.steps


def _extended(run: Run, steps: int) -> Run:
    """The run with more steps to do; what it has done stands, and its checkpoints keep the hash they were saved with.

    Raises:
        ConfigError: if its learning rate depends on how many steps there are, or it is an excerpt.
    """
    training = run.config.training
    why = ""
    if training.schedule != "constant":
        why = f"on a {training.schedule} schedule, every rate depends on how many steps there are"
    if run.is_excerpt:
        why = "it is an excerpt, which has no training state"
    if why:
        raise ConfigError(
            f"run {run.name} cannot be extended from {training.steps} to {steps} steps: {why}; a new run can go on "
            f"from its weights: --run NEW --from {run.path}"
        )
    with sole_writer(run.path, REPLAY):
        _write(run.path, run.config.of_length(steps, (*training.extended, training.steps)))
    return Run(run.path)


def _write(path: Path, config: RunConfig) -> None:
    write_atomic(path / CONFIG, config.to_yaml().encode())
