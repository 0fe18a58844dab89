"""Plateau measures: their definitions, their controls, and what a trained run shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from slow_encoder import run_slowly

from mcinterp.analysis.passes.plateau import (
    mean_cosine,
    plateau_measures,
    total_variation,
)
from mcinterp.analysis.statistics import pooled_estimate
from mcinterp.errors import InputError
from mcinterp.results import Result
from mcinterp.runs import Run
from mcinterp.studies.matrix_completion.answer_measures import answer_spread, repeated_answers

TINY = Path(__file__).parents[1] / "data" / "tiny"


@pytest.fixture(scope="module")
def measured() -> Result:
    return plateau_measures(Run(TINY), samples=24, seed=3)


def test_equal_states_have_cosine_one_and_orthogonal_ones_zero() -> None:
    assert mean_cosine(torch.ones(2, 5, 3)) == pytest.approx([1, 1])
    assert mean_cosine(torch.eye(4)[None]) == pytest.approx([0], abs=1e-12)
    states = torch.randn(1, 4, 6, generator=torch.Generator().manual_seed(0))
    pairs = [
        torch.nn.functional.cosine_similarity(states[0, i], states[0, j], dim=0)
        for i in range(4)
        for j in range(4)
        if i != j
    ]
    assert mean_cosine(states)[0] == pytest.approx(float(torch.stack(pairs).mean()), abs=1e-6)


def test_total_variation_is_none_for_the_same_and_one_for_disjoint_attention() -> None:
    eye = torch.eye(4)[None]
    assert total_variation(eye, eye) == pytest.approx([0])
    assert total_variation(eye, eye.roll(1, dims=-1)) == pytest.approx([1])
    assert total_variation(eye, torch.full_like(eye, 0.25)) == pytest.approx([0.75])


def test_answers_by_hand() -> None:
    masked = np.array([[True, True, False], [True, False, False]])
    targets = np.array([[1.0, -1.0, 0.0], [2.0, 0.0, 0.0]])
    constant = np.where(masked, 0.3, 0.0)
    assert pooled_estimate(*answer_spread(constant, targets, masked)).value == pytest.approx(0, abs=1e-12)
    assert pooled_estimate(*repeated_answers(constant, masked, 2)).value == 1
    varied = np.array([[0.5, -0.5, 0.0], [0.501, 0.0, 0.0]])
    centre = 0.501 / 3
    spread = ((0.5 - centre) ** 2 + (0.5 + centre) ** 2 + (0.501 - centre) ** 2) / 6
    assert pooled_estimate(*answer_spread(varied, targets, masked)).value == pytest.approx(spread)
    assert pooled_estimate(*repeated_answers(varied, masked, 2)).value == pytest.approx(2 / 3)


def test_against_a_slow_encoder(measured: Result) -> None:
    run = Run(TINY)
    checkpoint, final = run.checkpoint(run.steps[1]), run.checkpoint("last")
    batch = checkpoint.sample(24, 3)
    here = [run_slowly(checkpoint, tokens) for tokens in batch.inputs.numpy()]
    there = [run_slowly(final, tokens) for tokens in batch.inputs.numpy()]
    table = measured.table("measures").query(f"step == {checkpoint.step}").set_index(["measure", "where"])["value"]
    for at in ((0, 2), (1, 5)):
        gaps = [np.abs(a.patterns[at] - b.patterns[at]).sum(-1).mean() / 2 for a, b in zip(here, there, strict=True)]
        assert table["attention progress", f"L{at[0]}H{at[1]}"] == pytest.approx(1 - np.mean(gaps), abs=1e-5)
    for layer, where in enumerate(("embedding", "block 0", "block 1")):
        states = torch.tensor(np.stack([trace.resid[layer] for trace in here]))
        assert table["collapse", where] == pytest.approx(mean_cosine(states).mean(), abs=1e-5)


def test_the_last_checkpoint_has_arrived_and_controls_have_not(measured: Result) -> None:
    progress = measured.table("measures").query("measure == 'attention progress'")
    last = progress[progress["step"] == 16000]
    assert (last["value"] == 1).all()
    everywhere = last.query("`where` == 'all heads'").iloc[0]
    assert everywhere["untrained"] < 0.5
    assert everywhere["floor"] < 0.5


def test_the_tiny_run_collapses_on_its_plateau(measured: Result) -> None:
    collapse = measured.table("measures").query("measure == 'collapse' and `where` == 'block 1'").set_index("step")
    assert collapse.loc[2272, "value_low"] > collapse.loc[16000, "value_high"] > collapse.loc[2272, "untrained"]
    lead = measured.table("lead").set_index("measure")
    assert lead.loc["answer spread", "moved"]
    assert lead.loc["loss", "onset"] in (4915, 16000)


def test_one_checkpoint_moves_nothing() -> None:
    run = Run(TINY)
    lead = plateau_measures(run, run.steps[-1:], samples=4).table("lead")
    assert not lead["moved"].any()


def test_the_result_is_stored_and_read_back(measured: Result, tmp_path: Path) -> None:
    measured.save(tmp_path / "plateau")
    again = Result.load(tmp_path / "plateau")
    assert again.table("lead")["verdict"].tolist() == measured.table("lead")["verdict"].tolist()


def test_one_sample_has_no_interval() -> None:
    with pytest.raises(InputError, match="at least 2"):
        plateau_measures(Run(TINY), samples=1)
