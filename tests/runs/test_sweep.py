"""Sweeps on one machine: the same numbers in any order, and nothing lost whatever ends them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from processes import started
from small_sweep import assert_same_numbers, begun_and_holder, write_grid

from mcinterp.errors import CheckpointError, ConfigError, UsageError
from mcinterp.runs import Run, load_sweep, run_sweep
from mcinterp.runs import sweep as module
from mcinterp.runs.lock import sole_writer
from mcinterp.runs.sweep import Outcome, read_failures


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcinterp.runs.fanout.PAUSE_SECONDS", 0.0)


@pytest.fixture
def short(tmp_path: Path) -> Path:
    """A grid of three runs of 40 steps."""
    return write_grid(tmp_path / "short.yaml", {"training.seed": [0, 1, 2]})


def command(grid: Path, out: Path, *words: str) -> AbstractContextManager[subprocess.Popen[str]]:
    """The command in a session of its own, as a terminal has it."""
    line = [
        sys.executable,
        "-m",
        "mcinterp",
        "sweep",
        str(grid),
        "--out",
        str(out),
        "--device",
        "cpu",
        "--threads",
        "1",
    ]
    return started([*line, *words], Path())


def wait_for_training(out: Path, steps: int, name: str = "") -> int:
    """Wait until a run has done so many steps; returns the process that trains it."""
    end = time.monotonic() + 600
    while time.monotonic() < end:
        found = begun_and_holder(out, steps)
        if found and name in found[0]:
            return found[1]
        time.sleep(0.01)
    raise AssertionError("no training began")


def test_side_by_side_is_the_same_as_one_after_the_other(grid: Path, sequential: Path, tmp_path: Path) -> None:
    seen: list[Outcome] = []
    outcomes = run_sweep(load_sweep(grid), tmp_path / "parallel", 2, device="cpu", threads=1, progress=seen.append)
    assert [(outcome.state, outcome.continued) for outcome in outcomes] == [("finished", False)] * 4
    assert sorted(seen, key=lambda outcome: outcome.name) == sorted(outcomes, key=lambda outcome: outcome.name)
    assert_same_numbers(tmp_path / "parallel", sequential)


def test_the_same_call_keeps_what_is_finished(grid: Path, sequential: Path) -> None:
    def changed() -> dict[Path, int]:
        runs = [file for file in sequential.rglob("*") if file.is_file() and file.parent != sequential]
        return {file: file.stat().st_mtime_ns for file in runs}

    before = changed()
    outcomes = run_sweep(load_sweep(grid), sequential, device="cpu")
    assert [outcome.state for outcome in outcomes] == ["kept"] * 4
    assert changed() == before
    assert not list(sequential.glob(".stop-*"))


def test_a_larger_grid_keeps_the_runs_of_the_smaller_one(short: Path, tmp_path: Path) -> None:
    run_sweep(load_sweep(short), tmp_path / "out", device="cpu")
    larger = load_sweep(write_grid(tmp_path / "larger.yaml", {"training.seed": [5, 2, 0]}))
    outcomes = run_sweep(larger, tmp_path / "out", device="cpu")
    assert [(outcome.name, outcome.state) for outcome in outcomes] == [
        ("seed=5", "finished"),
        ("seed=2", "kept"),
        ("seed=0", "kept"),
    ]


@pytest.mark.no_cover
def test_ctrl_c_saves_and_the_same_command_goes_on(tmp_path: Path) -> None:
    # The process of the short run is idle when the interrupt comes: it must not take the other one along.
    grid = write_grid(tmp_path / "grid.yaml", {"training.steps": [40, 500]})
    out, expected = tmp_path / "out", tmp_path / "expected"
    with command(grid, out, "--jobs", "2") as process:
        wait_for_training(out, 100, "steps=500")
        while not (out / "steps=40" / "step-00000040").exists():
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)
        stdout, stderr = process.communicate(timeout=600)
    assert (process.returncode, stdout) == (1, "")
    assert "steps=500: stopped after" in stderr
    assert "the same command goes on from there" in stderr
    assert "Traceback" not in stderr
    run = Run(out / "steps=500")
    assert 100 <= run.steps[-1] == int(run.metrics["step"].max()) < 500
    assert not list(out.glob(".stop-*"))

    outcomes = run_sweep(load_sweep(grid), out, device="cpu", threads=1)
    assert [(outcome.state, outcome.continued) for outcome in outcomes] == [("kept", False), ("finished", True)]
    run_sweep(load_sweep(grid), expected, device="cpu", threads=1)
    assert_same_numbers(out, expected)


def test_ctrl_c_between_two_runs_starts_no_other(short: Path, tmp_path: Path) -> None:
    def interrupt(outcome: Outcome) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    handler = signal.getsignal(signal.SIGINT)
    seen: list[Outcome] = []

    def progress(outcome: Outcome) -> None:
        seen.append(outcome)
        if len(seen) == 1:
            interrupt(outcome)

    outcomes = run_sweep(load_sweep(short), tmp_path / "out", device="cpu", progress=progress)
    assert [outcome.state for outcome in outcomes] == ["finished", "stopped", "stopped"]
    assert signal.getsignal(signal.SIGINT) is handler
    assert not (tmp_path / "out" / "seed=1").exists()


@pytest.mark.no_cover
def test_a_killed_process_loses_nothing(grid: Path, sequential: Path, tmp_path: Path) -> None:
    with command(grid, tmp_path / "out", "--jobs", "2") as process:
        os.kill(wait_for_training(tmp_path / "out", 60), signal.SIGKILL)
        stdout, stderr = process.communicate(timeout=600)
    assert process.returncode == 0, stderr
    assert "n_layers" in stdout
    assert "continued, finished" in stderr
    assert_same_numbers(tmp_path / "out", sequential)


def test_a_run_that_diverges_does_not_stop_the_others(tmp_path: Path) -> None:
    grid = write_grid(tmp_path / "grid.yaml", {"training.learning_rate": [1e4, 1e-3]})
    outcomes = run_sweep(load_sweep(grid), tmp_path / "out", device="cpu")
    assert [outcome.state for outcome in outcomes] == ["failed", "finished"]
    assert "the loss became" in outcomes[0].sentence
    assert read_failures(tmp_path / "out") == {"learning_rate=10000": outcomes[0].sentence}


def test_a_failure_is_forgotten_once_the_run_is_finished(short: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "failures.json").write_text(json.dumps({"seed=1": "no space left", "seed=9": "of another grid"}))
    run_sweep(load_sweep(short), out, device="cpu")
    assert read_failures(out) == {"seed=9": "of another grid"}
    (out / "failures.json").write_text("[")
    with pytest.raises(CheckpointError, match=r"failures\.json cannot be read"):
        read_failures(out)


def test_a_run_that_another_process_trains_is_left_to_it(short: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / "seed=1").mkdir(parents=True)
    with sole_writer(tmp_path / "out" / "seed=1"):
        outcomes = run_sweep(load_sweep(short), tmp_path / "out", device="cpu")
    assert [outcome.state for outcome in outcomes] == ["finished", "busy", "finished"]
    assert outcomes[1].sentence.startswith("another process is training run seed=1 (")
    assert read_failures(tmp_path / "out") == {}


class Breaking:
    """A fan-out whose processes die: each round trains one run and then breaks."""

    def __init__(self, rounds: int) -> None:
        self.rounds = rounds
        self.stop_files: list[Path] = []

    @contextmanager
    def __call__(self, scheduler: str | None, jobs: int) -> Iterator[Any]:
        yield self.hand_out

    def hand_out(self, function: Any, tasks: list[tuple[Any, ...]]) -> Iterator[Outcome]:
        self.stop_files.append(tasks[0][-1])
        assert not self.stop_files[-1].exists()
        self.rounds -= 1
        for task in tasks if self.rounds < 0 else tasks[:1]:
            yield function(*task)
        if self.rounds >= 0:
            raise BrokenExecutor("a process died")


def test_what_a_broken_round_lost_is_handed_out_again(
    short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaking = Breaking(rounds=1)
    monkeypatch.setattr(module, "fan_out", breaking)
    outcomes = run_sweep(load_sweep(short), tmp_path / "out", device="cpu")
    assert [outcome.state for outcome in outcomes] == ["finished"] * 3
    assert len(set(breaking.stop_files)) == 2
    assert not list((tmp_path / "out").glob(".stop-*"))


def test_a_run_that_is_lost_again_and_again_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grid = write_grid(tmp_path / "grid.yaml", {"training.seed": [0, 1, 2, 3, 4]})
    monkeypatch.setattr(module, "fan_out", Breaking(rounds=9))
    outcomes = run_sweep(load_sweep(grid), tmp_path / "out", device="cpu")
    assert [outcome.state for outcome in outcomes] == ["finished"] * 3 + ["failed"] * 2
    assert outcomes[4].sentence.startswith("its process died 3 times")


def test_a_mistake_in_the_code_is_not_taken_for_a_lost_process(
    short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(module, "train", broken)
    with pytest.raises(ZeroDivisionError):
        run_sweep(load_sweep(short), tmp_path / "out", device="cpu")


def test_runs_with_another_configuration_are_refused_before_anything_is_trained(short: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run_sweep(load_sweep(write_grid(tmp_path / "one.yaml", {"training.seed": [2]}, steps=30)), out, device="cpu")
    declared = (out / "sweep.yaml").read_bytes()
    with pytest.raises(
        ConfigError,
        match=r"seed=2 stands with another configuration \(training\.steps: 30 in the run, 40 asked for\); .* --from",
    ):
        run_sweep(load_sweep(short), out, device="cpu")
    assert not (out / "seed=0").exists()
    assert (out / "sweep.yaml").read_bytes() == declared


def test_the_folder_of_a_run_is_no_sweeps_folder(short: Path, own_copy: Path) -> None:
    with pytest.raises(ConfigError, match="is the folder of a run"):
        run_sweep(load_sweep(short), own_copy, device="cpu")


def test_jobs_and_scheduler_exclude_each_other(short: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--jobs counts processes of this machine"):
        run_sweep(load_sweep(short), tmp_path / "out", jobs=2, scheduler="tcp://127.0.0.1:1")
    assert not (tmp_path / "out").exists()


def test_threads_are_set_and_set_back(short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def watched(*arguments: Any, **options: Any) -> Run:
        seen.append(torch.get_num_threads())
        return Run(arguments[0])

    for seed in range(3):
        run_sweep(
            load_sweep(write_grid(tmp_path / "g.yaml", {"training.seed": [seed]})), tmp_path / "out", device="cpu"
        )
        (tmp_path / "out" / f"seed={seed}" / "step-00000040").rename(tmp_path / f"away-{seed}")
    monkeypatch.setattr(module, "train", watched)
    run_sweep(load_sweep(short), tmp_path / "out", device="cpu", threads=2)
    # A training that returns unfinished was stopped, and so are the others.
    assert seen == [2]
    assert torch.get_num_threads() == 1
