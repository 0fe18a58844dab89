"""Optimisers: decay by hand and against torch, and one from elsewhere that trains, stops, goes on and is replayed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from small_gpt import small_gpt_config
from small_linear import linear_config
from small_run import interrupt_at, small_config
from torch import nn
from two_speeds import TWO_SPEEDS

from mcinterp.config import TrainConfig
from mcinterp.config.optimisers import BUILT_IN
from mcinterp.errors import CheckpointError, DamagedError, InputError
from mcinterp.model.build import build_model
from mcinterp.model.plain import trainable
from mcinterp.runs import densify, train
from mcinterp.runs.state import load_state
from mcinterp.training.loop import TrainState
from mcinterp.training.optimisers import OPTIMISERS, Optimiser, decays, optimiser_named


def stepped(state: TrainState, gradients: dict[str, torch.Tensor]) -> None:
    for name, parameter in state.parameters.items():
        parameter.grad = gradients[name].clone()
    state.optimiser.step()


def random_gradients(parameters: dict[str, nn.Parameter], step: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(step)
    return {name: torch.randn(parameter.shape, generator=generator) for name, parameter in parameters.items()}


def test_what_a_configuration_names_is_there() -> None:
    assert BUILT_IN.keys() == OPTIMISERS.keys() == {"adam", "adamw", "sgd", "k-adam"}


@pytest.mark.parametrize("make", [small_config, small_gpt_config])
def test_weights_decay_and_neither_biases_nor_layer_norms(make: Any) -> None:
    config = make(training={"optimiser": "adamw", "weight_decay": 0.25, "learning_rate": 0.5})
    parameters = trainable(build_model(config))
    state, first = TrainState.fresh(parameters, config.training), {n: p.detach().clone() for n, p in parameters.items()}
    for _ in range(3):
        stepped(state, {name: torch.zeros_like(parameter) for name, parameter in parameters.items()})
    for name, parameter in parameters.items():
        # In TransformerLens biases of heads have two axes, as weights of others have.
        kept = (1 - 0.5 * 0.25) ** 3 if name.rpartition(".")[2].startswith("W_") else 1.0
        torch.testing.assert_close(parameter.detach(), kept * first[name], msg=name)


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [
        ("embed.W_E", (7, 4), True),
        ("blocks.0.attn.W_Q", (2, 4, 2), True),
        ("factors.0", (2, 2), True),
        ("blocks.0.attn.b_Q", (2, 2), False),
        ("b", (3, 8), False),
        ("layer.in_proj_bias", (1, 6), False),
        ("layer.bias", (6,), False),
        ("ln.w", (4,), False),
        ("scale", (), False),
    ],
)
def test_what_decays(name: str, shape: tuple[int, ...], expected: bool) -> None:
    assert decays(name, torch.zeros(shape)) == expected


def test_adamw_is_that_of_torch_with_two_groups() -> None:
    fields = {"optimiser": "adamw", "weight_decay": 0.1, "beta1": 0.8, "beta2": 0.95, "learning_rate": 0.01}
    config = small_config(training=fields)
    ours, theirs = trainable(build_model(config)), trainable(build_model(config))
    state = TrainState.fresh(ours, config.training)
    weights = [parameter for name, parameter in theirs.items() if ".W_" in name]
    others = [parameter for name, parameter in theirs.items() if ".W_" not in name]
    groups = [{"params": weights, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    adamw = torch.optim.AdamW(groups, lr=0.01, betas=(0.8, 0.95), fused=False)
    for step in range(5):
        gradients = random_gradients(ours, step)
        stepped(state, gradients)
        for name, parameter in theirs.items():
            parameter.grad = gradients[name].clone()
        adamw.step()
    for name, parameter in ours.items():
        torch.testing.assert_close(parameter, theirs[name], rtol=1e-5, atol=1e-6, msg=name)


def test_adamw_without_decay_is_adam_to_the_last_bit(tmp_path: Path) -> None:
    runs = [train(tmp_path / name, linear_config(optimiser=name), "cpu") for name in ("adam", "adamw")]
    assert runs[0].checkpoint("last").digest == runs[1].checkpoint("last").digest
    decayed = train(tmp_path / "decayed", linear_config(optimiser="adamw", weight_decay=0.1), "cpu")
    assert decayed.checkpoint("last").digest != runs[0].checkpoint("last").digest


def test_adam_is_that_of_torch_to_the_last_bit(tmp_path: Path) -> None:
    run = train(tmp_path / "run", linear_config(steps=9, warmup_steps=0), "cpu")
    task, model = run.checkpoint(0).task, build_model(run.config)
    adam = torch.optim.Adam(model.parameters(), lr=0.05, betas=(0.9, 0.999), fused=True)
    generator = torch.Generator().manual_seed(1)
    for _ in range(9):
        batch = task.draw(8, generator)
        adam.zero_grad()
        task.loss(model(batch.inputs), batch).backward()
        adam.step()
    for name, value in run.checkpoint("last").weights.items():
        assert torch.equal(value, model.weights()[name]), name


def _momentum(parameters: Any, config: TrainConfig) -> torch.optim.Optimizer:
    return torch.optim.SGD(list(parameters.values()), lr=config.learning_rate, momentum=0.9)


def _nadam(parameters: Any, config: TrainConfig) -> torch.optim.Optimizer:
    return torch.optim.NAdam(list(parameters.values()), lr=config.learning_rate)


OF_TORCH = {
    "momentum": Optimiser(_momentum, {"momentum_buffer": torch.zeros_like}),
    "nadam": Optimiser(
        _nadam,
        {"exp_avg": torch.zeros_like, "exp_avg_sq": torch.zeros_like, "mu_product": lambda parameter: torch.ones(())},
        counts=True,
    ),
}


@pytest.mark.parametrize("name", OF_TORCH)
def test_what_torch_keeps_can_be_named(name: str) -> None:
    """Begun with what is named, torch's optimisers go as those that begin by themselves, and can be put back."""
    rule, config = OF_TORCH[name], linear_config().training
    ours, plain, late = (trainable(build_model(linear_config())) for _ in range(3))
    begun, alone = rule.begin(ours, config), rule.build(plain, config)
    for step in range(8):
        if step == 5:
            stored = {key: value.clone() for key, value in rule.tensors(begun, ours).items()}
            weights = {key: value.detach().clone() for key, value in ours.items()}
        for parameters, optimiser in ((ours, begun), (plain, alone)):
            for key, gradient in random_gradients(ours, step).items():
                parameters[key].grad = gradient
            optimiser.step()
    again = rule.begin(late, config)
    with torch.no_grad():
        for key, tensor in {**late, **rule.tensors(again, late)}.items():
            tensor.copy_({**stored, **weights}[key])
    rule.count(again, late, 5)
    for step in range(5, 8):
        for key, gradient in random_gradients(late, step).items():
            late[key].grad = gradient
        again.step()
    for key, parameter in ours.items():
        assert torch.equal(parameter, plain[key])
        assert torch.equal(parameter, late[key])


def test_what_is_kept_without_a_name_is_told() -> None:
    parameters = trainable(build_model(linear_config()))
    rule = Optimiser(_momentum)
    optimiser = rule.begin(parameters, linear_config().training)
    assert rule.tensors(optimiser, parameters) == {}
    for parameter in parameters.values():
        parameter.grad = torch.ones_like(parameter)
    optimiser.step()
    sentence = r"SGD keeps 'momentum_buffer' of factors\.0, which its optimiser does not name as kept"
    with pytest.raises(InputError, match=sentence):
        rule.tensors(optimiser, parameters)


@pytest.mark.parametrize("name", ["weight", "generator", "step", "shared", "a.b"])
def test_names_that_cannot_be_stored_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"an optimiser keeps nothing called '{name}'"):
        Optimiser(_momentum, {name: torch.zeros_like})
    with pytest.raises(InputError, match=f"an optimiser keeps nothing called '{name}'"):
        Optimiser(_momentum, shared=(name,))


@pytest.mark.usefixtures("two_speeds")
def test_an_optimiser_from_elsewhere_goes_on_to_the_last_bit(tmp_path: Path) -> None:
    config = linear_config(optimiser="two-speeds", optimiser_settings="{slow: 0.5}")
    assert optimiser_named("two-speeds") is TWO_SPEEDS
    straight = train(tmp_path / "straight", config, "cpu")
    # Of three updates one goes another way, so that the count has to be right after each stop.
    for stops in ((7,), (1, 11, 25)):
        folder = tmp_path / f"stopped-{len(stops)}"
        for stop in stops:
            assert not train(folder, config, "cpu", interrupt_at(stop)).finished
        train(folder, config, "cpu")
        for file in [*(f"step-{step:08d}/model.safetensors" for step in straight.steps), "training-state.safetensors"]:
            assert (folder / file).read_bytes() == (straight.path / file).read_bytes(), file
    assert densify(straight.path, 16, 18, 1, "cpu") == [16, 17, 18]


@pytest.mark.usefixtures("two_speeds")
def test_what_it_keeps_is_stored_by_name(tmp_path: Path) -> None:
    run = train(tmp_path / "run", linear_config(optimiser="two-speeds"), "cpu")
    stored = safetensors.torch.load_file(run.path / "training-state.safetensors")
    kept = {f"{kind}.factors.{i}" for kind in ("weight", "quick", "slow") for i in (0, 1)}
    assert stored.keys() == kept | {"step", "generator", "shared.beat"}
    assert (stored["step"].item(), stored["shared.beat"].item()) == (40, 40)
    first = safetensors.torch.load_file(run.path / "replay" / "step-00000000.safetensors")
    assert (first["slow.factors.0"] == 1).all()
    assert not first["quick.factors.0"].any()


@pytest.mark.usefixtures("two_speeds")
@pytest.mark.parametrize("name", ["quick.factors.1", "slow.factors.0", "shared.beat"])
def test_a_state_with_less_or_more_is_refused_by_name(tmp_path: Path, name: str) -> None:
    config = linear_config(optimiser="two-speeds", steps=2)
    run = train(tmp_path / "run", config, "cpu")
    state = TrainState.fresh(trainable(build_model(config)), config.training)
    stored = safetensors.torch.load_file(run.path / "training-state.safetensors")
    fewer = {key: value for key, value in stored.items() if key != name}
    more = {**stored, f"{name}.more": stored[name].clone()}
    with pytest.raises(CheckpointError, match=f"the training state lacks {name}"):
        state.restore(fewer)
    with pytest.raises(CheckpointError, match=f"the training state has an unknown tensor {name}.more"):
        state.restore(more)
    for tensors, sentence in ((fewer, f"lacks {name};"), (more, f"has an unknown tensor {name}.more;")):
        file = tmp_path / "state.safetensors"
        safetensors.torch.save_file(tensors, file)
        with pytest.raises(DamagedError, match=f"state.safetensors {sentence}"):
            load_state(run, file, state)
