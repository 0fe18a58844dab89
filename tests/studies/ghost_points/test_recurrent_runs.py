"""Recurrent networks side by side: against their definition, and each trained as it would be alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from small_run import interrupt_at

from mcinterp.analysis import analyse
from mcinterp.config import RunConfig, load_preset, parse_config
from mcinterp.errors import ConfigError
from mcinterp.report import write_report
from mcinterp.runs import Run, densify, train
from mcinterp.studies.ghost_points.config import RecurrentConfig, SwitchConfig
from mcinterp.studies.ghost_points.model import RecurrentNetworks
from mcinterp.studies.ghost_points.task import DelayedSwitch, SwitchBatch

OVERLAP = RecurrentConfig(units=6, alpha=0.3, readout="overlap", gain=4.0)
TRAINED = RecurrentConfig(units=6, rank=3, alpha=0.3)


def switch_config(*changes: str) -> RunConfig:
    text = """
    task: {kind: delayed-switch, target: 3, networks: 3}
    model: {architecture: recurrent, units: 4, readout: overlap, gain: 5}
    training: {optimiser: sgd, steps: 30, batch_size: 1, learning_rate: 0.1, checkpoints: 4, dense_checkpoints: 0}
    """
    return parse_config(text, "here.yaml", list(changes))


def drawn(n: int = 1, **fields: object) -> SwitchBatch:
    return DelayedSwitch(SwitchConfig(**fields)).draw(n, torch.Generator())


@pytest.mark.parametrize("config", [OVERLAP, TRAINED], ids=lambda config: config.readout)
def test_every_network_is_the_recurrence_of_its_definition(config: RecurrentConfig) -> None:
    networks = RecurrentNetworks(config, networks=4, seed=7)
    with torch.no_grad():
        networks.b.normal_(generator=torch.Generator().manual_seed(0))
    inputs = torch.tensor([[-0.3, *[0.0] * 7], [0.8, *[0.0] * 7]])
    outputs = networks(inputs)
    assert outputs.shape == (2, 8, 4)
    weights = {name: value.double().numpy() for name, value in networks.weights().items()}
    for i, sample in np.ndindex(4, 2):
        x = np.full(6, inputs[sample, 0].item())
        for step in range(8):
            kappa = weights["n"][i].T @ x
            x = 0.7 * x + 0.3 * np.tanh(weights["m"][i] @ kappa + weights["b"][i])
            if config.gain is None:
                seen = weights["w"][i] @ x + weights["c"][i]
            else:
                seen = config.gain * ((weights["n"][i].T @ x)[0] - 1)
            assert outputs[sample, step, i].item() == pytest.approx(1 / (1 + np.exp(-seen)), abs=1e-6)


@pytest.mark.parametrize("config", [OVERLAP, TRAINED], ids=lambda config: config.readout)
def test_gradients_are_those_of_the_definition(config: RecurrentConfig) -> None:
    model = RecurrentNetworks(config, networks=2, seed=3).double()
    inputs = torch.tensor([[-0.3, *[0.0] * 5], [0.8, *[0.0] * 5]], dtype=torch.float64)
    given = torch.randn(2, 6, 2, generator=torch.Generator().manual_seed(0)).double()
    found = torch.autograd.grad((model(inputs) * given).sum(), list(model.parameters()))
    p = dict(model.named_parameters())
    x, outputs = inputs[:, :1, None].expand(2, 2, 6), []
    for _ in range(6):
        kappa = torch.einsum("iuk,siu->sik", p["n"], x)
        x = 0.7 * x + 0.3 * torch.tanh(torch.einsum("iuk,sik->siu", p["m"], kappa) + p["b"])
        if config.gain is None:
            seen = (p["w"] * x).sum(-1) + p["c"]
        else:
            seen = config.gain * (torch.einsum("iuk,siu->sik", p["n"], x)[..., 0] - 1)
        outputs.append(torch.sigmoid(seen))
    expected = torch.autograd.grad((torch.stack(outputs, 1) * given).sum(), list(model.parameters()))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("config", [OVERLAP, TRAINED], ids=lambda config: config.readout)
def test_a_network_of_several_begins_as_that_of_its_own_seed(config: RecurrentConfig) -> None:
    several = RecurrentNetworks(config, networks=3, seed=5).weights()
    for i in range(3):
        for name, value in RecurrentNetworks(config, seed=5 + i).weights().items():
            assert torch.equal(several[name][i], value[0])
    spread = RecurrentNetworks(RecurrentConfig(units=2500), seed=1).weights()
    assert {name: round(float(spread[name].std()), 2) for name in "mnw"} == dict.fromkeys("mnw", 0.02)
    assert not spread["b"].any()


def test_the_loss_is_each_networks_own_and_the_scores_say_so() -> None:
    task = DelayedSwitch(SwitchConfig(target=2, networks=2))
    batch = task.draw(3, torch.Generator())
    assert batch.inputs.tolist() == [[pytest.approx(-0.3), 0, 0, 0]] * 3
    assert batch.targets.tolist() == [[0, 0, 1, 1]] * 3
    output = torch.zeros(3, 4, 2)
    output[:, :, 1] = torch.tensor([0.0, 0.6, 1.0, 0.4])
    first, second = (0 + 0 + 1 + 1) / 2, (0.36 + 0.36) / 2
    assert task.loss(output, batch).item() == pytest.approx(first + second)
    scores = {name: value.item() for name, value in task.scores(output, batch).items()}
    expected = {"switch_loss": (first + second) / 2, "wrong": 4 / 8, "loss_1": first, "loss_2": second}
    assert scores == pytest.approx(expected)
    assert tuple(scores) == task.score_names
    assert DelayedSwitch(SwitchConfig()).score_names == ("switch_loss", "wrong")
    assert task.n_unfit(batch) == 0


@pytest.mark.parametrize(
    "model",
    [["model.rank=1"], ["model.rank=2", "model.readout=trained", "model.gain=null"]],
    ids=["overlap", "trained"],
)
def test_a_network_of_several_trains_as_it_does_alone(model: list[str], tmp_path: Path) -> None:
    several = train(tmp_path / "several", switch_config(*model), "cpu")
    last = several.checkpoint("last").weights
    for i in range(3):
        alone = train(tmp_path / f"alone-{i}", switch_config(*model, "task.networks=1", f"training.seed={i}"), "cpu")
        for name, value in alone.checkpoint("last").weights.items():
            torch.testing.assert_close(last[name][i], value[0], atol=1e-6, rtol=0)
            assert not torch.equal(value, alone.checkpoint(0).weights[name])
        np.testing.assert_allclose(several.metrics[f"loss_{i + 1}"], alone.metrics["switch_loss"], atol=1e-6)
    np.testing.assert_allclose(several.metrics["loss"], 3 * several.metrics["switch_loss"], rtol=1e-6)


def test_it_goes_on_to_the_last_bit_and_is_reported(tmp_path: Path) -> None:
    config = switch_config()
    straight = train(tmp_path / "straight", config, "cpu")
    assert not train(tmp_path / "stopped", config, "cpu", interrupt_at(11)).finished
    stopped = train(tmp_path / "stopped", config, "cpu")
    assert stopped.checkpoint("last").digest == straight.checkpoint("last").digest
    assert densify(straight.path, 11, 13, 1, "cpu") == [11, 12, 13]
    analyse(straight, tmp_path / "out", [])
    index = write_report(tmp_path / "out").read_text(encoding="utf-8")
    assert "delayed-switch, target 3, start -0.3, networks 3" in index
    assert "recurrent, units 4, rank 1" in index
    assert '"name":"switch loss"' in index
    assert Run(straight.path).checkpoint("last").sample(2, seed=0).inputs.shape == (2, 6)


def test_a_learned_switch_switches_at_its_time(tmp_path: Path) -> None:
    config = switch_config("training.steps=400", "model.units=16", "model.gain=3", "training.learning_rate=0.1")
    run = train(tmp_path / "run", config, "cpu")
    assert run.metrics["wrong"].iloc[-1] < 0.1 < run.metrics["wrong"].iloc[0]
    last = run.checkpoint("last")
    outputs = last.model(last.sample(1, seed=0).inputs)[0]
    assert (outputs[0] < 0.5).all()
    assert (outputs[-1] > 0.5).all()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("model.rank=2", "readout 'overlap' is that of rank 1, got 2"),
        ("model.gain=null", "gain is that of readout 'overlap', which needs one; got None"),
        ("model.readout=trained", "gain is that of readout 'overlap', which needs one; got 5.0"),
        ("model.readout=linear", "model.readout = 'linear'"),
        ("task.target=0", "task.target"),
        ("task.networks=0", "task.networks"),
        ("model.architecture=linear", "model.units is not a field"),
    ],
)
def test_what_contradicts_itself_is_refused(change: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        switch_config(change)
    assert sentence in str(caught.value)


def test_the_preset_is_one_network_of_the_papers_kind() -> None:
    config = load_preset("delayed-switch")
    assert isinstance(config.task, SwitchConfig)
    assert (config.task.networks, config.model.model_dump()["gain"], config.training.optimiser) == (1, 10.0, "sgd")
