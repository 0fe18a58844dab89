"""Replaying training: further checkpoints, bit-identical to those of the first time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from small_run import interrupt_at, small_config

from mcinterp.errors import InputError, TrainingError
from mcinterp.runs import Run, densify, train
from mcinterp.runs.checkpoint import save_checkpoint
from mcinterp.runs.device import resolve_device
from mcinterp.training.loop import StepRecord


def weights_at(folder: Path, step: int) -> bytes:
    return (Run(folder).folder(step) / "model.safetensors").read_bytes()


def test_replayed_checkpoints_are_those_of_a_run_that_kept_them(own_copy: Path, tmp_path: Path) -> None:
    # The same training with a checkpoint at nearly every step: only what is kept differs.
    everything = train(tmp_path / "everything", small_config(training={"checkpoints": 200}), "cpu")
    before = Run(own_copy).steps
    added = densify(own_copy, 15, 39, 6, "cpu")
    assert added == [step for step in (15, 21, 27, 33, 39) if step not in before]
    assert Run(own_copy).steps == sorted({*before, 15, 21, 27, 33, 39})
    assert added
    for step in added:
        assert step in everything.steps
        assert weights_at(own_copy, step) == weights_at(everything.path, step)


def test_replayed_checkpoints_carry_their_metrics(own_copy: Path) -> None:
    # 20 is a replay state itself, 21 is reached by training on from it.
    densify(own_copy, 20, 21, 1, "cpu")
    run = Run(own_copy)
    for step in (20, 21):
        row = run.metrics.set_index("step").loc[step]
        expected = {name: row[name] for name in ("loss", "observed_mse", "masked_mse", "masked_abs_mean")}
        assert run.checkpoint(step).metrics == expected


def test_the_rest_of_the_run_stays_as_it_was(own_copy: Path, trained_folder: Path) -> None:
    densify(own_copy, 5, 9, 2, "cpu")
    for file in (file for file in trained_folder.rglob("*") if file.is_file()):
        assert (own_copy / file.relative_to(trained_folder)).read_bytes() == file.read_bytes()


def test_steps_that_stand_are_not_made_again(own_copy: Path) -> None:
    assert densify(own_copy, 40, 40, 1, "cpu") == []
    assert densify(own_copy, 3, 4, 1, "cpu")
    assert densify(own_copy, 3, 4, 1, "cpu") == []


@pytest.mark.parametrize(("first", "last", "every"), [(-1, 5, 1), (5, 4, 1), (5, 41, 1), (5, 9, 0)])
def test_steps_outside_the_run_are_refused(trained_folder: Path, first: int, last: int, every: int) -> None:
    with pytest.raises(InputError, match=r"densify: need 0 ≤ from ≤ to ≤ 40 and every ≥ 1"):
        densify(trained_folder, first, last, every, "cpu")


def test_a_replay_that_differs_is_refused(own_copy: Path) -> None:
    metrics = own_copy / "metrics.csv"
    lines = metrics.read_text().splitlines(keepends=True)
    step, _, rest = lines[14].split(",", 2)
    lines[14] = f"{step},0.25,{rest}"
    metrics.write_text("".join(lines))
    with pytest.raises(TrainingError, match=r"replaying run copy gave other numbers at step 14 than the first time"):
        densify(own_copy, 15, 16, 1, "cpu")


def test_a_replay_that_differs_from_a_standing_checkpoint_is_refused(own_copy: Path) -> None:
    # From the replay state at 10 to 22, past the checkpoint at 19.
    run = Run(own_copy)
    save_checkpoint(run.folder(19), run.checkpoint("first").model, 19, run.config, {})
    with pytest.raises(TrainingError, match="other numbers at step 19"):
        densify(own_copy, 12, 22, 10, "cpu")


def test_without_replay_states_there_is_nothing_to_replay_from(own_copy: Path) -> None:
    for file in (own_copy / "replay").iterdir():
        file.unlink()
    with pytest.raises(TrainingError, match="keeps no training state at or before step 15"):
        densify(own_copy, 15, 16, 1, "cpu")


def test_a_drop_is_kept_densely_once_it_is_found(tmp_path: Path) -> None:
    config = small_config(training={"steps": 200, "checkpoints": 3, "dense_checkpoints": 5, "replay_states": 8})
    run = train(tmp_path / "run", config, "cpu")
    assert run.dense_window() == []
    # So short a run has no drop; its log is given one. The losses stay, so that the replay is still verified.
    metrics = run.metrics
    metrics["masked_mse"] = np.where(metrics["step"] <= 120, 0.1, 0.01)
    metrics.to_csv(run.path / "metrics.csv", index=False)
    window = run.dense_window()
    assert len(window) == 5
    assert window[0] < 120 < window[-1]
    assert window[-1] < 200
    again = train(tmp_path / "run", config, "cpu")
    assert again.steps == sorted({0, 1, 14, 200, *window})
    stopped = train(tmp_path / "stopped", config, "cpu", interrupt_at(window[2] - 1))
    assert weights_at(run.path, window[2]) == weights_at(stopped.path, window[2])
    before, halfway, last = run.select_steps("auto")
    assert before < 120 - 20
    assert halfway in window
    assert last == 200


def test_a_replay_that_was_interrupted_is_made_up_for(own_copy: Path, trained_folder: Path) -> None:
    def interrupt(record: StepRecord) -> None:
        if record.step == 33:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        densify(own_copy, 31, 36, 1, "cpu", interrupt)
    assert Run(own_copy).steps == sorted({*Run(trained_folder).steps, 31, 32, 33})
    assert densify(own_copy, 31, 36, 1, "cpu") == [34, 35, 36]


def test_no_dense_checkpoints_are_made_where_none_are_wanted(tmp_path: Path) -> None:
    run = train(tmp_path / "run", small_config(training={"dense_checkpoints": 0}), "cpu")
    metrics = run.metrics
    metrics["masked_mse"] = np.where(metrics["step"] <= 25, 0.1, 0.01)
    metrics.to_csv(run.path / "metrics.csv", index=False)
    assert run.dense_window() == []


def test_devices() -> None:
    assert resolve_device("cpu") == torch.device("cpu")
    assert resolve_device("auto").type in ("cpu", "cuda")
    for name in ("gpu", "cuda:99", ""):
        with pytest.raises(InputError, match=f"device '{name}' cannot be used here"):
            resolve_device(name)
