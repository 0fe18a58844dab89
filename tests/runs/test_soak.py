"""Training that is killed again and again ends as training that was not. `make soak` kills it more often."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pytest
from small_run import small_config

from mcinterp.runs import Run, train

pytestmark = pytest.mark.no_cover

KILLS = int(os.environ.get("MCINTERP_KILLS", "5"))
CONFIG = small_config(training={"steps": 600, "checkpoints": 30, "dense_checkpoints": 0})


def go_on(folder: Path) -> None:
    train(folder, CONFIG, "cpu")


def killed(folder: Path, moment: random.Random) -> bool:
    """Train in a process of its own and kill it at some moment; False if it had ended by then."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["mcinterp.runs.train", "mcinterp.model.fused"])
    process = context.Process(target=go_on, args=(folder,), daemon=True)
    process.start()
    lines = (folder / "metrics.csv").read_bytes() if (folder / "metrics.csv").exists() else b""
    waited = time.monotonic() + 60
    while process.is_alive() and time.monotonic() < waited:
        # From when it has begun to write, so that most of the kills fall into training and not into imports.
        if (folder / "metrics.csv").exists() and (folder / "metrics.csv").read_bytes() != lines:
            time.sleep(moment.uniform(0, 0.3))
            break
        time.sleep(moment.uniform(0, 0.05))
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    return process.exitcode == -signal.SIGKILL


def test_training_that_is_killed_ends_as_training_that_is_not(tmp_path: Path) -> None:
    straight, moment, n_killed = train(tmp_path / "straight", CONFIG, "cpu"), random.Random(0), 0
    for attempt in range(2 * KILLS):
        folder = tmp_path / f"often-{attempt}"
        while n_killed < KILLS and killed(folder, moment):
            n_killed += 1
            if (folder / "config.yaml").exists():
                run = Run(folder)
                assert all(run.checkpoint(step).step == step for step in run.steps)
        assert_same(train(folder, CONFIG, "cpu"), straight)
        if n_killed == KILLS:
            return
    raise AssertionError(f"{n_killed} of {KILLS} kills came before training had ended")


def assert_same(run: Run, straight: Run) -> None:
    assert run.steps == straight.steps
    for step in straight.steps:
        assert run.checkpoint(step).digest == straight.checkpoint(step).digest
    state = "training-state.safetensors"
    assert (run.path / state).read_bytes() == (straight.path / state).read_bytes()
    measured = [each.metrics.drop(columns="seconds") for each in (run, straight)]
    assert measured[0].equals(measured[1])
