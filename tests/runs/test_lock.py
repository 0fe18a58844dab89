"""One writer a run: a second one is refused, and a killed one holds nothing."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from small_run import interrupt_at

from mcinterp.config import RunConfig
from mcinterp.errors import CheckpointError, RunBusyError
from mcinterp.runs import Run, densify, train
from mcinterp.runs.lock import sole_writer

HOLD = """
import sys, time
from pathlib import Path
from mcinterp.runs.lock import sole_writer
with sole_writer(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_second_process_is_refused_until_the_first_is_dead(tmp_path: Path, config: RunConfig) -> None:
    run = train(tmp_path / "run", config, "cpu", interrupt_at(20))
    before = (run.path / "metrics.csv").read_bytes()
    with subprocess.Popen([sys.executable, "-c", HOLD, run.path], stdout=subprocess.PIPE, text=True) as holder:
        sentence = rf"^another process is training run run \(.+, since .+, process {holder.pid}\)$"
        try:
            assert holder.stdout
            assert holder.stdout.readline() == "held\n"
            for work in (lambda: train(run.path, config, "cpu"), lambda: densify(run.path, 5, 7, 1, "cpu")):
                with pytest.raises(RunBusyError, match=sentence):
                    work()
            assert (run.path / "metrics.csv").read_bytes() == before
        finally:
            os.kill(holder.pid, signal.SIGKILL)
    assert train(run.path, config, "cpu").finished


def test_threads_of_one_process_are_kept_apart_too(tmp_path: Path) -> None:
    with sole_writer(tmp_path):
        with pytest.raises(RunBusyError, match=f"process {os.getpid()}"), sole_writer(tmp_path):
            pass
        assert (tmp_path / ".lock").read_text().endswith(f", process {os.getpid()}\n")
    assert (tmp_path / ".lock").read_text() == ""
    with sole_writer(tmp_path):
        pass


def test_a_folder_without_locks_is_trained_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def none(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    with sole_writer(tmp_path):
        pass
    assert caplog.messages == [f"{tmp_path} cannot be locked here (No locks available): let no other process train it"]


def test_the_lock_is_released_when_training_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), sole_writer(tmp_path):
        raise ZeroDivisionError
    with sole_writer(tmp_path):
        pass


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be written to"), sole_writer(tmp_path / "none"):
        pass


def test_training_stops_when_it_is_asked_to(tmp_path: Path, config: RunConfig, trained: Run) -> None:
    steps = iter(range(1, 100))
    run = train(tmp_path / "run", config, "cpu", stop=lambda: next(steps) == 17)
    assert (run.steps[-1], int(run.metrics["step"].max())) == (17, 17)
    train(run.path, config, "cpu", stop=lambda: False)
    last = (Run(folder).folder(40) / "model.safetensors" for folder in (run.path, trained.path))
    assert next(last).read_bytes() == next(last).read_bytes()
