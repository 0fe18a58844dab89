"""The curves of retrained components: their averages, times and controls, and what is left out."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from small_run import interrupt_at, small_config

from mcinterp.analysis import component_dynamics
from mcinterp.analysis.passes.component_dynamics import _Training, dynamics_fingerprint
from mcinterp.model.components import Component, transplant
from mcinterp.results import Result
from mcinterp.runs import Checkpoint, Run, retrain, train
from mcinterp.runs.checkpoint import build_model, save_checkpoint
from mcinterp.training import Transition


@pytest.fixture(scope="module")
def folder(trained_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with two seeds of one component, a control, and a training that was stopped."""
    path = Path(shutil.copytree(trained_folder, tmp_path_factory.mktemp("dynamics") / "run"))
    for seed in (1, 2):
        retrain(path, "positions", seed=seed, steps=30, device="cpu")
    retrain(path, "mlp", control=True, steps=30, device="cpu")
    retrain(path, "mlp", steps=30, device="cpu", progress=interrupt_at(11))
    return path


@pytest.fixture(scope="module")
def result(folder: Path) -> Result:
    return component_dynamics(Run(folder), samples=16, seed=4)


KEYS = ["component", "kind", "seed"]
TRAININGS = [
    ("whole model", "run", 0),
    ("mlp", "control", 1),
    ("mlp", "component", 1),
    ("positions", "component", 1),
    ("positions", "component", 2),
]


def test_every_training_is_there(result: Result) -> None:
    assert result.facts["retrained"] == ["mlp-control-seed1", "mlp-seed1", "positions-seed1", "positions-seed2"]
    assert result.facts["left_out"] == []
    for name in ("curves", "transitions"):
        got = result.table(name)[KEYS].drop_duplicates().itertuples(index=False, name=None)
        assert list(got) == TRAININGS
    transitions = result.table("transitions").set_index(KEYS)
    assert transitions["n"].tolist() == [1, 1, 1, 2, 2]
    assert transitions["done"].tolist() == [40, 30, 12, 30, 30]
    assert transitions["steps"].tolist() == [40, 30, 30, 30, 30]
    # The small run has no plateau to measure times by.
    assert transitions[["half_at", "fifth_at"]].isna().all(axis=None)
    assert result.facts["plateau"] is None


def test_curves_are_averages_of_the_metrics(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[_Training.__module__], "STRETCHES", 7)
    curves = component_dynamics(Run(folder), samples=2).table("curves").set_index(KEYS)
    metrics = Run(folder / "retrained" / "positions-seed2").metrics
    rows = curves.loc[("positions", "component", 2)]
    assert len(rows) == 7
    assert rows["n"].tolist() == [5 * 8, 5 * 8, *[4 * 8] * 5]
    second = metrics.iloc[5:10]
    got = rows.iloc[1]
    assert got["step"] == pytest.approx(second["step"].mean())
    for name in ("loss", "observed_mse", "masked_mse"):
        values = second[name].to_numpy()
        half = stats.t.ppf(0.975, 4) * values.std(ddof=1) / np.sqrt(5)
        assert got[name] == pytest.approx(values.mean())
        assert got[f"{name}_low"] == pytest.approx(values.mean() - half)
        assert got[f"{name}_high"] == pytest.approx(values.mean() + half)


def test_the_time_to_a_level_is_when_the_running_average_is_there(folder: Path) -> None:
    training = _Training.of(Run(folder))
    falling = np.concatenate([np.full(100, 1.0), np.full(100, 0.0)])
    training.metrics = pd.DataFrame({"step": np.arange(1, 201), "masked_mse": falling})
    # Of the 50 values up to step 100 + k, k are 0.
    assert training.reached(0.5) == 125
    assert training.reached(0.2) == 140
    assert training.reached(1.0) == 50
    assert np.isnan(training.reached(-0.1))
    training.metrics.loc[:, "masked_mse"] = np.nan
    assert np.isnan(training.reached(0.5))


def test_times_are_averaged_over_seeds(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reached = {1: 10.0, 2: 14.0}
    monkeypatch.setattr(
        _Training, "reached", lambda self, level: reached.get(self.run.config.training.seed, float("nan"))
    )
    times = component_dynamics(Run(folder), samples=2).table("times").set_index(["component", "kind"])
    row = times.loc[("positions", "component")]
    half = stats.t.ppf(0.975, 1) * 2.0
    assert (row["n"], row["reached_half"], row["half_at"]) == (2, 2, 12)
    assert (row["half_at_low"], row["half_at_high"]) == pytest.approx((12 - half, 12 + half))
    assert times.loc[("whole model", "run"), "reached_fifth"] == 0
    assert times.loc[("mlp", "component"), "half_at"] == 10
    assert np.isnan(times.loc[("mlp", "component"), "half_at_low"])


def test_a_drop_from_another_level_than_the_runs_plateau_is_not_averaged_in(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels = {("run", 0): 0.100, ("positions-seed1", 1): 0.124, ("positions-seed2", 2): 0.050}

    def transition(run: Run) -> Transition:
        level = levels.get((run.name, run.config.training.seed))
        if level is None:
            return Transition(False, "no drop", "none", np.nan, np.nan)
        return Transition(True, "a drop", "high", level, 1.0, 5.0 + 1000 * (level < 0.06), 7.0, 9.0, 0.01, 50.0)

    monkeypatch.setattr(Run, "transition", property(transition))
    result = component_dynamics(Run(folder), samples=2)
    near = result.table("transitions").set_index(KEYS)["from_run_plateau"].astype(bool)
    assert near.tolist() == [True, False, False, True, False]
    row = result.table("times").set_index(["component", "kind"]).loc[("positions", "component")]
    assert (row["n"], row["found"], row["start"]) == (2, 1, 5)


def test_controls_against_a_loop_over_state_dictionaries(folder: Path, result: Result) -> None:
    run, other = Run(folder), Run(folder / "retrained" / "positions-seed1")

    def masked(weights: dict[str, torch.Tensor]) -> float:
        checkpoint = Checkpoint.of_model(build_model(run.config), run.config)
        checkpoint.model.load_state_dict(dict(weights), strict=False)
        batch = checkpoint.sample(16, seed=4)
        error = (checkpoint.model.complete(batch.inputs) - batch.targets)[~batch.observed]
        return float(error.square().mean())

    row = result.table("control").set_index(KEYS).loc[("positions", "component", 1)]
    donor = masked(run.checkpoint("last").weights)
    assert row["donor_mse"] == pytest.approx(donor, rel=1e-5)
    for column, step in (("first_change", "first"), ("last_change", "last")):
        assert row[column] == pytest.approx(masked(other.checkpoint(step).weights) - donor, abs=1e-6)
    control = result.table("control")
    assert (control[["restored_change", "restored_change_low", "restored_change_high"]] == 0).all(axis=None)
    intact = control.set_index(KEYS).loc[("mlp", "control", 1)]
    assert intact["first_change"] == 0
    assert intact["last_change"] != 0


def test_the_control_notices_when_more_than_the_component_was_trained(folder: Path, tmp_path: Path) -> None:
    path = Path(shutil.copytree(folder, tmp_path / "copy"))
    other = Run(path / "retrained" / "positions-seed1")
    last = other.checkpoint("last")
    model = build_model(other.config)
    wrong = Checkpoint.untrained(other.config, 9).weights
    weights = transplant(wrong, last.weights, Component.parse("read-out", last.weights))
    model.load_state_dict(weights, strict=False)
    save_checkpoint(other.folder(last.step), model, last.step, other.config, {})
    control = component_dynamics(Run(path), samples=8).table("control").set_index(KEYS)
    assert control.loc[("positions", "component", 1), "restored_change"] != 0
    assert control.loc[("positions", "component", 2), "restored_change"] == 0


def test_without_retrainings_there_is_the_run_alone(trained: Run) -> None:
    result = component_dynamics(trained)
    assert result.facts["retrained"] == []
    assert result.table("transitions")["component"].tolist() == ["whole model"]
    assert result.table("control").empty


def test_strange_folders_are_left_out_with_a_reason(folder: Path, tmp_path: Path) -> None:
    path = Path(shutil.copytree(folder, tmp_path / "copy"))
    train(path / "retrained" / "plain", small_config(training={"steps": 2, "checkpoints": 2}), "cpu")
    (path / "retrained" / "mlp-seed1" / "metrics.csv").unlink()
    (path / "retrained" / "mlp-control-seed1" / "config.yaml").write_text("task: [")
    foreign = train(tmp_path / "foreign", small_config(training={"steps": 3, "checkpoints": 2}), "cpu")
    moved = retrain(foreign.path, "tokens", steps=2, device="cpu").path
    moved.rename(path / "retrained" / "tokens-seed1")
    result = component_dynamics(Run(path), samples=2)
    assert result.facts["retrained"] == ["positions-seed1", "positions-seed2"]
    reasons = dict(text.split(": ", 1) for text in result.facts["left_out"])
    assert "not valid YAML" in reasons["mlp-control-seed1"]
    assert reasons["mlp-seed1"] == "it has not done a step"
    assert reasons["plain"] == reasons["tokens-seed1"] == "it starts from a run with another configuration"


def test_weights_that_are_not_the_runs_are_noticed(folder: Path, tmp_path: Path) -> None:
    path = Path(shutil.copytree(folder, tmp_path / "copy"))
    shutil.rmtree(path / "step-00000040")
    result = component_dynamics(Run(path), samples=2)
    assert result.facts["retrained"] == []
    assert all("the weights at step 40 that it starts from" in reason for reason in result.facts["left_out"])


def test_the_fingerprint_sees_every_retraining(folder: Path, tmp_path: Path) -> None:
    path = Path(shutil.copytree(folder, tmp_path / "copy"))
    run = Run(path)
    seen = [dynamics_fingerprint(run)]
    assert dynamics_fingerprint(Run(folder)) == seen[0]
    retrain(path, "mlp", steps=30, device="cpu")
    seen.append(dynamics_fingerprint(run))
    shutil.rmtree(path / "retrained" / "positions-seed2")
    seen.append(dynamics_fingerprint(run))
    assert len(set(seen)) == 3
    assert run.fingerprint() == Run(folder).fingerprint()


def test_saved_and_read_it_is_the_same(result: Result, tmp_path: Path) -> None:
    result.save(tmp_path / "components")
    again = Result.load(tmp_path / "components")
    assert again.facts == result.facts
    for name in result.tables:
        assert again.table(name).to_csv() == result.table(name).to_csv()
