"""Measures of forks on a model that is the law itself, where all of them are known."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from perfect_walker import walk_texts

from mcinterp.results import Result
from mcinterp.studies.forking_tokens import generated as module
from mcinterp.studies.forking_tokens.callers import (
    NAIVE,
    STEP,
    all_calls,
    areas_under_curve,
    mixture_draws,
    null_text,
    weighted_estimates,
)
from mcinterp.studies.forking_tokens.forks import forks
from mcinterp.studies.forking_tokens.generated import generated
from mcinterp.studies.forking_tokens.laws import laws
from mcinterp.studies.forking_tokens.sampled import sampled
from mcinterp.studies.forking_tokens.series import Text, all_texts, over_starts, share_of

TEXTS = walk_texts()


@pytest.fixture(scope="module")
def exact() -> Result:
    return laws(TEXTS, 4, seed=0)


def test_the_perfect_walkers_laws_are_the_graphs(exact: Result) -> None:
    tokens = exact.table("tokens")
    np.testing.assert_allclose(tokens["change"], tokens["truth_change"], atol=1e-9)
    assert tokens["truth_apart"].max() < 1e-9
    row = exact.table("exact").iloc[0]
    assert row["left_out"] == row["other"] == pytest.approx(0, abs=1e-9)
    starts = exact.table("starts").set_index("start")
    assert starts["truth_apart"].max() < 1e-9
    assert len(tokens) == sum(map(len, all_texts(exact)))


def test_stored_and_read_back_texts_are_the_same(exact: Result, tmp_path: Path) -> None:
    exact.save(tmp_path / "laws")
    again = Result.load(tmp_path / "laws")
    for one, other in zip(all_texts(exact), all_texts(again), strict=True):
        np.testing.assert_array_equal(one.laws, other.laws)
        np.testing.assert_allclose(one.change, other.change)
        assert one.kinds == other.kinds
        for a, b in zip(one.branches, other.branches, strict=True):
            np.testing.assert_array_equal(a.laws, b.laws)
            assert a.base == b.base


def test_each_texts_laws_are_martingales_and_lead_to_its_end(exact: Result) -> None:
    for text in all_texts(exact):
        after = np.vstack([text.laws[1:], text.last])
        for law, at, own in zip(text.laws, text.branches, after, strict=True):
            np.testing.assert_allclose(at.weights @ at.laws, law, atol=1e-9)
            np.testing.assert_allclose(at.laws[at.base], own, atol=1e-12)
        assert sorted(text.last)[-1] == 1.0


def test_of_the_perfect_walker_every_fork_is_the_graphs_and_words_are_none(exact: Result) -> None:
    found = forks(exact)
    rows = found.table("forks").set_index("effect")
    assert rows.loc[0.2, ["precision", "recall"]].tolist() == [1.0, 1.0]
    # All are: the interval is the exact binomial one.
    assert 0.8 < rows.loc[0.2, "precision_low"] < 1.0
    change = (exact.table("tokens")["change"] > 0.2).sum()
    assert rows.loc[0.2, "forks"] == change
    kinds = found.table("kinds").set_index("kind")
    assert kinds.loc["random word", "forks"] == 0
    assert kinds.loc["random word", "entropy"] == pytest.approx(math.log(2))
    assert kinds.loc["following word", "largest"] < 1e-9
    assert kinds.loc["node", "n"] <= kinds.loc["node", "tokens"]
    assert found.table("change")["words"].iloc[0] == pytest.approx(0, abs=1e-9)
    half = found.table("halfway").set_index("place")
    assert half.loc[1.0, "differs"] == 0
    assert half.loc[0.0, "differs"] > 0.1
    entropy = found.table("entropy").iloc[0]
    assert entropy["recall"] == 1.0
    assert entropy["precision"] < 0.7


def test_weighted_estimates_and_mixture_draws_have_the_laws_on_average(exact: Result) -> None:
    text, generator = all_texts(exact)[0], np.random.default_rng(0)
    estimates = np.mean([weighted_estimates(text, 10, generator) for _ in range(500)], 0)
    draws = np.mean([mixture_draws(text, 10, generator) for _ in range(500)], 0) / 10
    np.testing.assert_allclose(estimates, text.laws, atol=0.04)
    np.testing.assert_allclose(draws, text.laws, atol=0.04)


def test_a_null_text_has_one_law_and_no_forks(exact: Result) -> None:
    null = null_text(all_texts(exact)[0])
    assert (null.laws == null.laws[0]).all()
    assert not null.change.any()
    calls = all_calls(null, 300, np.random.default_rng(0))
    assert not calls[STEP].any()


def test_with_many_samples_all_callers_are_right_and_with_few_the_naive_one_is_not(exact: Result) -> None:
    found = sampled(exact, seed=0)
    callers = found.table("callers").set_index(["samples", "caller"])
    assert callers.loc[(300, STEP), "precision"] > 0.9
    assert callers.loc[(300, STEP), "recall"] > 0.9
    assert callers.loc[(10, NAIVE), "precision"] < callers.loc[(300, NAIVE), "precision"]
    assert callers.loc[(10, NAIVE), "false"] > 0.2
    assert callers.loc[(300, STEP), "found_again"] > callers.loc[(300, STEP), "by_chance"]
    hazard = found.table("hazard").set_index("samples")
    assert hazard.loc[300, "inflation"] == pytest.approx(1, abs=0.1)
    assert hazard.loc[10, "inflation"] > hazard.loc[100, "inflation"]
    null = found.table("null").set_index("samples")
    assert null.loc[30, "strong_high"] < 0.2
    assert null.loc[300, "naive"] < 0.01
    same = found.table("same_law").set_index("samples")
    assert same.loc[10, "share"] > same.loc[300, "share"]
    survival = found.table("survival")
    exact_end = survival.query("samples == 0 and place == 1")["survival"].iloc[0]
    assert survival.query("samples == 10 and place == 1")["survival"].iloc[0] < exact_end
    assert found.arrays["example_law"].shape[0] == 2


def test_the_same_seed_draws_the_same(exact: Result) -> None:
    first, again, other = (sampled(exact, seed).table("callers")["precision"].tolist() for seed in (0, 0, 1))
    assert first == again != other


def test_generated_samples_have_the_exact_laws_and_the_noise_of_counting(
    exact: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SAMPLES", (5, 20))
    monkeypatch.setattr(module, "PLACES", 12)
    monkeypatch.setattr(module, "CONTROL_TEXTS", 2)
    found = generated(TEXTS, exact, walk_texts(slip=1.0).model, seed=0)
    slopes = found.table("slopes").set_index("what")["slope"]
    assert slopes["drawn"] == pytest.approx(-0.45, abs=0.15)
    assert slopes["generated"] == pytest.approx(slopes["drawn"], abs=0.15)
    assert found.table("fit")["share"].iloc[0] < 0.3
    control = found.table("control").iloc[0]
    assert control["calls"] == 0
    assert control["other"] > 0.5


def test_samples_of_another_law_are_told_from_the_exact_ones() -> None:
    law = np.array([0.6, 0.4, 0.0])
    right = np.array([0] * 60 + [1] * 40)
    assert module._p_value(right, law) == pytest.approx(1.0)
    assert module._p_value(1 - right, law) < 1e-4
    assert math.isnan(module._p_value(np.array([2] * 10), np.array([1.0, 0.0, 0.0])))


def test_the_slope_of_a_power_is_its_exponent() -> None:
    distances = [np.full(7, samples**-0.5) for samples in module.SAMPLES]
    assert float(module._slope(distances).value) == pytest.approx(-0.5)


def test_entropy_is_ranked_as_the_definition_says() -> None:
    score, positive = np.array([0.1, 0.4, 0.4, 0.9]), np.array([False, True, False, True])
    pairs = [(a > b) + 0.5 * (a == b) for a in score[positive] for b in score[~positive]]
    assert areas_under_curve(score, positive) == pytest.approx(np.mean(pairs))
    assert math.isnan(areas_under_curve(score, np.zeros(4, bool)))


def test_beginnings_are_what_is_independent() -> None:
    one = over_starts([1, 1, 1, 0, 0, 0, 1, 0], np.ones(8), [0, 0, 0, 1, 1, 1, 2, 2])
    assert float(one.value) == 0.5
    # Three beginnings, not eight texts.
    spread = over_starts([1, 1, 1, 0, 0, 0, 1, 0], np.ones(8), range(8))
    assert one.high - one.low > spread.high - spread.low
    assert math.isnan(float(over_starts([0.0], [0.0], [0]).value))


def test_a_share_of_nothing_is_none_and_one_of_all_has_an_interval() -> None:
    text = Text(0, np.zeros((2, 1)), np.zeros(1), [], ["node", "end"], *(np.zeros(2),) * 3)
    yes, no = np.array([True, True]), np.array([False, False])
    assert math.isnan(float(share_of([yes], [no], [text]).value))
    assert 0 < float(share_of([yes], [yes], [text]).low) < 1
