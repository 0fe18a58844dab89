"""What a run's folder holds."""

from __future__ import annotations

import json
from importlib.metadata import version

import pytest
import torch
from safetensors.torch import load_file
from small_run import small_config

from mcinterp.config import load_config
from mcinterp.runs import Run
from mcinterp.runs.checkpoint import build_model
from mcinterp.studies.matrix_completion.encoder import MatrixEncoder
from mcinterp.training.schedule import checkpoint_steps, learning_rate, replay_steps

CONFIG = small_config()


def test_the_folder_holds_what_is_documented_and_nothing_else(trained: Run) -> None:
    checkpoints = {f"step-{step:08d}" for step in checkpoint_steps(CONFIG.training)}
    expected = {"config.yaml", "metrics.csv", "training-state.safetensors", "replay", ".lock"} | checkpoints
    assert {entry.name for entry in trained.path.iterdir()} == expected
    replays = {f"step-{step:08d}.safetensors" for step in replay_steps(CONFIG.training)}
    assert {entry.name for entry in (trained.path / "replay").iterdir()} == replays
    for name in checkpoints:
        files = {entry.name for entry in (trained.path / name).iterdir()}
        assert files == {"model.safetensors", "checkpoint.json"}


def test_the_stored_configuration_is_the_resolved_one(trained: Run) -> None:
    assert load_config(trained.path / "config.yaml") == CONFIG == trained.config


def test_weights_have_hooked_encoders_names_and_shapes(trained: Run) -> None:
    shapes = {name: parameter.shape for name, parameter in build_model(CONFIG).named_parameters()}
    for step in trained.steps:
        stored = load_file(trained.folder(step) / "model.safetensors")
        assert {name: weight.shape for name, weight in stored.items()} == shapes
        assert {weight.dtype for weight in stored.values()} == {torch.float32}


def test_metrics_have_one_row_a_step(trained: Run) -> None:
    header = (trained.path / "metrics.csv").read_text().splitlines()[0]
    assert header == "step,loss,observed_mse,masked_mse,masked_abs_mean,learning_rate,seconds"
    metrics = trained.metrics
    assert list(metrics.columns) == header.split(",")
    assert metrics["step"].tolist() == list(range(1, 41))
    assert metrics["learning_rate"].tolist() == [learning_rate(CONFIG.training, step) for step in range(1, 41)]
    assert metrics["seconds"].is_monotonic_increasing
    assert metrics.notna().all(axis=None)


def test_a_checkpoint_says_where_it_comes_from(trained: Run) -> None:
    record = json.loads((trained.folder(40) / "checkpoint.json").read_text())
    assert (record["step"], record["config_hash"]) == (40, CONFIG.hash)
    assert record["versions"]["torch"] == version("torch")
    last = trained.metrics.iloc[-1]
    assert record["metrics"] == {name: last[name] for name in trained.metrics.columns[1:5]}
    assert trained.checkpoint(0).metrics == {}


def test_step_0_holds_the_initial_weights(trained: Run) -> None:
    initial = build_model(CONFIG).weights()
    stored = trained.checkpoint(0).weights
    assert all(torch.equal(stored[name], weight) for name, weight in initial.items())


def test_a_finished_run_says_so(trained: Run) -> None:
    assert trained.finished
    assert trained.steps == checkpoint_steps(CONFIG.training)
    assert repr(trained).endswith(f"{len(trained.steps)} checkpoints)")


def test_a_checkpoints_model_is_frozen_and_complete(trained: Run) -> None:
    checkpoint = trained.checkpoint("last")
    assert isinstance(checkpoint.model, MatrixEncoder)
    assert checkpoint.model is checkpoint.model
    assert not checkpoint.model.training
    assert not any(parameter.requires_grad for parameter in checkpoint.model.parameters())
    batch = checkpoint.sample(64, seed=3)
    measured = checkpoint.task.scores(checkpoint.model.complete(batch.inputs), batch)["observed_mse"].item()
    assert measured == pytest.approx(checkpoint.metrics["observed_mse"], rel=0.5)


def test_sampling_is_seeded_and_keeps_matrices_under_masks(trained: Run) -> None:
    checkpoint = trained.checkpoint("first")
    random, again, rows = checkpoint.sample(4, 1), checkpoint.sample(4, 1), checkpoint.sample(4, 1, "rows:2")
    assert torch.equal(random.inputs, again.inputs)
    assert torch.equal(random.targets, rows.targets)
