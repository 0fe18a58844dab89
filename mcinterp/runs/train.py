"""Training into a run's folder: start, continue, stop, and replay densely across the drop."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TextIO

import torch

from mcinterp.config import RunConfig
from mcinterp.errors import CheckpointError, ConfigError, InputError, TrainingError
from mcinterp.model.encoder import trainable
from mcinterp.model.fused import training_forward
from mcinterp.runs.checkpoint import save_checkpoint, saved_digest, weights_digest
from mcinterp.runs.files import read_tensors, tensor_bytes, write_atomic
from mcinterp.runs.lock import sole_writer
from mcinterp.runs.run import CONFIG, METRICS, REPLAY, STATE, Run
from mcinterp.runs.start import starting_model
from mcinterp.task import make_task
from mcinterp.training.loop import StepRecord, TrainState, training_steps
from mcinterp.training.schedule import checkpoint_steps, replay_steps

STATE_SECONDS = 60.0
"""The training state is saved at least this often, so that a kill loses no more."""

Progress = Callable[[StepRecord], None]
Stop = Callable[[], bool]


def train(
    path: Path | str,
    config: RunConfig,
    device: str = "auto",
    progress: Progress | None = None,
    stop: Stop | None = None,
) -> Run:
    """Train a run, or go on with one that stands, and keep checkpoints densely across the drop once it is found.

    Continuing is bit-identical on a CPU to never having stopped. Ctrl-C finishes the step, saves and returns; whether
    all steps are done is then `run.finished`.

    Args:
        path: the run's folder, made if it is not there.
        config: of the run; a run that stands must have the same.
        device: `auto` (a CUDA device if there is one, else the CPU) or a torch device.
        progress: called after every step.
        stop: asked after every step; True does what Ctrl-C does, for threads and for other machines.

    Raises:
        ConfigError: if the run stands with another configuration; the fields that differ are named.
        TrainingError: if the loss diverges (the checkpoints so far are kept), or another process is training the run.
    """
    run = _open_or_create(Path(path), config)
    session = _Session(run, resolve_device(device))
    with sole_writer(run.path):
        if not run.finished:
            session.resume()
            session.train(progress, stop)
        missing = run.missing_dense_steps()
        if missing:
            session.replay(missing, progress, stop)
    return run


def densify(
    path: Path | str, first: int, last: int, every: int, device: str = "auto", progress: Progress | None = None
) -> list[int]:
    """Replay training from the nearest kept state and save checkpoints at `first`, `first + every`, … `last`.

    Returns:
        the steps that were added.

    Raises:
        InputError: if the steps do not lie within the run.
        TrainingError: if the replay is not bit-identical to the first time, or another process is training the run.
    """
    run = Run(path)
    done = int(run.metrics["step"].max())
    if not 0 <= first <= last <= done or every < 1:
        raise InputError(f"densify: need 0 ≤ from ≤ to ≤ {done} and every ≥ 1, got {first}, {last}, {every}")
    missing = [step for step in range(first, last + 1, every) if step not in run.steps]
    if missing:
        with sole_writer(run.path):
            _Session(run, resolve_device(device)).replay(missing, progress)
    return missing


def resolve_device(name: str) -> torch.device:
    """The device that a name means; `auto` is CUDA where there is one, else the CPU.

    Raises:
        InputError: if torch does not know it or this machine does not have it.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device {name!r} cannot be used here: {str(error).splitlines()[0]}") from None
    return torch.device(name)


class _Session:
    """A model in training, tied to its run's folder."""

    def __init__(self, run: Run, device: torch.device) -> None:
        self.run, self.device, self.config = run, device, run.config
        self.model = starting_model(run).move(device)
        self.task = make_task(run.config.task)
        self.state = TrainState.fresh(trainable(self.model), run.config.training)

    def resume(self) -> None:
        """Go back to the latest saved state, if training has begun."""
        if (self.run.path / STATE).is_file():
            self.state.restore(read_tensors(self.run.path / STATE))
        elif self.run.steps not in ([], [0]):
            raise TrainingError(f"run {self.run.name} cannot be continued: {self.run.path / STATE} is missing")

    def train(self, progress: Progress | None, stop: Stop | None = None) -> None:
        """Train to the end, until Ctrl-C, or until `stop` says so."""
        training = self.config.training
        at_checkpoint, at_replay = set(checkpoint_steps(training)), set(replay_steps(training))
        if self.state.step == 0:
            self._save_checkpoint({})
            self._save_state(_replay_file(self.run, 0))
        saved_at = time.monotonic()
        with _metrics_file(self.run, self.state.step) as metrics, _stop_signal() as signalled:
            for record in self._steps():
                metrics.write(record)
                # Asked once a step: a Ctrl-C that comes after this line ends the next step, which saves.
                stopping = signalled() or (stop is not None and stop())
                if record.step in at_checkpoint or stopping:
                    self._save_checkpoint({"loss": record.loss, **record.scores})
                if record.step in at_replay:
                    self._save_state(_replay_file(self.run, record.step))
                overdue = time.monotonic() - saved_at > STATE_SECONDS
                if record.step in at_checkpoint | at_replay or stopping or overdue:
                    metrics.flush()
                    self._save_state(self.run.path / STATE)
                    saved_at = time.monotonic()
                if progress:
                    progress(record)
                if stopping:
                    return

    def replay(self, steps: list[int], progress: Progress | None, stop: Stop | None = None) -> None:
        """Train again from the nearest kept state, bit-identical to the first time, saving checkpoints at `steps`."""
        self.state.restore(read_tensors(self._replay_start(steps[0])))
        logged = dict(zip(self.run.metrics["step"], self.run.metrics["loss"], strict=True))
        known = set(self.run.steps)
        if self.state.step in steps:
            self._save_checkpoint(self._logged(self.state.step))
        for record in self._steps():
            if record.loss != logged.get(record.step):
                raise self._replay_differs(record.step)
            if record.step in known and weights_digest(self.model) != saved_digest(self.run.folder(record.step)):
                raise self._replay_differs(record.step)
            if record.step in steps:
                self._save_checkpoint({"loss": record.loss, **record.scores})
            if progress:
                progress(record)
            if record.step >= steps[-1] or (stop is not None and stop()):
                return

    def _steps(self) -> Iterator[StepRecord]:
        forward = training_forward(self.model)
        try:
            yield from training_steps(self.state, self.task, forward, self.config.training, self.device)
        except TrainingError as error:
            kept = max(self.run.steps)
            raise TrainingError(f"{error}; training stopped, the checkpoint at step {kept} is kept") from None

    def _save_checkpoint(self, metrics: dict[str, float]) -> None:
        save_checkpoint(self.run.folder(self.state.step), self.model, self.state.step, self.config, metrics)

    def _logged(self, step: int) -> dict[str, float]:
        """What was measured at a step of the first time; nothing at step 0."""
        if step == 0:
            return {}
        metrics = self.run.metrics
        row = metrics["step"].to_numpy().tolist().index(step)
        return {name: float(metrics[name].to_numpy()[row]) for name in ("loss", *self.task.score_names)}

    def _save_state(self, path: Path) -> None:
        path.parent.mkdir(exist_ok=True)
        write_atomic(path, tensor_bytes(self.state.tensors()))

    def _replay_start(self, step: int) -> Path:
        kept = [file for file in (self.run.path / REPLAY).glob("step-*.safetensors") if _file_step(file) <= step]
        if not kept:
            raise TrainingError(f"run {self.run.name} keeps no training state at or before step {step} to replay from")
        return max(kept, key=_file_step)

    def _replay_differs(self, step: int) -> TrainingError:
        return TrainingError(
            f"replaying run {self.run.name} gave other numbers at step {step} than the first time; the same machine, "
            "packages and number of threads are needed"
        )


def _open_or_create(path: Path, config: RunConfig) -> Run:
    if not (path / CONFIG).exists():
        try:
            path.mkdir(parents=True, exist_ok=True)
            write_atomic(path / CONFIG, config.to_yaml().encode())
        except OSError as error:
            raise CheckpointError(f"a run cannot be written to {path}: {error}") from None
    run = Run(path)
    differences = run.config.differences(config)
    if differences:
        raise ConfigError(f"run {run.name} stands with another configuration ({'; '.join(differences)})")
    return run


def _replay_file(run: Run, step: int) -> Path:
    return run.path / REPLAY / f"step-{step:08d}.safetensors"


def _file_step(file: Path) -> int:
    return int(file.stem.removeprefix("step-"))


class _MetricsWriter:
    """Appends one line a step; the clock goes on where an earlier session stopped."""

    def __init__(self, file: TextIO, seconds: float) -> None:
        self._file = file
        self._start = time.monotonic() - seconds

    def write(self, record: StepRecord) -> None:
        values = [record.loss, *record.scores.values(), record.learning_rate]
        seconds = round(time.monotonic() - self._start, 3)
        self._file.write(",".join([str(record.step), *map(repr, values), str(seconds)]) + "\n")

    def flush(self) -> None:
        os.fsync(self._file.fileno())


@contextmanager
def _metrics_file(run: Run, step: int) -> Iterator[_MetricsWriter]:
    """Open metrics.csv to append after `step`; lines beyond it, of work that was lost, are dropped."""
    path = run.path / METRICS
    scores = make_task(run.config.task).score_names
    lines = [",".join(["step", "loss", *scores, "learning_rate", "seconds"])]
    if path.exists():
        lines = path.read_text(encoding="utf-8").splitlines()[: step + 1]
    if len(lines) != step + 1:
        raise CheckpointError(f"{path} lacks rows before step {step}, at which training goes on")
    seconds = float(lines[-1].rsplit(",", 1)[1]) if len(lines) > 1 else 0.0
    write_atomic(path, ("\n".join(lines) + "\n").encode())
    with path.open("a", buffering=1, encoding="utf-8") as file:
        yield _MetricsWriter(file, seconds)


@contextmanager
def _stop_signal() -> Iterator[Callable[[], bool]]:
    """Turn Ctrl-C into a question to ask after each step, so that no update is cut in half."""
    asked = False

    def ask(_signal: int, _frame: FrameType | None) -> None:
        nonlocal asked
        asked = True

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    previous = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
