"""Measurements read every few steps, as on a GPU: what is written is the same to the last bit."""

from __future__ import annotations

import logging
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from small_run import interrupt_at, small_config

from mcinterp.config import RunConfig
from mcinterp.errors import InputError, TrainingError
from mcinterp.runs import Run, densify, train
from mcinterp.studies.matrix_completion.task.batch import MatrixBatch
from mcinterp.studies.matrix_completion.task.completion import MatrixCompletion
from mcinterp.training import loop

pytestmark = pytest.mark.no_cover

training = import_module("mcinterp.runs.train")  # whose name is also a function
STATE = "training-state.safetensors"


@pytest.fixture(params=[3, 7, 100])
def window(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setitem(loop.READ_EVERY, "cpu", request.param)
    return int(request.param)


def assert_same_run(folder: Path, other: Path) -> None:
    run, expected = Run(folder), Run(other)
    assert set(expected.steps) <= set(run.steps)
    files = [f"step-{step:08d}/model.safetensors" for step in expected.steps]
    files += [f"step-{step:08d}/checkpoint.json" for step in expected.steps]
    files += [f"replay/{file.name}" for file in (other / "replay").iterdir()]
    for file in [*files, STATE, "config.yaml"]:
        assert (folder / file).read_bytes() == (other / file).read_bytes(), file
    assert run.metrics.drop(columns="seconds").equals(expected.metrics.drop(columns="seconds"))
    assert run.metrics["seconds"].is_monotonic_increasing


def test_nothing_that_is_written_changes(window: int, trained_folder: Path, tmp_path: Path, config: RunConfig) -> None:
    told: list[int] = []
    train(tmp_path / "run", config, "cpu", lambda record: told.append(record.step))
    assert told == list(range(1, 41))
    assert_same_run(tmp_path / "run", trained_folder)


def test_measurements_are_read_at_the_windows_and_where_something_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, config: RunConfig
) -> None:
    read = loop._read
    last: list[int] = []
    monkeypatch.setattr(loop, "_read", lambda *arguments: (last.append(arguments[1]), read(*arguments))[1])
    monkeypatch.setitem(loop.READ_EVERY, "cpu", 15)
    run = train(tmp_path / "run", config, "cpu")
    kept = {*run.steps, *(int(file.stem[-8:]) for file in (run.path / "replay").iterdir())}
    assert last == sorted({15, 30, 40, *kept} - {0})


@pytest.mark.parametrize("stop", [1, 7, 23, 39])
def test_ctrl_c_in_a_window_loses_nothing(
    window: int, stop: int, trained_folder: Path, tmp_path: Path, config: RunConfig
) -> None:
    asked = iter(range(1, 100))
    run = train(tmp_path / "run", config, "cpu", stop=lambda: next(asked) == stop)
    assert run.steps[-1] == stop
    assert int(run.metrics["step"].max()) == stop
    assert int(safetensors.torch.load_file(run.path / STATE)["step"]) == stop
    train(run.path, config, "cpu", interrupt_at(stop + 1))
    train(run.path, config, "cpu")
    assert_same_run(run.path, trained_folder)


def test_states_saved_by_the_clock_are_those_of_their_last_record(
    window: int, trained_folder: Path, tmp_path: Path, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "STATE_SECONDS", -1.0)
    seen: list[tuple[int, int]] = []

    def killed(record: loop.StepRecord) -> None:
        if (tmp_path / "run" / STATE).exists():
            seen.append((record.step, int(safetensors.torch.load_file(tmp_path / "run" / STATE)["step"])))
        if record.step == 25:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "run", config, "cpu", killed)
    assert all(state <= step for step, state in seen)
    train(tmp_path / "run", config, "cpu")
    assert_same_run(tmp_path / "run", trained_folder)


def diverging(folder: Path, window: int, monkeypatch: pytest.MonkeyPatch) -> tuple[Run, str]:
    """Train with a gradient that is not finite at step 13, so that nothing after it is."""
    steps, loss = iter(range(1, 100)), MatrixCompletion.loss

    def spoilt(task: MatrixCompletion, output: torch.Tensor, batch: MatrixBatch) -> torch.Tensor:
        return loss(task, output, batch) * (torch.nan if next(steps) == 13 else 1.0)

    config = small_config(training={"checkpoints": 2, "replay_states": 1})
    with monkeypatch.context() as patches:
        patches.setitem(loop.READ_EVERY, "cpu", window)
        patches.setattr(training, "STATE_SECONDS", -1.0)
        patches.setattr(MatrixCompletion, "loss", spoilt)
        with pytest.raises(TrainingError) as caught:
            train(folder, config, "cpu")
    return Run(folder), str(caught.value)


@pytest.mark.parametrize("window", [5, 40])
def test_nothing_is_kept_from_after_a_divergence(window: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    straight, sentence = diverging(tmp_path / "each", 1, monkeypatch)
    run, same = diverging(tmp_path / "windows", window, monkeypatch)
    assert sentence == "the loss became nan at step 13; a smaller learning rate may help; training stopped, the " + (
        "checkpoint at step 1 is kept"
    )
    assert same == sentence
    assert list(run.metrics["step"]) == list(range(1, 13))
    assert run.metrics.drop(columns="seconds").equals(straight.metrics.drop(columns="seconds"))
    assert run.steps == straight.steps == [0, 1]
    state = safetensors.torch.load_file(run.path / STATE)
    assert int(state["step"]) == (10 if window == 5 else 1)
    assert all(tensor.isfinite().all() for tensor in state.values())


def test_replay_is_bit_identical(window: int, own_copy: Path, tmp_path: Path) -> None:
    everything = train(tmp_path / "everything", small_config(training={"checkpoints": 200}), "cpu")
    assert densify(own_copy, 15, 39, 6, "cpu") == [15, 21, 27, 33, 39]
    for step in (15, 21, 27, 33, 39):
        ours, theirs = (run.folder(step) / "model.safetensors" for run in (Run(own_copy), everything))
        assert ours.read_bytes() == theirs.read_bytes()
        assert Run(own_copy).checkpoint(step).metrics["loss"] == everything.checkpoint(step).metrics["loss"]


def test_values_without_a_token_end_training(window: int, tmp_path: Path) -> None:
    narrow = small_config(task={"v_min": -0.9, "v_max": 0.9})
    with pytest.raises(
        InputError, match=r"^step \d+ drew values of which \d+ lie outside the vocabulary \[-0.9, 0.9\]"
    ):
        train(tmp_path / "run", narrow, "cpu")


def test_a_run_goes_on_on_another_kind_of_device(
    tmp_path: Path, config: RunConfig, caplog: pytest.LogCaptureFixture
) -> None:
    finished = []
    for name in ("first", "second"):
        run = train(tmp_path / name, config, "cpu", interrupt_at(20))
        as_if_on_cuda(run.path / STATE)
        as_if_on_cuda(run.path / "replay" / "step-00000020.safetensors")
        with caplog.at_level(logging.WARNING):
            finished.append(train(run.path, config, "cpu"))
    assert [record.getMessage() for record in caplog.records] == [
        f"run {name} was saved on cuda and goes on on cpu: from step 21 on its data are drawn anew, from seed and step"
        for name in ("first", "second")
    ]
    first, second = (run.metrics.drop(columns="seconds") for run in finished)
    assert first.equals(second)
    straight = train(tmp_path / "straight", config, "cpu").metrics
    same = np.asarray(first["loss"]) == np.asarray(straight["loss"])
    assert same[:21].all()
    assert not same[21:].any()
    with pytest.raises(TrainingError, match=r"step-00000020\.safetensors was saved on cuda, and can be replayed on"):
        densify(tmp_path / "first", 22, 22, 1, "cpu")


def as_if_on_cuda(file: Path) -> None:
    """Give a state the generator of a GPU, which is another kind of number."""
    state = safetensors.torch.load_file(file)
    del state["generator"]
    safetensors.torch.save_file({**state, "generator.cuda": torch.zeros(16, dtype=torch.uint8)}, file)
