"""A run on matrices of several sizes: it trains, stops, goes on, replays, opens, and gives its numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml
from small_run import interrupt_at, small_config

from mcinterp.config import RunConfig
from mcinterp.errors import CheckpointError
from mcinterp.model.fused import fused_complete
from mcinterp.runs import Run, densify, train
from mcinterp.runs.checkpoint import build_model
from mcinterp.studies.matrix_completion.task.completion import MatrixCompletion

SIZES = ((3, 3), (5, 4), (4, 5))


@pytest.fixture(scope="module")
def mixed_config() -> RunConfig:
    return small_config(task={"sizes": SIZES})


@pytest.fixture(scope="module")
def mixed_folder(tmp_path_factory: pytest.TempPathFactory, mixed_config: RunConfig) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "mixed"
    train(folder, mixed_config, device="cpu")
    return folder


def test_it_trains_and_measures_what_the_task_says(mixed_folder: Path, mixed_config: RunConfig) -> None:
    run = Run(mixed_folder)
    assert run.finished
    assert run.config == mixed_config
    assert run.metrics.notna().all(axis=None)
    task, model = MatrixCompletion(mixed_config.task), build_model(mixed_config)
    batch = task.sample(8, torch.Generator().manual_seed(1))
    assert batch.present is not None
    output = fused_complete(model, batch.inputs)
    first = run.metrics.iloc[0]
    errors = (output - batch.targets).square()
    assert first["loss"] == pytest.approx(errors[batch.present].mean().item(), rel=1e-5)
    assert first["masked_mse"] == pytest.approx(errors[batch.present & ~batch.observed].mean().item(), rel=1e-5)


def test_the_padding_token_is_never_trained(mixed_folder: Path, mixed_config: RunConfig) -> None:
    run, pad = Run(mixed_folder), mixed_config.task.pad_token
    first, last = (run.checkpoint(step).weights for step in ("first", "last"))
    assert torch.equal(first["embed.embed.W_E"][pad], last["embed.embed.W_E"][pad])
    never = 4 * 5 + 4
    positions = [weights["embed.pos_embed.W_pos"] for weights in (first, last)]
    assert torch.equal(positions[0][never], positions[1][never])
    assert not torch.equal(positions[0][:never], positions[1][:never])


def test_stopping_and_going_on_is_the_same(mixed_folder: Path, mixed_config: RunConfig, tmp_path: Path) -> None:
    train(tmp_path / "run", mixed_config, "cpu", interrupt_at(17))
    assert not Run(tmp_path / "run").finished
    train(tmp_path / "run", mixed_config, "cpu")
    for file in ("step-00000040/model.safetensors", "training-state.safetensors"):
        assert (tmp_path / "run" / file).read_bytes() == (mixed_folder / file).read_bytes()
    assert densify(tmp_path / "run", 25, 27, 1, device="cpu") == [25, 26, 27]


def test_a_checkpoint_samples_the_largest_unless_told_otherwise(mixed_folder: Path) -> None:
    checkpoint = Run(mixed_folder).checkpoint("last")
    assert checkpoint.sample(6).present is None
    mixed = checkpoint.sample(50, size="mixed").present
    assert mixed is not None
    assert set(mixed.sum(1).tolist()) == {9, 20}
    small = checkpoint.sample(6, size=(3, 3)).present
    assert small is not None
    assert small.sum(1).tolist() == [9] * 6


def test_a_run_of_one_size_opens_with_and_without_the_field(own_copy: Path) -> None:
    tree = yaml.safe_load((own_copy / "config.yaml").read_text())
    assert tree["task"]["sizes"] is None
    assert Run(own_copy).checkpoint("last").model.pad_token is None
    del tree["task"]["sizes"]
    (own_copy / "config.yaml").write_text(yaml.safe_dump(tree))
    assert Run(own_copy).checkpoint("last").model.pad_token is None
    tree["task"]["sizes"] = [[3, 3], [5, 5]]
    (own_copy / "config.yaml").write_text(yaml.safe_dump(tree))
    with pytest.raises(CheckpointError, match="belongs to configuration"):
        Run(own_copy).checkpoint("last")
