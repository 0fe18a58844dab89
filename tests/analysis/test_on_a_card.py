"""Training and every pass where the model is on a GPU: two devices meet nowhere, and numbers are the CPU's."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch
from pretended_card import CARD, OnCard, pretended_card
from small_gpt import small_gpt_config
from small_run import small_config

from mcinterp.analysis import analyse
from mcinterp.analysis.registry import defined_for
from mcinterp.config import RunConfig
from mcinterp.runs import Run, densify, train
from mcinterp.studies.matrix_completion.baselines.nuclear import has_unique_minimiser, solve_nuclear_norm

SLOW = ("nuclear", "formation", "switching")
"""They take thousands of small operations; what the first does on a device is tested by itself."""


def tiny_config(**training: object) -> RunConfig:
    kept = {"steps": 10, "checkpoints": 2, "replay_states": 2, "dense_checkpoints": 0}
    return small_config(task={"rows": 3, "cols": 3}, model={"d_model": 8, "d_mlp": 8}, training={**kept, **training})


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("make", [small_config, small_gpt_config])
def test_training_gives_the_same_numbers(
    make: object, precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make(training={"precision": precision, "steps": 6, "dense_checkpoints": 0})  # type: ignore[operator]
    expected = train(tmp_path / "cpu", config, "cpu").metrics["loss"]
    with pretended_card(monkeypatch):
        run = train(tmp_path / "card", config, str(CARD))
    assert run.metrics["loss"].tolist() == pytest.approx(expected.tolist(), rel=1e-3 if precision == "bf16" else 1e-6)


def test_training_goes_on_and_is_replayed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pretended_card(monkeypatch):
        straight = train(tmp_path / "straight", tiny_config(), str(CARD))
        run = train(tmp_path / "stopped", tiny_config(), str(CARD), stop=lambda: True)
        assert not run.finished
        run = train(tmp_path / "stopped", tiny_config(), str(CARD))
        assert densify(run.path, 6, 8, 1, str(CARD)) == [6, 7, 8]
    assert run.metrics["loss"].equals(straight.metrics["loss"])


@pytest.mark.no_cover
def test_every_pass_gives_the_same_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = train(tmp_path / "run", tiny_config(), "cpu")
    names = [name for name in defined_for(run.config) if name not in SLOW]
    analyse(run, tmp_path / "cpu", run.steps[-1:], names, samples=4)
    with pretended_card(monkeypatch):
        analyse(Run(run.path, str(CARD)), tmp_path / "card", run.steps[-1:], names, samples=4)
    ours, theirs = (sorted((tmp_path / where).glob("data/**/*.csv")) for where in ("card", "cpu"))
    assert len(ours) == len(theirs) > 40
    for file, other in zip(ours, theirs, strict=True):
        pd.testing.assert_frame_equal(pd.read_csv(file), pd.read_csv(other), rtol=1e-3, atol=1e-5)


def test_the_nuclear_norm_is_solved_on_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    values = torch.tensor([[[1.0, 2.0], [2.0, 4.0]]], dtype=torch.float64)
    observed = torch.tensor([[[True, True], [True, False]]])
    expected = solve_nuclear_norm(values, observed)
    with pretended_card(monkeypatch):
        solution = solve_nuclear_norm(values.to(CARD), observed.to(CARD))
        unique = has_unique_minimiser(solution, observed.to(CARD))
    assert isinstance(unique, OnCard)
    assert unique.tolist() == has_unique_minimiser(expected, observed).tolist()
    assert solution.completed.held.numpy() == pytest.approx(expected.completed.numpy(), abs=1e-9)


def test_a_mixture_of_devices_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pretended_card(monkeypatch):
        there, here = torch.ones(2, device=CARD), torch.ones(2)
        with pytest.raises(RuntimeError, match="same device"):
            there + here
        with pytest.raises(RuntimeError, match="numpy"):
            there.numpy()
        assert (there + here.to(CARD)).tolist() == [2.0, 2.0]
