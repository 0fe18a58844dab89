"""Train the runs of a sweep, one after the other, side by side, or on a Dask cluster.

Every run is an ordinary folder, so whatever ends a sweep, the same call goes on: finished runs are kept, others
continue from their training state. joblib does the fan-out; its Dask backend takes the same tasks to a cluster, whose
scheduler gives the run of a dead worker to another one. What even that loses is handed out again, `ROUNDS` times.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from mcinterp.config import RunConfig
from mcinterp.errors import CheckpointError, ConfigError, McinterpError, RunBusyError, UsageError, reason
from mcinterp.launch import refuse_several
from mcinterp.runs.device import resolve_device
from mcinterp.runs.fanout import FanOut, Stop, fan_out, is_lost_worker, looking_for, stop_on_signal
from mcinterp.runs.files import write_atomic
from mcinterp.runs.grid import SWEEP, Sweep, SweepRun
from mcinterp.runs.run import CONFIG, STATE, Run
from mcinterp.runs.train import train

FAILURES = "failures.json"
"""Runs of a sweep's folder whose latest training failed, each with its sentence."""
ROUNDS = 3
"""Runs whose process was lost, or that another process is training, are tried so often."""
LOST = f"its process died {ROUNDS} times; too little memory is a common reason"


@dataclass(frozen=True)
class Outcome:
    """What became of one run.

    Attributes:
        name: of the run.
        state: 'kept' (it was finished before), 'finished', 'stopped' (it goes on next time), 'busy' (another process is
            training it) or 'failed'.
        sentence: why it failed or is busy.
        continued: whether training had begun before.
        seconds: that it took.
    """

    name: str
    state: str
    sentence: str = ""
    continued: bool = False
    seconds: float = 0.0


def run_sweep(
    sweep: Sweep,
    out: Path | str,
    jobs: int = 1,
    scheduler: str | None = None,
    device: str = "auto",
    threads: int | None = None,
    progress: Callable[[Outcome], None] | None = None,
) -> list[Outcome]:
    """Train every run of a sweep that is not finished, into `out`/<its name>.

    A run that fails does not stop the others. Ctrl-C lets every running training finish its step and save. On a CPU the
    weights are the same to the last bit whatever `jobs` and `scheduler` are, where `threads` and packages are the same.

    Args:
        sweep: the grid.
        out: the sweep's folder.
        jobs: runs trained at the same time on this machine, each in a process of its own.
        scheduler: address of a Dask scheduler, such as tcp://host:8786; its workers need to see the same file system
            and have the same packages. They decide how many runs are trained at the same time.
        device: of every training.
        threads: CPU threads of each training; by default this machine's divided by `jobs`, and one on a cluster, where
            a worker trains as many runs at the same time as it has threads.
        progress: told of every run when it ends.

    Returns:
        what became of each run, in the order of the grid.

    Raises:
        ConfigError: before anything is trained, if a run stands with another configuration.
        UsageError: if Dask is asked for but not installed, or by what is no address, `jobs` is given with `scheduler`,
            or a launcher has started several processes.
        TrainingError: if no Dask scheduler answers, or it has no worker.
    """
    refuse_several("a sweep")
    if scheduler and jobs != 1:
        raise UsageError(
            "--jobs counts processes of this machine; with --scheduler, its workers decide how many there are"
        )
    if not scheduler:
        resolve_device(device)
    folder = _prepared(sweep, Path(out))
    log = _Log(folder, progress)
    left = {run.name: run for run in sweep.runs if not _complete(folder / run.name)}
    for run in sweep.runs:
        if run.name not in left:
            log.add(Outcome(run.name, "kept"))
    threads = threads or (1 if scheduler else max(1, torch.get_num_threads() // jobs))
    if left:
        with fan_out(scheduler, jobs) as hand_out, stop_on_signal(folder) as stop:
            _train_all(left, folder, (device, threads), hand_out, stop, log)
    return [log.outcomes[run.name] for run in sweep.runs]


def read_failures(folder: Path) -> dict[str, str]:
    """Why runs of a sweep's folder failed, by name."""
    try:
        return dict(json.loads((folder / FAILURES).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(f"{folder / FAILURES} cannot be read: {reason(error)}") from None


def _prepared(sweep: Sweep, folder: Path) -> Path:
    """The sweep's folder, with its declaration, once no run in it contradicts that."""
    if (folder / CONFIG).is_file():
        raise ConfigError(f"{folder} is the folder of a run; a sweep needs one of its own")
    for run in sweep.runs:
        if (folder / run.name / CONFIG).is_file():
            Run(folder / run.name).refuse_other(run.config)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sweep.save(folder)
    except OSError as error:
        raise CheckpointError(f"a sweep cannot be written to {folder}: {reason(error)}") from None
    return folder.resolve()


def _complete(path: Path) -> bool:
    """Whether a run is finished, with its checkpoints across the drop."""
    return (path / CONFIG).is_file() and Run(path).complete


class _Log:
    """Outcomes so far; failures are written down for the summary."""

    def __init__(self, folder: Path, progress: Callable[[Outcome], None] | None) -> None:
        self.outcomes: dict[str, Outcome] = {}
        self._file, self._failures, self._progress = folder / FAILURES, read_failures(folder), progress

    def add(self, outcome: Outcome) -> None:
        before = dict(self._failures)
        self.outcomes[outcome.name] = outcome
        self._failures.pop(outcome.name, None)
        if outcome.state == "failed":
            self._failures[outcome.name] = outcome.sentence
        if self._failures != before:
            write_atomic(self._file, json.dumps(self._failures, indent=2, ensure_ascii=False).encode())
        if self._progress:
            self._progress(outcome)


def _train_all(
    left: dict[str, SweepRun], folder: Path, how: tuple[str, int], hand_out: FanOut, stop: Stop, log: _Log
) -> None:
    """Train what is left; what a round loses comes again in the next."""
    busy: dict[str, Outcome] = {}
    for number in range(ROUNDS):
        if number:
            stop.end_round()
        tasks = [(name, folder / name, run.config.model_dump(), *how, stop.file) for name, run in left.items()]
        try:
            for outcome in hand_out(_train_one, tasks):
                if outcome.state == "stopped" and not stop.asked:
                    stop.ask()  # a signal may have reached that training alone
                if outcome.state == "busy":
                    busy[outcome.name] = outcome
                    continue
                del left[outcome.name]
                log.add(outcome)
        except Exception as error:
            if not is_lost_worker(error):
                raise
        if stop.asked or not left:
            break
    for name in left:
        lost = Outcome(name, "stopped") if stop.asked else Outcome(name, "failed", LOST)
        log.add(busy.get(name, lost))


def _train_one(name: str, path: Path, config: dict[str, Any], device: str, threads: int, stop_file: Path) -> Outcome:
    """Train one run, here or on any machine that sees its folder."""
    if not (path.parent / SWEEP).is_file():
        sentence = f"a worker does not see {path.parent}: on a cluster, all workers need the same file system"
        return Outcome(name, "failed", sentence)
    stop = looking_for(stop_file)
    if stop():
        return Outcome(name, "stopped")
    start, continued = time.monotonic(), (path / STATE).is_file()
    state, sentence = "stopped", ""
    threads_before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        train(path, RunConfig.model_validate(config), device, stop=stop)
        if _complete(path):
            state = "finished"
    except RunBusyError as error:
        state, sentence = "busy", str(error)
    except (McinterpError, OSError, MemoryError, RuntimeError) as error:  # RuntimeError: torch, out of memory
        state, sentence = "failed", " ".join(str(error).split())
    finally:
        torch.set_num_threads(threads_before)
    return Outcome(name, state, sentence, continued, time.monotonic() - start)
