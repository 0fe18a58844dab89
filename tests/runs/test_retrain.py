"""Retraining one component: the rest stays to the last bit, and the retraining is a run like any other."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from small_run import interrupt_at, small_config

from mcinterp.config import RunConfig, load_preset, parse_config
from mcinterp.errors import CheckpointError, ConfigError, InputError, UsageError
from mcinterp.model.components import Component
from mcinterp.runs import Run, densify, retrain, train
from mcinterp.runs.checkpoint import build_model
from mcinterp.runs.retrain import retrained_runs


def changed(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> set[str]:
    return {name for name in before if not torch.equal(before[name], after[name])}


@pytest.mark.parametrize("component", ["positions", "tokens", "attention", "mlp", "mlp:1+read-out", "layer-norms"])
def test_only_the_component_is_trained(own_copy: Path, component: str) -> None:
    donor = Run(own_copy).checkpoint("last").weights
    run = retrain(own_copy, component, seed=5, steps=6, device="cpu")
    own = set(Component.parse(component, donor).parameters)
    first, last = run.checkpoint("first").weights, run.checkpoint("last").weights
    assert changed(first, last) == own
    assert changed(donor, last) == own
    # Its new weights are those of a fresh model of that seed; some of them (biases) may be what they were.
    fresh = build_model(run.config, 5).weights()
    assert changed(fresh, first).isdisjoint(own)
    assert changed(donor, first) <= own
    assert not last["embed.embed.W_E"][0].any()


def test_the_control_starts_from_the_weights_as_they_are(own_copy: Path) -> None:
    donor = Run(own_copy).checkpoint("last").weights
    run = retrain(own_copy, "positions", control=True, steps=6, device="cpu")
    assert run.path == own_copy / "retrained" / "positions-control-seed1"
    assert changed(donor, run.checkpoint("first").weights) == set()
    assert changed(donor, run.checkpoint("last").weights) == {"embed.pos_embed.W_pos"}


def test_a_retraining_says_where_it_comes_from(own_copy: Path) -> None:
    run = Run(own_copy)
    other = retrain(own_copy, "mlp:1+positions", device="cpu")
    assert other.path == own_copy / "retrained" / "mlp-1+positions-seed1"
    start = other.config.start
    assert start is not None
    assert (start.config_hash, start.step, start.component) == (run.config.hash, 40, "mlp:1+positions")
    assert start.digest == run.checkpoint("last").digest
    assert hashlib.sha256((other.path / "start.safetensors").read_bytes()).hexdigest() == start.digest
    assert (start.seed, other.config.training.seed, start.reinitialised) == (1, 1, True)
    # A third of 40 steps; everything else is the run's.
    assert (other.config.training.steps, other.config.training.dense_checkpoints) == (14, 0)
    same = {"seed": 0, "steps": 40, "dense_checkpoints": 12}
    assert other.config.training.model_copy(update=same) == run.config.training
    assert (other.config.task, other.config.model) == (run.config.task, run.config.model)
    assert [found.path for found in retrained_runs(run)] == [other.path]


def test_everything_of_a_run_works_on_a_retraining(own_copy: Path, tmp_path: Path) -> None:
    run = retrain(own_copy, "attention", steps=40, device="cpu")
    assert run.finished
    assert run.metrics["step"].tolist() == list(range(1, 41))
    assert len(run.fingerprint()) == 64
    assert run.select_steps("auto") == [0, 40]
    assert densify(run.path, 21, 23, 2, "cpu")
    assert {21, 23} <= set(run.steps)
    # The replayed weights are those of a retraining that kept them.
    run.path.rename(tmp_path / "moved")
    dense = retrain(own_copy, "attention", steps=40, overrides=["training.checkpoints=200"], device="cpu")
    moved = Run(tmp_path / "moved")
    for step in (21, 23):
        assert moved.checkpoint(step).digest == dense.checkpoint(step).digest
    # A retraining can itself be the start of another.
    again = retrain(dense.path, "mlp", steps=3, device="cpu")
    assert changed(dense.checkpoint("last").weights, again.checkpoint("last").weights) == {
        name for name in dense.checkpoint("last").weights if ".mlp." in name
    }


@pytest.mark.parametrize("stops", [(1,), (7, 12), (2, 5, 9, 17)])
def test_interrupted_it_goes_on_to_the_last_bit(own_copy: Path, tmp_path: Path, stops: tuple[int, ...]) -> None:
    expected = retrain(own_copy, "positions", steps=20, device="cpu")
    kept = expected.path.rename(tmp_path / "expected")
    for stop in stops:
        assert not retrain(own_copy, "positions", steps=20, device="cpu", progress=interrupt_at(stop)).finished
    run = retrain(own_copy, "positions", steps=20, device="cpu")
    assert run.finished
    for file in [*(f"step-{step:08d}/model.safetensors" for step in Run(kept).steps), "training-state.safetensors"]:
        assert (run.path / file).read_bytes() == (kept / file).read_bytes(), file
    assert run.metrics.drop(columns="seconds").equals(Run(kept).metrics.drop(columns="seconds"))


def test_a_schedule_stretches_over_the_retrainings_own_steps(tmp_path: Path) -> None:
    training = {"schedule": "cosine", "warmup_steps": 4}
    train(tmp_path / "run", small_config(training=training), "cpu")
    rates = retrain(tmp_path / "run", "mlp", steps=12, device="cpu").metrics["learning_rate"]
    assert rates[3] == pytest.approx(1e-3)
    assert rates.iloc[-1] < 2e-4


def test_the_same_folder_with_other_settings_is_refused(own_copy: Path) -> None:
    retrain(own_copy, "tokens", steps=3, device="cpu")
    with pytest.raises(ConfigError, match=r"training\.steps: 3 in the run, 2 asked for\)"):
        retrain(own_copy, "tokens", steps=2, device="cpu")
    # More steps at a constant rate are the same retraining gone on.
    assert retrain(own_copy, "tokens", steps=4, device="cpu").steps_done == 4
    weights = Run(own_copy).folder(40) / "model.safetensors"
    assert weights.is_file()


@pytest.mark.parametrize("damage", ["missing", "cut", "other"])
def test_starting_weights_are_verified_when_used(own_copy: Path, damage: str) -> None:
    folder = retrain(own_copy, "tokens", steps=9, device="cpu", progress=interrupt_at(2)).path
    start = folder / "start.safetensors"
    content = start.read_bytes()
    start.unlink()
    if damage != "missing":
        start.write_bytes(content[:-4] if damage == "cut" else content[:-4] + b"\0\0\0\1")
    problem = r"start\.safetensors (cannot be read|is damaged)"
    with pytest.raises(CheckpointError, match=problem):
        retrain(own_copy, "tokens", steps=9, device="cpu")


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ({"component": "postions"}, InputError, "did you mean 'positions'"),
        ({"component": "none"}, InputError, "none has no parameters to train"),
        ({"component": "mlp:9"}, InputError, "names no layer"),
        ({"component": "mlp", "overrides": ["task.rank=2"]}, UsageError, "set fields of training only"),
        ({"component": "mlp", "overrides": ["training.stepz=2"]}, ConfigError, "did you mean 'steps'"),
        ({"component": "mlp", "steps": 0}, ConfigError, "training.steps = 0"),
    ],
)
def test_mistakes_leave_nothing_behind(
    own_copy: Path, arguments: dict[str, object], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error) as caught:
        retrain(own_copy, **arguments, device="cpu")  # type: ignore[arg-type]
    assert sentence in str(caught.value)
    assert not (own_copy / "retrained").exists()


def test_configurations_of_ordinary_runs_do_not_show_it(trained: Run) -> None:
    assert load_preset("tiny").hash == "1698b9449026e865"
    assert "start" not in trained.config.to_yaml()
    assert RunConfig().start is None


def test_the_start_is_part_of_the_configuration(own_copy: Path) -> None:
    config = retrain(own_copy, "mlp", steps=3, device="cpu").config
    assert parse_config(config.to_yaml(), "again") == config
    without = RunConfig(task=config.task, model=config.model, training=config.training)
    assert without.hash != config.hash
    assert "start.component: 'mlp' in the run, None asked for" in config.differences(without)
    assert "start.component: None in the run, 'mlp' asked for" in without.differences(config)
    other = parse_config(config.to_yaml(), "other", ["start.seed=7"])
    assert config.differences(other) == ["start.seed: 1 in the run, 7 asked for"]
    with pytest.raises(ConfigError, match=r"start\.sed is not a field; did you mean 'seed'"):
        parse_config(config.to_yaml(), "wrong", ["start.sed=7"])
