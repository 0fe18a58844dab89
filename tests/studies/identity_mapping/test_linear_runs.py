"""Linear networks train, go on and are reported by the same layers as transformers, which know of neither."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_run import interrupt_at

from mcinterp.analysis import ablation, analyse
from mcinterp.config import RunConfig, parse_config
from mcinterp.errors import ConfigError, InputError
from mcinterp.report import write_report
from mcinterp.runs import Run, densify, train
from mcinterp.runs.retrain import retrain
from mcinterp.studies.identity_mapping.model import LinearNetwork
from mcinterp.training.optimisers import OPTIMISERS


def sim_config(**training: object) -> RunConfig:
    steps = {"steps": 60, "batch_size": 8, "learning_rate": 0.05, "optimiser": "sgd", "checkpoints": 5} | training
    text = "{task: {kind: identity-mapping}, model: {architecture: linear, layers: 2, symmetric: true, diagonal: 0.1}}"
    return parse_config(text, "here.yaml", [f"training.{name}={value}" for name, value in steps.items()])


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_another_family_trains_and_goes_on_to_the_last_bit(optimiser: str, tmp_path: Path) -> None:
    config = sim_config(optimiser=optimiser)
    straight = train(tmp_path / "straight", config, "cpu")
    stopped = train(tmp_path / "stopped", config, "cpu", interrupt_at(23))
    assert not stopped.finished
    train(tmp_path / "stopped", config, "cpu")
    for file in [*(f"step-{step:08d}/model.safetensors" for step in straight.steps), "training-state.safetensors"]:
        assert (straight.path / file).read_bytes() == (stopped.path / file).read_bytes(), file
    assert densify(straight.path, 11, 13, 1, "cpu") == [11, 12, 13]


def test_plain_gradient_descent_is_that(tmp_path: Path) -> None:
    run = train(tmp_path / "run", sim_config(steps=1, replay_states=1, warmup_steps=0), "cpu")
    before, after = run.checkpoint(0), run.checkpoint(1)
    factor = before.weights["factors.0"].clone().requires_grad_(True)
    batch = before.task.draw(8, torch.Generator().manual_seed(1))
    answer = batch.inputs[:-1] @ (factor @ factor.T).T
    (0.5 * (answer - batch.inputs[:-1]).square().sum(1).mean()).backward()
    assert factor.grad is not None
    torch.testing.assert_close(after.weights["factors.0"], (factor - 0.05 * factor.grad).detach())


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(tmp_path_factory.mktemp("seam") / "sim", sim_config(), "cpu")


def test_its_checkpoints_open_as_the_same_network(run: Run) -> None:
    last = run.checkpoint("last")
    assert isinstance(last.model, LinearNetwork)
    batch = last.sample(5, seed=3)
    assert batch.inputs.shape == (6, 2)
    output = last.model(batch.inputs)
    torch.testing.assert_close(output, batch.inputs @ last.model.matrix())
    assert run.metrics["ood_loss"].iloc[-1] < run.metrics["ood_loss"].iloc[0]


def test_its_report_has_a_curve_and_nothing_that_is_not_defined(run: Run, tmp_path: Path) -> None:
    told: list[str] = []
    analyse(run, tmp_path / "out", run.select_steps("auto"), progress=told.append)
    assert told[0].startswith("left out, not offered by identity-mapping: attention, ")
    index = write_report(tmp_path / "out").read_text(encoding="utf-8")
    assert "identity-mapping, signals 1.0 and 2.0, noise 0.05 and 0.05" in index
    assert "linear, layers 2, symmetric yes, diagonal 0.1" in index
    assert '"name":"loss at the test point"' in index
    assert run.transition.statement.replace("ood_loss", "loss at the test point")[1:] in index
    for absent in ("Analysed checkpoints", "What changed", "Classes of the heads", "L1H0", "all entries", "masked"):
        assert absent not in index


def test_passes_on_it_are_refused_in_a_sentence(run: Run, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="ablation asks for heads and sample_scores, which neither"):
        ablation(run.checkpoint("last"))
    with pytest.raises(InputError, match="defined for an encoder; sim step 60 is a linear"):
        _ = run.checkpoint("last").encoder
    with pytest.raises(InputError, match="attention has no parameters to train"):
        retrain(run.path, "attention")


def test_every_kind_comes_back_from_its_yaml() -> None:
    config = sim_config()
    again = parse_config(config.to_yaml(), "round trip")
    assert again == config
    assert again.hash == config.hash


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("task: {kind: identity}", "task.kind = 'identity': there is none; did you mean 'identity-mapping'?"),
        ("task: {kind: identity-mapping, rows: 3}", "task.rows is not a field; valid: kind, noise, signals"),
        (
            "task: {kind: identity-mapping}",
            "task.kind 'identity-mapping' needs model.architecture 'linear', got 'encod",
        ),
        ("task: {kind: identity-mapping, signals: [1, 2, 3]}", "noise must be one standard deviation"),
        ("task: {kind: identity-mapping, signals: 3}", "task.signals: must be numbers such as [1.0, 2.0], got 3"),
        ("task: {kind: identity-mapping, signals: [0, 1]}", "signals must be positive"),
        ("model: {architecture: linear, layers: 3, symmetric: true}", "symmetric is of 2 layers, W = U Uᵀ, got 3"),
        ("model: {architecture: linear, layers: 2}", "several layers that all begin at 0 never learn"),
        ("model: {architecture: linear, d_model: 3}", "model.d_model is not a field"),
        ("training: {optimiser: sgdm}", "training.optimiser: there is no optimiser 'sgdm'; did you mean 'sgd'?"),
    ],
)
def test_what_does_not_fit_a_kind_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "here.yaml")
    assert sentence in str(caught.value)
