"""Seeds of weights, data and ground truth, each apart from the others."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_linear import linear_config
from small_run import interrupt_at, small_config

from mcinterp.config import RunConfig, TrainConfig
from mcinterp.model.build import build_model
from mcinterp.model.plain import trainable
from mcinterp.runs import Run, densify, train
from mcinterp.runs.retrain import retrain, retraining
from mcinterp.studies.matrix_completion.config import TaskConfig
from mcinterp.task import make_task
from mcinterp.training.loop import TrainState

SEEDS = st.integers(0, 2**63 - 1)


def started(**training: object) -> tuple[TrainState, RunConfig]:
    config = small_config(training=training)
    return TrainState.fresh(trainable(build_model(config)), config.training), config


def first_inputs(**training: object) -> torch.Tensor:
    state, config = started(**training)
    return make_task(config.task).draw(32, state.generator).inputs


def test_without_seeds_of_their_own_data_have_the_next_and_the_truth_has_that_of_the_data() -> None:
    assert TrainConfig(seed=4).seeds[:2] == (4, 5)
    assert TrainConfig(seed=4).seeds == TrainConfig(seed=4, data_seed=5, chain_seed=5).seeds
    assert TrainConfig(data_seed=7).seeds == TrainConfig(data_seed=7, chain_seed=7).seeds
    # Whoever draws a truth from it gets another one if this number changes.
    assert TrainConfig().seeds == (0, 1, 0x70B8AF40232FB4D3 >> 1)


@given(SEEDS, SEEDS, SEEDS)
def test_each_decides_its_own(seed: int, data: int, chain: int) -> None:
    seeds = TrainConfig(seed=seed, data_seed=data, chain_seed=chain).seeds
    assert seeds[:2] == (seed, data)
    assert seeds.chain == TrainConfig(chain_seed=chain).seeds.chain
    assert 0 <= seeds.chain < 2**63
    assert seeds.chain not in (seed, data, chain)
    assert seeds.chain != TrainConfig(chain_seed=(chain + 1) % 2**63).seeds.chain


def test_data_stay_with_other_weights() -> None:
    assert torch.equal(first_inputs(data_seed=7), first_inputs(seed=5, data_seed=7))
    assert torch.equal(first_inputs(), first_inputs(seed=5, data_seed=1))
    assert not torch.equal(first_inputs(data_seed=7), first_inputs(data_seed=8))
    weights = [
        started(**fields)[0].tensors()["weight.embed.embed.W_E"] for fields in ({"data_seed": 7}, {}, {"seed": 5})
    ]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_a_generator_of_another_kind_is_seeded_from_the_datas_seed() -> None:
    stored = started()[0].tensors()
    del stored["generator"]
    stored |= {"generator.cuda": torch.zeros(16, dtype=torch.uint8), "step": torch.tensor(40)}
    drawn = []
    for fields in ({}, {"seed": 3, "data_seed": 1}, {"data_seed": 2}):
        state = started(**fields)[0]
        assert state.restore(stored) == "cuda"
        drawn.append(torch.rand(4, generator=state.generator).tolist())
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_run_with_seeds_of_its_own_goes_on_and_is_replayed(tmp_path: Path) -> None:
    config = linear_config(data_seed=11, chain_seed=3)
    straight = train(tmp_path / "straight", config, "cpu")
    assert not train(tmp_path / "stopped", config, "cpu", interrupt_at(13)).finished
    stopped = train(tmp_path / "stopped", config, "cpu")
    for file in [*(f"step-{step:08d}/model.safetensors" for step in straight.steps), "training-state.safetensors"]:
        assert (straight.path / file).read_bytes() == (stopped.path / file).read_bytes(), file
    assert densify(straight.path, 14, 16, 1, "cpu") == [14, 15, 16]


def test_losses_depend_on_the_datas_seed_alone(tmp_path: Path) -> None:
    runs = {
        name: train(tmp_path / name, linear_config(**fields), "cpu").metrics["loss"].tolist()
        for name, fields in {"own": {}, "same": {"data_seed": 1}, "other": {"data_seed": 2}}.items()
    }
    assert runs["own"] == runs["same"] != runs["other"]


def test_a_retraining_has_the_next_data(own_copy: Path, tmp_path: Path) -> None:
    assert retraining(Run(own_copy), "mlp").training.seeds[:2] == (1, 2)
    assert retraining(Run(own_copy), "mlp").training.data_seed is None
    run = train(tmp_path / "run", small_config(training={"steps": 3, "data_seed": 2, "chain_seed": 9}), "cpu")
    begun = retrain(run.path, "mlp", steps=2, device="cpu").config.training
    assert (begun.seed, begun.data_seed, begun.chain_seed) == (1, 3, 9)
    assert retraining(run, "mlp", overrides=["training.data_seed=2"]).training.data_seed == 2


@pytest.mark.parametrize(("own", "kept"), [({}, 1), ({"data_seed": 6}, 6), ({"chain_seed": 0}, 0)])
def test_a_retraining_is_asked_the_same_truth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: dict[str, int], kept: int
) -> None:
    run = train(tmp_path / "run", small_config(training={"steps": 2, **own}), "cpu")
    monkeypatch.setattr(TaskConfig, "draws_chain", True)
    begun = retraining(run, "mlp").training
    assert begun.chain_seed == kept
    assert begun.seeds.chain == run.config.training.seeds.chain
    assert begun.seeds.data != run.config.training.seeds.data


def test_a_task_that_draws_a_truth_is_told_its_seed_by_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    assert small_config(training={"seed": 3}).task.chain == 0
    monkeypatch.setattr(TaskConfig, "draws_chain", True)
    config = small_config(training={"seed": 3})
    other = config.model_copy(update={"training": TrainConfig(seed=3, chain_seed=8)})
    assert config.task.chain == config.training.seeds.chain != other.task.chain == TrainConfig(chain_seed=8).seeds.chain
    assert config.task.model_dump() == other.task.model_dump()
    assert config.of_length(5, ()).task.chain == config.task.chain
    assert pickle.loads(pickle.dumps(config)).task.chain == config.task.chain
