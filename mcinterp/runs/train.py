"""Training into a run's folder: start, continue, stop, and replay densely across the drop."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Container, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from mcinterp.config import RunConfig
from mcinterp.errors import InputError, PeerError, StoppedError, TrainingError
from mcinterp.interrupt import stop_signal
from mcinterp.model.plain import trainable
from mcinterp.model.size import refuse_untrainable
from mcinterp.runs.checkpoint import save_checkpoint, saved_digest, weights_digest
from mcinterp.runs.device import resolve_device
from mcinterp.runs.extension import open_or_create
from mcinterp.runs.files import explained, write_atomic
from mcinterp.runs.lock import sole_writer
from mcinterp.runs.metrics import MetricsWriter, metrics_file
from mcinterp.runs.run import REPLAY, STATE, Run
from mcinterp.runs.space import until_space
from mcinterp.runs.start import refuse_imported, starting_model
from mcinterp.runs.state import (
    damaged_newest,
    latest_state,
    load_state,
    replay_file,
    replay_start,
    set_aside,
    state_bytes,
)
from mcinterp.task import make_task
from mcinterp.training.kernels import EAGER, called_by, check_kernels
from mcinterp.training.loop import StepRecord, TrainState, training_steps
from mcinterp.training.memory import keep_freed_memory
from mcinterp.training.schedule import checkpoint_steps, replay_steps
from mcinterp.training.together import Alone, join

STATE_SECONDS = 60.0
"""The training state is saved at least this often, so that a kill loses no more."""

log = logging.getLogger(__name__)

Progress = Callable[[StepRecord], None]
Stop = Callable[[], bool]


def train(
    path: Path | str,
    config: RunConfig,
    device: str = "auto",
    progress: Progress | None = None,
    stop: Stop | None = None,
    wait_for_space: bool = False,
    kernels: str = EAGER,
) -> Run:
    """Train a run, or go on with one that stands, and keep checkpoints densely across the drop once it is found.

    Continuing is bit-identical on a CPU to never having stopped. Ctrl-C finishes the step, saves and returns; whether
    all is done, checkpoints across the drop included, is then `run.complete`. Processes that `accelerate launch` or
    torchrun has started together share every batch; all of them see the run's folder, and the main one writes. Their
    number may change when a run goes on, but then numbers agree to rounding only.

    A configuration that differs from the run's in a larger number of steps alone extends it in place, bit-identical on
    a CPU to a run of so many steps from the start; the learning rate has to be constant, where it does not depend on
    how many steps there are.

    Whatever is damaged is told in a warning: a newest checkpoint is set aside and trained again, and a training state
    passed over for the one before.

    Args:
        path: the run's folder, made if it is not there.
        config: of the run; a run that stands must have the same.
        device: `auto` (a CUDA device if there is one, else the CPU) or a torch device.
        progress: called after every step, in the main process.
        stop: asked at every step; True does what Ctrl-C does, for threads and for other machines.
        wait_for_space: on a full disk wait until there is space again, instead of ending with an error.
        kernels: how they are called (see `mcinterp.training.kernels`), which changes what a step takes and, where they
            are compiled, its numbers to rounding, so that such a run cannot be replayed with others.

    Raises:
        ConfigError: if the run stands with another configuration; the fields that differ are named. If it cannot be
            extended.
        InputError: if the machine has not the memory for it, or the device does not call kernels so.
        CheckpointError: if what is on disk belongs to another configuration, or cannot be written.
        TrainingError: if the loss diverges (the checkpoints so far are kept), another process is training the run, no
            whole training state is left, or one of those that train it together has failed.
    """
    together = join(resolve_device(device))
    with together.working():
        check_kernels(kernels, together.device)
        refuse_untrainable(config)
        run = together.from_main(lambda: open_or_create(Path(path), config, together.device))
        with _writing(run, together), stop_signal() as signalled:
            asked = _either(signalled, stop)
            session = _Session(run, together, wait_for_space, kernels)
            damaged = together.from_main(lambda: damaged_newest(run))
            if damaged or not together.from_main(lambda: run.finished):
                source = together.from_main(lambda: latest_state(run, session.state, min(damaged, default=None)))
                # Not before there is something to train them again from.
                together.from_main(lambda: set_aside(run, damaged))
                session.resume(source)
                session.train(progress, asked)
            missing = together.from_main(run.missing_dense_steps)
            if missing and not asked():
                session.replay(missing, progress, asked)
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
        StoppedError: by Ctrl-C, once a step is finished; what was added stands, and the same call goes on.
    """
    run = Run(path)
    refuse_imported(run, "replayed")
    done = run.steps_done
    if not 0 <= first <= last <= done or every < 1:
        raise InputError(f"densify: need 0 ≤ from ≤ to ≤ {done} and every ≥ 1, got {first}, {last}, {every}")
    together = join(resolve_device(device))
    with together.working():
        missing = together.from_main(lambda: [at for at in range(first, last + 1, every) if at not in run.steps])
        if missing:
            with _writing(run, together), stop_signal() as signalled:
                _Session(run, together).replay(missing, progress, signalled)
    left = [step for step in missing if step not in run.steps]
    if left:
        added = len(missing) - len(left)
        raise StoppedError(
            f"stopped with {added} of {len(missing)} checkpoints added; the same call goes on from there"
        )
    return missing


def _either(signalled: Stop, stop: Stop | None) -> Stop:
    return signalled if stop is None else lambda: signalled() or stop()


class _Session:
    """A model in training, tied to its run's folder, to which the main process writes."""

    def __init__(self, run: Run, together: Alone, wait_for_space: bool = False, kernels: str = EAGER) -> None:
        if together.device.type == "cpu":
            keep_freed_memory()
        self.run, self.together, self.config, self.wait_for_space = run, together, run.config, wait_for_space
        self.stop: Stop = bool
        self.kernels = kernels
        self.model = starting_model(run).move(together.device)
        self.task = make_task(run.config.task)
        self.state = TrainState.fresh(trainable(self.model), run.config.training)

    def resume(self, source: Path | None) -> None:
        """Go back to a saved state, if training has begun."""
        if source is not None:
            other = load_state(self.run, source, self.state)
            if source != self.run.path / STATE and self.together.is_main:
                log.warning(f"run {self.run.name} goes on from {source}")
            if other and self.together.is_main:
                log.warning(
                    f"run {self.run.name} was saved on {other} and goes on on {self.together.device.type}: from step "
                    f"{self.state.step} on its data are drawn anew, from seed and step"
                )
        if self.together.from_main(lambda: self.state.step) != self.state.step:
            raise TrainingError(f"not all processes see the same files in {self.run.path}")

    def train(self, progress: Progress | None, stop: Stop) -> None:
        """Train to the end, or until `stop` says so."""
        training = self.config.training
        at_checkpoint, at_replay = set(checkpoint_steps(training)), set(replay_steps(training))
        self.stop = stop
        if self.state.step == 0:
            self._save_checkpoint({})
            self._save_state(replay_file(self.run, 0))
        steps = self._steps(at_checkpoint | at_replay, stop)
        with self._metrics() as metrics:
            if metrics is None:
                deque(steps, maxlen=0)
            else:
                self._keep(steps, metrics, at_checkpoint, at_replay, progress)

    def _keep(
        self,
        steps: Iterator[StepRecord],
        metrics: MetricsWriter,
        at_checkpoint: set[int],
        at_replay: set[int],
        progress: Progress | None,
    ) -> None:
        """Write down what training does, to its last step."""
        saved_at, record = time.monotonic(), None
        for record in steps:
            metrics.add(record)
            self._write(metrics.write)
            # Several records may come at a time, and the state is that of the last of them.
            if record.step == self.state.step:
                if record.step in at_checkpoint:
                    self._save_checkpoint({"loss": record.loss, **record.scores})
                if record.step in at_replay:
                    self._save_state(replay_file(self.run, record.step))
                if record.step in at_checkpoint | at_replay or time.monotonic() - saved_at > STATE_SECONDS:
                    self._write(metrics.flush)
                    self._save_state(self.run.path / STATE)
                    saved_at = time.monotonic()
            if progress:
                progress(record)
        if record and record.step not in at_checkpoint:
            self._save_checkpoint({"loss": record.loss, **record.scores})
            self._write(metrics.flush)
            self._save_state(self.run.path / STATE)

    def replay(self, steps: list[int], progress: Progress | None, stop: Stop) -> None:
        """Train again from the nearest kept state, bit-identical to the first time, saving checkpoints at `steps`."""
        self.stop = stop
        start, other = replay_start(self.run, steps[0], self.state)
        if other:
            raise TrainingError(f"{start} was saved on {other}, and can be replayed on such a device only")
        logged = dict(zip(self.run.metrics["step"], self.run.metrics["loss"], strict=True))
        known = set(self.run.steps)
        if self.state.step in steps:
            self._save_checkpoint(self._logged(self.state.step))
        for record in self._steps(known.union(steps), stop):
            if record.loss != logged.get(record.step):
                raise self._replay_differs(record.step)
            if record.step in known and weights_digest(self.model) != saved_digest(self.run.folder(record.step)):
                raise self._replay_differs(record.step)
            if record.step in steps:
                self._save_checkpoint({"loss": record.loss, **record.scores})
            if progress and self.together.is_main:
                progress(record)
            if record.step >= steps[-1]:
                return

    def _steps(self, pauses: Container[int], stop: Stop) -> Iterator[StepRecord]:
        from mcinterp.model.fused import training_forward  # brings TransformerLens, which takes seconds to load

        forward = called_by(self.kernels, self.model, training_forward(self.model))
        training, together = self.config.training, self.together
        try:
            yield from training_steps(
                self.state, self.task, forward, training, together.device, together=together, pauses=pauses, stop=stop
            )
        except PeerError:
            raise
        except TrainingError as error:
            kept = max(self.run.steps)
            raise TrainingError(f"{error}; training stopped, the checkpoint at step {kept} is kept") from None

    def _metrics(self) -> AbstractContextManager[MetricsWriter | None]:
        return metrics_file(self.run, self.state.step) if self.together.is_main else nullcontext()

    def _save_checkpoint(self, metrics: dict[str, float]) -> None:
        if self.together.is_main:
            folder, step = self.run.folder(self.state.step), self.state.step
            self._write(lambda: save_checkpoint(folder, self.model, step, self.config, metrics))

    def _logged(self, step: int) -> dict[str, float]:
        """What was measured at a step of the first time; nothing at step 0."""
        if step == 0:
            return {}
        metrics = self.run.metrics
        at = metrics["step"].to_numpy().tolist().index(step)
        return {name: float(metrics[name].to_numpy()[at]) for name in ("loss", *self.task.score_names)}

    def _save_state(self, path: Path) -> None:
        if self.together.is_main:
            content = state_bytes(self.run, self.state)
            with explained(path):
                path.parent.mkdir(exist_ok=True)
            self._write(lambda: write_atomic(path, content))

    def _write(self, write: Callable[[], None]) -> None:
        """Write, and wait on a full disk if that was asked for."""
        if self.wait_for_space:
            until_space(write, self.stop)
        else:
            write()

    def _replay_differs(self, step: int) -> TrainingError:
        return TrainingError(
            f"replaying run {self.run.name} gave other numbers at step {step} than the first time; the same machine, "
            "packages and number of threads and of processes are needed"
        )


def _writing(run: Run, together: Alone) -> AbstractContextManager[None]:
    """Hold the run's folder, in the process that writes to it."""
    return sole_writer(run.path, REPLAY) if together.is_main else nullcontext()
