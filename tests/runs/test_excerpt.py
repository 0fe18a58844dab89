"""An excerpt opens as the run does, with fewer checkpoints and nothing to train on."""

from __future__ import annotations

import filecmp
from pathlib import Path

import numpy as np
import pytest
import yaml
from small_run import small_config

from mcinterp.errors import CheckpointError, TrainingError, UsageError
from mcinterp.runs import Run, densify, train
from mcinterp.runs.excerpt import excerpt


def test_checkpoints_and_measurements_are_the_runs_own(own_copy: Path, tmp_path: Path) -> None:
    run = Run(own_copy)
    copy = excerpt(run, tmp_path / "small", 4, made_by="mcinterp train")
    assert len(copy.steps) == 4
    assert {run.steps[0], *run.select_steps("auto"), run.steps[-1]} <= set(copy.steps) <= set(run.steps)
    for step in copy.steps:
        assert copy.checkpoint(step).digest == run.checkpoint(step).digest
    names = ["config.yaml", "metrics.csv"]
    assert filecmp.cmpfiles(run.path, copy.path, names, shallow=False)[0] == names
    about = yaml.safe_load((copy.path / "excerpt.yaml").read_text())
    assert (about["of"], about["trained_by"], about["checkpoints"]) == (
        "copy",
        "mcinterp train",
        f"4 of {len(run.steps)}",
    )
    assert not {"replay", "training-state.safetensors"} & {file.name for file in copy.path.iterdir()}


def test_it_counts_as_trained_and_cannot_be_replayed(own_copy: Path, tmp_path: Path) -> None:
    copy = excerpt(Run(own_copy), tmp_path / "small", 4)
    before = sorted(file.name for file in copy.path.rglob("*"))
    assert train(copy.path, copy.config, "cpu").finished
    assert sorted(file.name for file in copy.path.rglob("*") if file.name != ".lock") == before
    with pytest.raises(TrainingError, match="keeps no training state"):
        densify(copy.path, 1, 3, 1, "cpu")


def test_the_smallest_one_of_a_run_with_a_drop_has_its_stages(tmp_path: Path) -> None:
    config = small_config(training={"steps": 200, "checkpoints": 12, "dense_checkpoints": 0})
    run = train(tmp_path / "run", config, "cpu")
    # So short a run has no drop; its log is given one.
    metrics = run.metrics
    metrics["masked_mse"] = np.where(metrics["step"] <= 120, 0.1, 0.01)
    metrics.to_csv(run.path / "metrics.csv", index=False)
    assert run.transition.found
    stages = {run.steps[0], *run.select_steps("auto")}
    assert len(stages) == 4
    assert set(excerpt(run, tmp_path / "small", 4).steps) == stages


def test_few_checkpoints_are_all_copied(own_copy: Path, tmp_path: Path) -> None:
    assert excerpt(Run(own_copy), tmp_path / "all", 100).steps == Run(own_copy).steps


@pytest.mark.parametrize(("n_steps", "what"), [(3, "at least 4"), (4, "is there already")])
def test_a_wrong_excerpt_is_refused(own_copy: Path, n_steps: int, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        excerpt(Run(own_copy), own_copy, n_steps)


def test_a_damaged_checkpoint_is_not_copied(own_copy: Path, tmp_path: Path) -> None:
    run = Run(own_copy)
    weights = run.folder(run.steps[-1]) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x7f")
    with pytest.raises(CheckpointError):
        excerpt(run, tmp_path / "small", 4)
    assert not (tmp_path / "small").exists()
