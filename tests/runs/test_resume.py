"""Stopping and going on: bit-identical to never having stopped, whatever stopped it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from small_run import interrupt_at, small_config

from mcinterp.config import RunConfig
from mcinterp.errors import CheckpointError, ConfigError, TrainingError
from mcinterp.runs import Run, train
from mcinterp.runs.start import further, keep_start
from mcinterp.training.loop import StepRecord

pytestmark = pytest.mark.no_cover

TESTS = Path(__file__).parent.parent


def assert_same_run(folder: Path, other: Path) -> None:
    """Weights, optimiser, generator and metrics are equal to the last bit; clocks are not compared."""
    run, expected = Run(folder), Run(other)
    assert set(expected.steps) <= set(run.steps)
    files = [f"step-{step:08d}/model.safetensors" for step in expected.steps]
    files += [f"replay/{file.name}" for file in (other / "replay").iterdir()]
    for file in [*files, "training-state.safetensors", "config.yaml"]:
        assert (folder / file).read_bytes() == (other / file).read_bytes(), file
    assert run.metrics.drop(columns="seconds").equals(expected.metrics.drop(columns="seconds"))
    assert run.metrics["seconds"].is_monotonic_increasing


@pytest.mark.parametrize("stop", [1, 7, 23, 39])
def test_ctrl_c_loses_nothing(trained_folder: Path, tmp_path: Path, config: RunConfig, stop: int) -> None:
    handler = signal.getsignal(signal.SIGINT)
    run = train(tmp_path / "run", config, "cpu", interrupt_at(stop))
    assert signal.getsignal(signal.SIGINT) is handler
    # The signal comes after its step was written, so that the next one is finished and saved.
    saved = stop + 1
    assert run.steps[-1] == saved
    assert run.metrics["step"].max() == saved
    assert run.finished == (saved == 40)
    train(tmp_path / "run", config, "cpu")
    assert_same_run(tmp_path / "run", trained_folder)


def test_a_run_may_be_stopped_often(trained_folder: Path, tmp_path: Path, config: RunConfig) -> None:
    for _ in range(5):
        train(tmp_path / "run", config, "cpu", interrupt_at(5, 12, 20, 33))
    assert_same_run(tmp_path / "run", trained_folder)


def test_training_a_finished_run_changes_nothing(own_copy: Path, trained_folder: Path, config: RunConfig) -> None:
    seen: list[StepRecord] = []
    train(own_copy, config, "cpu", seen.append)
    assert seen == []
    assert_same_run(own_copy, trained_folder)


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from mcinterp.runs import train
from small_run import small_config

def kill():
    os.kill(os.getpid(), signal.SIGKILL)

def killed_in_write(n):
    fsync, left = os.fsync, [n]
    def count(descriptor):
        left[0] -= 1
        kill() if left[0] == 0 else fsync(descriptor)
    os.fsync = count

folder = Path(sys.argv[1])
for kind, number in (argument.split(":") for argument in sys.argv[2:]):
    child = os.fork()
    if not child:
        if kind == "write":
            killed_in_write(int(number))
        train(folder / f"{kind}-{number}", small_config(), "cpu",
              lambda record: kill() if kind == "step" and record.step == int(number) else None)
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
"""


def test_a_kill_at_any_moment_loses_nothing_that_cannot_be_made_again(
    trained_folder: Path, tmp_path: Path, config: RunConfig
) -> None:
    # "step" kills between two steps, "write" while a file is on its way to the disk: the first configuration, the
    # first checkpoint, a replay state, a later one. Every single write is failed at in test_faults.py.
    moments = ["step:17", "write:1", "write:4", "write:10", "write:48"]
    environment = {**os.environ, "PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", KILLED, tmp_path, *moments], check=True, env=environment)
    for moment in moments:
        folder = tmp_path / moment.replace(":", "-")
        train(folder, config, "cpu")
        assert_same_run(folder, trained_folder)


def test_another_configuration_is_refused_with_the_fields_that_differ(own_copy: Path) -> None:
    other = small_config(training={"seed": 9}, model={"d_mlp": 64})
    with pytest.raises(ConfigError) as caught:
        train(own_copy, other, "cpu")
    assert str(caught.value) == (
        "run copy stands with another configuration (model.d_mlp: 32 in the run, 64 asked for; training.seed: 0 in the "
        "run, 9 asked for)"
    )
    with pytest.raises(ConfigError, match=rf"; a new run can go on from its weights: --run NEW --from {own_copy}$"):
        train(own_copy, small_config(training={"seed": 9}), "cpu")


def test_a_run_that_began_with_anothers_weights_is_told_to_say_so_again(own_copy: Path, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    keep_start(begun, Run(own_copy))
    train(begun, further(small_config(), Run(own_copy)), "cpu")
    with pytest.raises(ConfigError, match=r"start\.digest: .* in the run, None asked for.*give the same --from$"):
        train(begun, small_config(), "cpu")


@pytest.fixture
def stopped(tmp_path: Path, config: RunConfig) -> Path:
    """A run stopped after step 21."""
    train(tmp_path / "stopped", config, "cpu", interrupt_at(20))
    return tmp_path / "stopped"


def test_without_training_states_a_run_cannot_go_on(stopped: Path, config: RunConfig) -> None:
    (stopped / "training-state.safetensors").unlink()
    shutil.rmtree(stopped / "replay")
    with pytest.raises(TrainingError, match="cannot be continued: no whole training state is left"):
        train(stopped, config, "cpu")


@pytest.mark.parametrize("content", [b"", b"words", None])
def test_a_damaged_training_state_is_named(
    stopped: Path, config: RunConfig, content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    state = stopped / "training-state.safetensors"
    state.write_bytes(state.read_bytes()[:-100] if content is None else content)
    train(stopped, config, "cpu")
    assert "training-state.safetensors cannot be read" in caplog.messages[0]


def test_lost_metrics_are_noticed(stopped: Path, config: RunConfig) -> None:
    metrics = stopped / "metrics.csv"
    lines = metrics.read_text().splitlines(keepends=True)
    metrics.write_text("".join(lines[:10]))
    with pytest.raises(CheckpointError, match=r"metrics\.csv lacks steps before step 21"):
        train(stopped, config, "cpu")


def test_lines_of_lost_work_are_dropped(stopped: Path, trained_folder: Path, config: RunConfig) -> None:
    with (stopped / "metrics.csv").open("a") as file:
        file.write("22,9,9,9,9,9,9\n23,9,9")
    train(stopped, config, "cpu")
    assert_same_run(stopped, trained_folder)


def test_a_run_that_diverges_keeps_its_checkpoints(tmp_path: Path) -> None:
    config = small_config(training={"learning_rate": 1e4, "checkpoints": 40})
    with pytest.raises(TrainingError, match=r"the loss became .* training stopped, the checkpoint at step \d+ is kept"):
        train(tmp_path / "run", config, "cpu")
    assert Run(tmp_path / "run").steps[0] == 0
    assert not Run(tmp_path / "run").finished


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, config: RunConfig) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(CheckpointError, match=f"a run cannot be written to {path}"):
            train(path, config, "cpu")
