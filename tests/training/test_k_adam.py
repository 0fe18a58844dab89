"""k-Adam: against its definition written out, against torch's Adam, and trained, stopped and gone on with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
import yaml
from small_linear import linear_config
from small_run import interrupt_at, small_config
from torch import Tensor, nn

from mcinterp.config import RunConfig, parse_config
from mcinterp.errors import ConfigError
from mcinterp.model.build import build_model
from mcinterp.model.plain import trainable
from mcinterp.runs import densify, load_sweep, run_sweep, train
from mcinterp.training.k_adam import KAdam, mean_of, square_of
from mcinterp.training.loop import TrainState

THREE = ((0.9, 0.999), (0.0, 0.9), (0.5, 0.99))


def k_adam_config(stages: Any = THREE, **training: Any) -> RunConfig:
    return linear_config(optimiser="k-adam", optimiser_settings=f"{{stages: {list(map(list, stages))}}}", **training)


def by_hand(gradients: list[Tensor], stages: Any, eps: float) -> list[Tensor]:
    """The last stage's output after every gradient, from the sums that the means are."""
    given = gradients
    for beta1, beta2 in stages:
        made = []
        for n in range(1, len(given) + 1):
            weights1 = [(1 - beta1) * beta1 ** (n - 1 - i) for i in range(n)]
            weights2 = [(1 - beta2) * beta2 ** (n - 1 - i) for i in range(n)]
            mean = sum(weight * each for weight, each in zip(weights1, given, strict=False)) / sum(weights1)
            square = sum(weight * each**2 for weight, each in zip(weights2, given, strict=False)) / sum(weights2)
            made.append(mean / (square.sqrt() + eps))
        given = made
    return given


def started(value: Tensor, stages: Any, **settings: Any) -> tuple[nn.Parameter, KAdam]:
    parameter = nn.Parameter(value)
    optimiser = KAdam([parameter], 0.1, stages, **settings)
    for stage in range(1, len(stages) + 1):
        optimiser.state[parameter] |= {name(stage): torch.zeros_like(value) for name in (mean_of, square_of)}
    return parameter, optimiser


@pytest.mark.parametrize("eps", [0.0, 1e-3])
@pytest.mark.parametrize("stages", [THREE[:1], THREE[:2], THREE])
def test_updates_are_those_of_the_definition(stages: Any, eps: float) -> None:
    generator = torch.Generator().manual_seed(0)
    gradients = [torch.randn(5, generator=generator, dtype=torch.float64) for _ in range(12)]
    parameter, optimiser = started(torch.zeros(5, dtype=torch.float64), stages, eps=eps)
    for gradient, expected in zip(gradients, by_hand(gradients, stages, eps), strict=True):
        before = parameter.detach().clone()
        parameter.grad = gradient
        optimiser.step()
        torch.testing.assert_close(before - parameter.detach(), 0.1 * expected, rtol=1e-12, atol=1e-14)


def test_one_stage_is_torchs_adam() -> None:
    config = small_config(training={"optimiser": "adam", "beta2": 0.99, "learning_rate": 0.01})
    settings = {"optimiser": "k-adam", "learning_rate": 0.01, "optimiser_settings": {"stages": [[0.9, 0.99]]}}
    states = [
        TrainState.fresh(trainable(build_model(each)), each.training)
        for each in (config, small_config(training=settings))
    ]
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):
        gradients = {k: torch.randn(p.shape, generator=generator) for k, p in states[0].parameters.items()}
        for state in states:
            for name, parameter in state.parameters.items():
                parameter.grad = gradients[name].clone()
            state.optimiser.step()
    for name, parameter in states[0].parameters.items():
        torch.testing.assert_close(parameter, states[1].parameters[name], rtol=1e-5, atol=1e-6, msg=name)


def test_a_second_stage_without_memory_is_the_sign_and_nothing_where_nothing_came() -> None:
    parameter, optimiser = started(torch.zeros(3, dtype=torch.float64), ((0.9, 0.99), (0.0, 0.0)), eps=0.0)
    for gradient in ([1.0, -1e-9, 0.0], [-3.0, -1e-9, 0.0]):
        before = parameter.detach().clone()
        parameter.grad = torch.tensor(gradient, dtype=torch.float64)
        optimiser.step()
        moved = (before - parameter.detach()) / 0.1
        assert moved.tolist() == pytest.approx([1.0 if gradient[0] > 0 else -1.0, -1.0, 0.0])
    parameter.grad = None
    optimiser.step()
    assert torch.equal(parameter.detach(), before - 0.1 * moved)


def test_weights_decay_and_biases_do_not() -> None:
    config = small_config(training={"optimiser": "k-adam", "weight_decay": 0.25, "learning_rate": 0.5})
    state = TrainState.fresh(trainable(build_model(config)), config.training)
    first = {name: parameter.detach().clone() for name, parameter in state.parameters.items()}
    for parameter in state.parameters.values():
        parameter.grad = torch.zeros_like(parameter)
    state.optimiser.step()
    for name, parameter in state.parameters.items():
        kept = 1 - 0.5 * 0.25 if name.rpartition(".")[2].startswith("W_") else 1.0
        torch.testing.assert_close(parameter.detach(), kept * first[name], msg=name)


def test_a_run_goes_on_to_the_last_bit_and_stores_every_stage(tmp_path: Path) -> None:
    config = k_adam_config()
    straight = train(tmp_path / "straight", config, "cpu")
    for stop in (1, 11, 25):
        assert not train(tmp_path / "stopped", config, "cpu", interrupt_at(stop)).finished
    stopped = train(tmp_path / "stopped", config, "cpu")
    for file in [*(f"step-{step:08d}/model.safetensors" for step in straight.steps), "training-state.safetensors"]:
        assert (stopped.path / file).read_bytes() == (straight.path / file).read_bytes(), file
    assert densify(straight.path, 16, 18, 1, "cpu") == [16, 17, 18]
    stored = safetensors.torch.load_file(straight.path / "training-state.safetensors")
    kept = [name(stage) for stage in (1, 2, 3) for name in (mean_of, square_of)]
    expected = {f"{kind}.factors.{i}" for kind in ("weight", *kept) for i in (0, 1)}
    assert stored.keys() == expected | {"step", "generator", "shared.updates"}
    assert stored["shared.updates"].item() == 40


def test_stages_decide_the_run_and_can_be_swept(tmp_path: Path) -> None:
    one, three = k_adam_config(THREE[:1]), k_adam_config()
    assert one.hash != three.hash
    assert parse_config(three.to_yaml(), "again") == three
    stages = [[[0.9, 0.999]], [[0.9, 0.999], [0, 0.9]]]
    grid = {"base": one.model_dump(), "grid": {"training.optimiser_settings.stages": stages}}
    (tmp_path / "g.yaml").write_text(yaml.safe_dump(grid))
    sweep = load_sweep(tmp_path / "g.yaml")
    assert [len(run.config.training.setting("stages")) for run in sweep.runs] == [1, 2]
    assert [run.name for run in sweep.runs] == ["stages=0.9_0.999", "stages=0.9_0.999+0_0.9"]
    outcomes = run_sweep(sweep, tmp_path / "sweep", 1, None, "cpu", None, lambda outcome: None)
    assert [outcome.state for outcome in outcomes] == ["finished", "finished"]
    again = run_sweep(load_sweep(tmp_path / "g.yaml"), tmp_path / "sweep", 1, None, "cpu", None, lambda outcome: None)
    assert [outcome.state for outcome in again] == ["kept", "kept"]


@pytest.mark.needs_study("matrix-completion")
def test_the_example_sweeps_one_stage_and_two_at_the_same_rates() -> None:
    sweep = load_sweep(Path(__file__).parents[2] / "examples" / "k_adam.yaml")
    found = {(run.config.training.learning_rate, len(run.config.training.setting("stages"))) for run in sweep.runs}
    assert found == {(rate, stages) for rate in (0.002, 0.004) for stages in (1, 2)}
    assert {run.config.training.optimiser for run in sweep.runs} == {"k-adam"}
    assert len(sweep.runs) == 8


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ("{stages: []}", "stages must be [beta1, beta2] for each stage, all from 0 to below 1, got []"),
        ("{stages: [[0.9]]}", "stages must be [beta1, beta2] for each stage, all from 0 to below 1, got [[0.9]]"),
        ("{stages: [[0.9, 1.0]]}", "all from 0 to below 1, got [[0.9, 1.0]]"),
        ("{stages: [0.9, 0.999]}", "stages must be lists of numbers, as its default [[0.9, 0.999], [0.0, 0.999]], got"),
        ("{stages: two}", "stages must be lists of numbers, as its default [[0.9, 0.999], [0.0, 0.999]], got 'two'"),
        ("{stages: [[.nan, 0.9]]}", "stages must be at most 1e+30 in size, got [[nan, 0.9]]"),
        ("{eps: -1}", "eps must be at least 0, got -1"),
        ("{stage: [[0.9, 0.9]]}", "stage is not a setting of optimiser 'k-adam'; did you mean 'stages'?"),
    ],
)
def test_stages_that_are_none_are_refused(settings: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        linear_config(optimiser="k-adam", optimiser_settings=settings)
    assert sentence in str(caught.value)


def test_decays_stand_with_the_stages_alone() -> None:
    with pytest.raises(ConfigError, match="beta1 is that of optimiser 'adam' or "):
        linear_config(optimiser="k-adam", beta1=0.5)
