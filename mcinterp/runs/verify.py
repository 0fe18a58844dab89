"""Read a whole run with suspicion: every file, each against the others."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from mcinterp.errors import CheckpointError, ConfigError, McinterpError
from mcinterp.model.plain import trainable
from mcinterp.runs.checkpoint import Checkpoint
from mcinterp.runs.files import is_leftover
from mcinterp.runs.run import METRICS, STATE, Run
from mcinterp.runs.start import starting_model
from mcinterp.runs.state import load_state, replay_files
from mcinterp.training.loop import TrainState


def verify(run: Run) -> list[str]:
    """Everything that is wrong with a run, a sentence each, naming the file; [] for a whole one.

    A run that is being trained meanwhile may look half-written.
    """
    try:
        _ = run.config
    except ConfigError as error:
        return [str(error)]
    return [*_checkpoints(run), *_states(run), *_strangers(run)]


def _checkpoints(run: Run) -> Iterator[str]:
    whole: list[Checkpoint] = []
    for step in run.steps:
        try:
            whole.append(run.checkpoint(step))
        except CheckpointError as error:
            yield str(error)
    path = run.path / METRICS
    try:
        metrics = run.metrics
        torn = not path.read_text(encoding="utf-8").endswith("\n")
    except CheckpointError as error:
        yield str(error)
        return
    if torn:
        yield f"{path} ends in a line that was cut off; it is left out"
    if len(metrics) and len(metrics) != metrics["step"].iloc[-1]:
        return  # an excerpt whose measurements are not those of single steps
    for checkpoint in whole:
        if checkpoint.step > len(metrics):
            yield f"{path} ends at step {len(metrics)}, before the checkpoint at step {checkpoint.step}"
            continue
        for name, value in checkpoint.metrics.items():
            logged = float(metrics[name].iloc[checkpoint.step - 1]) if name in metrics else math.nan
            if logged != value and not (math.isnan(logged) and math.isnan(value)):
                yield f"{path} has {name} {logged!r} at step {checkpoint.step}, its checkpoint {value!r}"
                break


def _states(run: Run) -> Iterator[str]:
    files = [run.path / STATE, *replay_files(run)]
    if not files[1:] and not files[0].exists():
        return
    # The first one is saved right after the first checkpoint that follows step 0.
    if not files[0].exists() and len(run.steps) <= 2:
        files = files[1:]
    try:
        state = TrainState.fresh(trainable(starting_model(run)), run.config.training)
    except McinterpError as error:
        yield str(error)
        return
    for file in files:
        try:
            load_state(run, file, state)
        except CheckpointError as error:
            yield str(error)


def _strangers(run: Run) -> Iterator[str]:
    for path in sorted(_content(run.path)):
        if path.is_symlink():
            yield f"{path} is a symbolic link: what it leads to is not this run's own"
        elif is_leftover(path):
            yield f"{path} was being written when its process ended; the next training on that machine removes it"


def _content(folder: Path) -> Iterator[Path]:
    """What is in a run's folder, and in its own folders."""
    for path in folder.iterdir():
        yield path
        if (
            path.is_dir()
            and not path.is_symlink()
            and not is_leftover(path)
            and path.name.startswith(("step-", "replay"))
        ):
            yield from path.iterdir()
