"""Ctrl-C and SIGTERM: whatever a command is doing when one comes, it ends, says so, and leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from processes import SECONDS, living, lossy, started, wait_until
from small_run import small_config
from small_sweep import write_grid

from mcinterp import cli
from mcinterp.interrupt import handling
from mcinterp.runs import Run

SIGNALS = (signal.SIGINT, signal.SIGTERM)
LONG = 200_000
"""Steps of a run that no test waits for."""


def ends(folder: Path, number: signal.Signals, moment: float, *words: str) -> tuple[int, str]:
    """Exit code, and what a command says from when it is sent a signal so long after it has begun."""
    with started(lossy(*words), folder) as command:
        assert command.stdout
        command.stdout.readline()
        time.sleep(moment)
        os.killpg(command.pid, number)
        _, said = command.communicate(timeout=SECONDS)
    return command.returncode, " ".join(said.split())


@pytest.mark.parametrize("number", SIGNALS)
def test_the_server_of_a_report_hears_every_signal(number: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<p>own")
    for attempt in range(4):
        with started(lossy("view", str(tmp_path), "--no-browser"), tmp_path) as serving:
            assert serving.stdout
            assert serving.stdout.readline() == "begun\n"
            assert serving.stdout.readline().startswith("http://127.0.0.1:")
            time.sleep(0.13 * attempt % 0.3)
            serving.send_signal(number)
            _, said = serving.communicate(timeout=SECONDS)
        assert (serving.returncode, said) == (0, "Ctrl-C ends it\nended\n")


@pytest.mark.parametrize(("number", "moment"), [(signal.SIGINT, 0.6), (signal.SIGTERM, 1.1)])
def test_a_command_that_still_loads_hears_it(number: signal.Signals, moment: float, trained: Run) -> None:
    run = shutil.copytree(trained.path, trained.path.parent / "loading", dirs_exist_ok=True)
    code, said = ends(run.parent, number, moment, "explore", str(run))
    assert (code, said) == (1, "stopped")


@pytest.mark.parametrize(("interrupt", "said"), [(True, "stopped"), (False, "a mistake of mcinterp itself, Recursion")])
def test_what_a_library_makes_of_an_interrupt_is_one(
    interrupt: bool, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where a module is cut off while it loads, what asks for it may recurse, or find it without its names."""

    def loading(words: list[str]) -> None:
        with suppress(KeyboardInterrupt):
            if interrupt:
                signal.raise_signal(signal.SIGINT)
        raise RecursionError("maximum recursion depth exceeded")

    monkeypatch.setattr(cli, "app", loading)
    monkeypatch.setattr(sys, "argv", ["mcinterp", "explore", "run"])
    # What starts tests in the background may have them ignore Ctrl-C.
    with handling([signal.SIGINT], signal.default_int_handler), pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith(said if interrupt else f"mcinterp: {said}")


def test_training_and_its_replay_hear_it(tmp_path: Path) -> None:
    config = small_config(training={"steps": LONG, "checkpoints": 2, "replay_states": 1})
    (tmp_path / "config.yaml").write_text(config.to_yaml())
    metrics, run = tmp_path / "run" / "metrics.csv", tmp_path / "run"
    with started(lossy("train", "--config", "config.yaml", "--run", "run", "--device", "cpu"), tmp_path) as training:
        wait_until(lambda: metrics.is_file() and metrics.read_bytes().count(b"\n") > 100)
        training.send_signal(signal.SIGTERM)
        _, said = training.communicate(timeout=SECONDS)
    assert training.returncode == 1
    done = Run(run).steps[-1]
    assert f"stopped at step {done}; the same command goes on from there" in " ".join(said.split())
    words = ["densify", "run", "--from", "1", "--to", str(done), "--every", "1", "--device", "cpu"]
    with started(lossy(*words), tmp_path) as replaying:
        wait_until(lambda: len(Run(run).steps) > 5)
        replaying.send_signal(signal.SIGINT)
        _, said = replaying.communicate(timeout=SECONDS)
    assert replaying.returncode == 1
    kept = Run(run).steps
    assert kept == [*range(len(kept) - 1), done]
    assert f"stopped with {len(kept) - 2} of {done - 1} checkpoints added" in " ".join(said.split())
    assert "Traceback" not in said


def test_an_analysis_ends_its_processes_and_says_how_it_goes_on(own_copy: Path) -> None:
    words = ["report", str(own_copy), "--steps", "all", "--samples", "512", "--jobs", "2", "--out", "out"]
    with started(lossy(*words, "--passes", "attention,ablation,patching"), own_copy.parent) as report:
        assert report.stderr
        while not report.stderr.readline().startswith("1/"):
            assert report.poll() is None
        report.terminate()
        out, said = report.communicate(timeout=SECONDS)
        wait_until(lambda: not living(report.pid))
    assert (report.returncode, out) == (1, "begun\n")
    assert said.splitlines()[-1] == "stopped; what is done is kept, and the same command goes on from there"
    assert "Traceback" not in said


def test_a_sweep_hears_it_while_it_starts_its_processes(tmp_path: Path) -> None:
    grid = write_grid(tmp_path / "grid.yaml", {"training.seed": [0, 1, 2]}, steps=LONG)
    words = ["sweep", str(grid), "--out", "out", "--jobs", "2", "--device", "cpu", "--threads", "1"]
    with started(lossy(*words), tmp_path) as sweep:
        children = Path(f"/proc/{sweep.pid}/task/{sweep.pid}/children")
        wait_until(lambda: len(children.read_text().split()) > 1)
        sweep.send_signal(signal.SIGINT)
        _, said = sweep.communicate(timeout=SECONDS)
    assert sweep.returncode == 1
    assert said.splitlines()[-1] == "stopped; the same command goes on from there"
