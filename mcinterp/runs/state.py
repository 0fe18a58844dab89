"""Training states on disk: saved, found again, and passed over where they are damaged."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path

from mcinterp.errors import DamagedError, TrainingError
from mcinterp.model.plain import check_weights
from mcinterp.runs.files import read_sealed, sealed_bytes
from mcinterp.runs.run import REPLAY, STATE, Run
from mcinterp.training.loop import TrainState

DAMAGED = ".damaged"
"""What is added to the name of a checkpoint that is set aside."""

log = logging.getLogger(__name__)


def state_bytes(run: Run, state: TrainState) -> bytes:
    """A training state as the file that `load_state` reads."""
    return sealed_bytes(state.tensors(), run.config.hash)


def load_state(run: Run, file: Path, state: TrainState) -> str | None:
    """Go back to a stored state; returns the kind of device it was saved on, where its data cannot go on here.

    Raises:
        DamagedError: if the file is missing, damaged, of another step than its name says, or holds other tensors.
        CheckpointError: if it belongs to another configuration.
    """
    expected = state.tensors()
    stored = read_sealed(file, run.config.known_as, expected)
    drawn = {name for name in expected.keys() | stored.keys() if name.partition(".")[0] == "generator"}
    wanted, found = ({name: each[name] for name in each.keys() - drawn} for each in (expected, stored))
    try:
        check_weights(wanted, found, str(file))
        if file.parent.name == REPLAY and int(stored["step"]) != file_step(file):
            raise DamagedError(f"{file} belongs to step {int(stored['step'])}: the file was renamed or swapped")
        return state.restore(stored)
    except DamagedError:
        raise
    except Exception as error:  # torch raises RuntimeError for a generator's state that is none
        raise DamagedError(str(error)) from None


def latest_state(run: Run, state: TrainState, before: int | None) -> Path | None:
    """The newest whole state to go on from; None where training begins. Damaged ones are told.

    Args:
        run: that is trained.
        state: that states are tried with.
        before: the state must be of an earlier step than this; None for any.

    Raises:
        TrainingError: if checkpoints stand but no whole state is left.
        CheckpointError: if a state belongs to another configuration.
    """
    newest = run.path / STATE
    whole = [step for step in run.steps if before is None or step < before]
    if before == 0 or (whole in ([], [0]) and not newest.exists()):
        return None
    for file in [newest, *replay_files(run)]:
        try:
            load_state(run, file, state)
        except DamagedError as error:
            log.warning(str(error))
            continue
        if before is None or state.step < before:
            return file
    raise TrainingError(f"run {run.name} cannot be continued: no whole training state is left in {run.path}")


def damaged_newest(run: Run) -> dict[int, str]:
    """The newest checkpoints down to the first whole one: step → what is wrong; {} where the newest is whole."""
    damaged: dict[int, str] = {}
    for step in reversed(run.steps):
        try:
            run.checkpoint(step)
            break
        except DamagedError as error:
            damaged[step] = str(error)
    return damaged


def set_aside(run: Run, damaged: Mapping[int, str]) -> None:
    """Rename damaged checkpoints, to be trained again, and tell."""
    for step, sentence in damaged.items():
        folder = run.folder(step)
        aside = folder.with_name(folder.name + DAMAGED)
        shutil.rmtree(aside, ignore_errors=True)
        folder.replace(aside)
        log.warning(f"{sentence}; it is now {aside.name}, and the run goes on from before it")


def replay_start(run: Run, step: int, state: TrainState) -> tuple[Path, str | None]:
    """The newest whole state at or before a step, loaded, and the kind of device it was saved on, if another.

    Raises:
        TrainingError: if there is none.
    """
    for file in replay_files(run):
        if file_step(file) <= step:
            try:
                return file, load_state(run, file, state)
            except DamagedError as error:
                log.warning(f"{error}; replaying from an earlier state")
    raise TrainingError(f"run {run.name} keeps no training state at or before step {step} to replay from")


def replay_file(run: Run, step: int) -> Path:
    """Where the state at a step is kept for replay."""
    return run.path / REPLAY / f"step-{step:08d}.safetensors"


def replay_files(run: Run) -> list[Path]:
    """States kept for replay, the newest first."""
    return sorted((run.path / REPLAY).glob("step-*.safetensors"), key=file_step, reverse=True)


def file_step(file: Path) -> int:
    """The step in a state's name; -1 for a name that has none."""
    number = file.stem.removeprefix("step-")
    return int(number) if number.isdecimal() else -1
