"""Runs of a GPT on disk: written, stopped, continued and replayed as those of an encoder."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_gpt import small_gpt_config
from small_run import interrupt_at, small_config

from mcinterp.errors import CheckpointError, InputError
from mcinterp.runs import Checkpoint, Run, densify, train
from mcinterp.runs.checkpoint import build_model, load_checkpoint
from mcinterp.studies.matrix_completion.gpt import MatrixGPT
from mcinterp.studies.matrix_completion.task.sequence import MatrixSequence


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of a small GPT; to be read only."""
    path = tmp_path_factory.mktemp("gpt") / "whole"
    train(path, small_gpt_config(training={"dense_checkpoints": 0}), "cpu")
    return path


def test_the_metrics_are_those_of_the_task(folder: Path) -> None:
    run = Run(folder)
    assert list(run.metrics) == ["step", "loss", *MatrixSequence.score_names, "learning_rate", "seconds"]
    assert run.metrics["loss"].iloc[-5:].mean() < run.metrics["loss"].iloc[:5].mean()
    assert "cross-entropy, masked entries" in run.transition.statement
    parts = run.metrics[["observed_cross_entropy", "masked_cross_entropy"]]
    assert (parts.min(axis=1) <= run.metrics["loss"]).all()
    assert (run.metrics["loss"] <= parts.max(axis=1)).all()


def test_a_stopped_run_goes_on_bit_identical(folder: Path, tmp_path: Path) -> None:
    config = small_gpt_config(training={"dense_checkpoints": 0})
    stopped = train(tmp_path / "run", config, "cpu", interrupt_at(11))
    assert not stopped.finished
    again = train(tmp_path / "run", config, "cpu")
    for step in Run(folder).steps:
        name = f"step-{step:08d}/model.safetensors"
        assert (tmp_path / "run" / name).read_bytes() == (folder / name).read_bytes()
    assert again.metrics.drop(columns="seconds").equals(Run(folder).metrics.drop(columns="seconds"))


def test_replayed_checkpoints_are_those_of_a_run_that_kept_them(folder: Path, tmp_path: Path) -> None:
    config = small_gpt_config(training={"dense_checkpoints": 0})
    own = train(tmp_path / "own", config, "cpu")
    everything = train(tmp_path / "every", small_gpt_config(training={"checkpoints": 200}), "cpu")
    added = densify(own.path, 9, 17, 4, "cpu")
    assert added
    for step in added:
        name = f"step-{step:08d}/model.safetensors"
        assert (own.path / name).read_bytes() == (everything.path / name).read_bytes()


@torch.no_grad()
def test_a_checkpoint_is_the_model_that_was_trained(folder: Path) -> None:
    checkpoint = Run(folder).checkpoint("last")
    model, batch = checkpoint.model, checkpoint.sample(5, seed=1)
    assert isinstance(model, MatrixGPT)
    assert checkpoint.gpt is model
    # What training measured on its last batch, before the update, belongs to the weights one step earlier.
    untrained = build_model(checkpoint.config)
    assert not torch.equal(model(batch.inputs), untrained(batch.inputs))
    copy = Checkpoint.of_model(model, checkpoint.config)
    assert torch.equal(copy.model(batch.inputs), model(batch.inputs))
    assert copy.digest == checkpoint.digest


def test_weights_of_another_shape_are_named(folder: Path) -> None:
    checkpoint = Run(folder).checkpoint("last")
    wider = small_gpt_config(model={"d_mlp": 48})
    with pytest.raises(CheckpointError, match="belongs to configuration"):
        load_checkpoint(folder / "step-00000030", wider, "run", "cpu")
    other = Checkpoint("run", 30, wider, checkpoint.digest, {}, {}, checkpoint.weights)
    with pytest.raises(CheckpointError, match=r"run step 30: blocks\.0\.mlp\.\w+ is .* expected"):
        _ = other.model


def test_each_kind_of_model_refuses_the_others_analyses() -> None:
    gpt, encoder = (Checkpoint.untrained(config, seed=0) for config in (small_gpt_config(), small_config()))
    with pytest.raises(InputError, match="defined for an encoder; untrained step 0 is a gpt"):
        _ = gpt.encoder
    with pytest.raises(InputError, match="defined for a gpt; untrained step 0 is an encoder"):
        _ = encoder.gpt
    assert encoder.encoder is encoder.model
