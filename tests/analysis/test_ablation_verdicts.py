"""Controls and verdicts of ablations: on planted heads, on a trained run, and where no head is special."""

from __future__ import annotations

import importlib
from itertools import product
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from planted import MASK_VALUE, planted_heads
from scipy import stats

from mcinterp.analysis import ablation
from mcinterp.analysis.passes.ablation import columns, control_columns
from mcinterp.analysis.passes.ablation_controls import Beside, Controls
from mcinterp.analysis.passes.ablation_verdicts import verdicts
from mcinterp.model import Head, HeadSet
from mcinterp.results import Result
from mcinterp.runs import Run

ROOT = Path(__file__).parents[2]
TINY = ROOT / "tests" / "data" / "tiny"
EIGHT = ",".join(f"L0H{head}" for head in range(7))


def controls(heads: str, n_heads: int = 8, at_most: int = 20, seed: int = 0) -> Controls:
    return Controls.of(HeadSet.parse(heads, 2, n_heads), n_heads, at_most, seed)


def judged(result: Result, method: str = "zero") -> pd.Series:
    """Group → verdict."""
    table = result.table("control")
    return table[table["method"] == method].set_index("group")["verdict"]


def test_a_head_is_compared_with_all_others_of_its_layer_whatever_the_seed() -> None:
    for seed in (0, 1):
        groups = controls("L1H2", at_most=3, seed=seed).groups
        assert [group.heads for group in groups] == [(Head(1, head),) for head in range(8) if head != 2]


@pytest.mark.parametrize(("heads", "possible"), [("L0H0,L0H3", 15), ("L0H0,L0H1,L0H2,L0H3", 1), ("L0H0,L1H7", 49)])
def test_a_set_is_compared_with_groups_of_its_size_that_share_no_head_with_it(heads: str, possible: int) -> None:
    own, found = HeadSet.parse(heads, 2, 8), controls(heads)
    assert found.possible == possible
    assert len({group.heads for group in found.groups}) == len(found.groups) == min(possible, 20)
    for group in found.groups:
        assert {layer: len(heads) for layer, heads in group.by_layer().items()} == {
            layer: len(heads) for layer, heads in own.by_layer().items()
        }
        assert not set(group.heads) & set(own.heads)


def test_groups_are_drawn_by_the_seed_each_as_often_as_another() -> None:
    assert controls("L0H0,L1H7", seed=1) == controls("L0H0,L1H7", seed=1) != controls("L0H0,L1H7", seed=2)
    drawn = [group.heads for seed in range(400) for group in controls("L0H0,L1H7", at_most=2, seed=seed).groups]
    counts = pd.Series(drawn).value_counts()
    assert len(counts) == 49
    assert stats.chisquare(counts).pvalue > 0.001


@pytest.mark.parametrize(
    ("heads", "why"),
    [
        ("all", "no control: no other group of that size"),
        ("layer:1", "no control: no other group of that size"),
        (EIGHT, "no control: every group of that size shares heads with it"),
        ("L0H0,L0H1,L0H2,L0H3,L0H4,L1H0", "no control: every group of that size shares heads with it"),
        ("none", "null control"),
    ],
)
def test_where_no_group_is_apart_the_verdict_says_so(heads: str, why: str) -> None:
    assert (controls(heads).why_none, controls(heads).groups) == (why, ())


def test_the_spread_of_heads_is_that_of_one_more_draw_and_of_groups_that_of_sums() -> None:
    """How often a set of heads drawn like the others is beyond 95 % of what is foreseen for it: a twentieth."""
    generator = np.random.default_rng(0)
    for names, at_most in (("L0H0", 20), ("L0H0,L0H3", 20), ("L0H0,L0H3,L1H1", 500), ("L0H0,L0H3,L1H1", 20)):
        own, found = HeadSet.parse(names, 2, 8), controls(names, at_most=at_most)
        chances = []
        for effects in generator.normal(3.0, 1.0, (1500, 2, 8)):
            value, *others = (sum(effects[head] for head in group) for group in (own, *found.groups))
            chances.append(found.chance(float(value), np.array(others)))
        beyond = np.mean(np.array(chances) < 0.05)
        assert 0.03 < beyond < 0.07 if len(own.by_layer()) == 1 else 0.005 < beyond < 0.06, names


def test_two_heads_or_half_a_layer_tell_no_spread() -> None:
    for found in (controls("L0H0", n_heads=2), controls("L0H0,L0H1", n_heads=4)):
        assert len(found.groups) == 1
        assert np.isnan(found.chance(3.0, np.array([1.0])))


def made(value: float, others: list[float], noise: float = 0.01) -> tuple[Controls, Beside]:
    """A head of eight with known changes, each the same for 400 samples but for some noise."""
    generator = np.random.default_rng(0)
    own, *rest = (change + noise * generator.normal(size=400) for change in (value, *others))
    found = controls("L0H0")
    return found, Beside.of(found, own, rest, np.ones(400))


@pytest.mark.parametrize(
    ("value", "others", "clean", "words"),
    [
        (3.0, [0.2, 0.25, 0.3, 0.2, 0.25, 0.3, 0.25], 1.0, "hurts more than every control"),
        (-3.0, [-0.2, -0.25, -0.3, -0.2, -0.25, -0.3, -0.25], 1.0, "helps more than every control"),
        (-3.0, [0.2, 0.25, 0.3, 0.2, 0.25, 0.3, 0.25], 1.0, "helps more than every control"),
        (0.0, [3.0, 3.1, 2.9, 3.0, 3.1, 2.9, 3.0], 1.0, "hurts less than every control"),
        (0.0, [-3.0, -3.1, -2.9, -3.0, -3.1, -2.9, -3.0], 1.0, "helps less than every control"),
        (3.0, [0.2, 0.25, 0.3, 0.2, 0.25, 0.3, 0.25], 400.0, "hurts more than every control, by less than 1 %"),
        (3.0, [0.2, 2.5, 0.3, 1.2, 0.5, 2.9, 0.25], 1.0, "beyond the range of its layer's other heads, undecided"),
        (2.0, [0.2, 2.5, 0.3, 1.2, 0.5, 2.9, 0.25], 1.0, "within the range of its layer's other heads"),
        (0.0, [0.0] * 7, 1.0, "undecided or within"),
    ],
)
def test_the_words_say_what_was_seen(value: float, others: list[float], clean: float, words: str) -> None:
    (verdict,) = verdicts([made(value, others)], clean)
    assert verdict.words == words or (words == "undecided or within" and verdict.words.endswith(("undecided", "heads")))
    assert ("every control" in words) == (verdict.excess_q < 0.05)


def test_a_head_far_beyond_an_unsure_measurement_is_undecided() -> None:
    (verdict,) = verdicts([made(3.0, [0.2, 0.25, 0.3, 0.2, 0.25, 0.3, 0.25], noise=100.0)], 1.0)
    assert not verdict.excess_q < 0.05
    assert "every control" not in verdict.words


def test_verdicts_are_given_by_the_rate_of_false_ones_on_the_page() -> None:
    one, nothing = made(0.6, [0.2, 0.25, 0.3, 0.2, 0.25, 0.3, 0.25]), made(0.2, [0.2, 0.25, 0.3, 0.2, 0.25, 0.3, 0.25])
    alone, among = verdicts([one], 1.0)[0], verdicts([one, *[nothing] * 60], 1.0)[0]
    assert alone.words == "hurts more than every control"
    assert among.words == "beyond the range of its layer's other heads, undecided"
    assert among.excess_q == pytest.approx(min(1.0, 61 * one[1].p_value))


def test_the_one_planted_head_is_found() -> None:
    shares = [0.02, 0.03, 0.025, 0.9, 0.01, 0.02, 0.015, -0.02]
    result = ablation(planted_heads(shares), ["none", *(f"L0H{head}" for head in range(8))], samples=256)
    table = result.table("ablation").set_index(["method", "group"])
    assert table.loc[("zero", "L0H3"), "masked_delta"] == pytest.approx((0.9 * MASK_VALUE) ** 2, rel=0.2)
    assert table["masked_mse_zero"].iloc[0] == pytest.approx(table["masked_mse_clean"].iloc[0], rel=1e-3)
    told = judged(result)
    assert told["L0H3"] == "hurts more than every control"
    assert not told.drop("L0H3").str.contains("every control").any()
    for method in ("uniform", "mean", "resample"):  # constants stay what they are
        assert not judged(result, method).str.contains("every control").any()


def test_where_no_planted_head_matters_more_than_the_others_none_is_found() -> None:
    generator = np.random.default_rng(3)
    for shares in (np.ones(8), generator.normal(1.0, 0.3, 8), generator.uniform(0.0, 1.0, 8)):
        checkpoint = planted_heads(list(shares / shares.sum()))
        result = ablation(checkpoint, samples=256, heads=[f"L0H{head}" for head in range(8)])
        for method in ("uniform", "zero", "mean", "resample"):
            assert not judged(result, method).str.contains("every control").any()


def test_seven_planted_heads_of_eight_have_no_control_and_no_verdict() -> None:
    checkpoint = planted_heads([1 / 7] * 7 + [0.0])
    result = ablation(checkpoint, [EIGHT, "L0H0,L0H1", "all"], ["zero"], samples=256)
    table, told = result.table("ablation").set_index("group"), judged(result)
    assert table.loc[EIGHT, "masked_delta"] == pytest.approx(MASK_VALUE**2, rel=0.1)
    assert told[EIGHT] == "no control: every group of that size shares heads with it"
    assert told["all"] == "no control: no other group of that size"
    assert result.table("control").set_index("group").loc[EIGHT, ["excess", "excess_q"]].isna().all()


def test_all_heads_no_heads_and_an_empty_class_say_why_they_have_no_control(random_checkpoint) -> None:
    result = ablation(random_checkpoint, ["all", "none", "masked-row"], ["uniform"], samples=8)
    assert list(judged(result, "uniform")) == [
        "no control: no other group of that size",
        "null control",
        "no head in this class",
    ]
    assert result.table("control")["excess"].isna().all()


def test_the_control_of_a_head_is_the_mean_of_the_others(random_checkpoint) -> None:
    result = ablation(random_checkpoint, ["L0H0", "L0H1", "L0H2"], ["zero"], samples=16)
    delta = result.table("ablation").set_index("group")["masked_delta"]
    control = result.table("control").set_index("group")
    assert control.loc["L0H0", "control_delta"] == pytest.approx((delta["L0H1"] + delta["L0H2"]) / 2)
    assert control.loc["L0H0", "excess"] == pytest.approx(delta["L0H0"] - control.loc["L0H0", "control_delta"])
    assert control["q_value"].between(control["p_value"] - 1e-12, 1).all()
    assert control["excess_q"].between(control["excess_p"] - 1e-12, 1).all()


def test_every_column_says_what_it_is_without_the_other_table(random_checkpoint) -> None:
    task = random_checkpoint.task
    for meaning in (columns(task) | control_columns(task)).values():
        assert "as in the" not in meaning
        assert "those groups" not in meaning


def test_a_trained_runs_verdicts_do_not_contradict_each_other() -> None:
    checkpoint = Run(TINY).checkpoint("last")
    heads = [*(f"L{layer}H{head}" for layer, head in product(range(2), range(8))), "L0H0,L0H5,L1H3"]
    one, other = (judged(ablation(checkpoint, heads, ["zero"], 128, seed)) for seed in (0, 1))
    for first, second in zip(one, other, strict=True):
        assert not ("more than every" in first and "less than every" in second)
        assert not ("less than every" in first and "more than every" in second)


def test_a_plateaus_heads_get_no_verdict() -> None:
    """Where attention does next to nothing yet, and earlier versions named heads by the seed of their controls."""
    checkpoint = Run(TINY).checkpoint(2272)
    heads = [f"L{layer}H{head}" for layer, head in product(range(2), range(8))]
    for seed in (0, 1):
        found = ablation(checkpoint, heads, ["uniform"], 128, seed).table("control")
        assert not found["verdict"].str.contains("every control").any()


@pytest.fixture
def simulation(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("ablation_verdicts")


@pytest.mark.no_cover
@pytest.mark.parametrize("null", ["all heads the same", "normal, spread 0.3 of the mean", "exponential, mean 5"])
def test_at_most_a_twentieth_of_pages_has_a_false_verdict(simulation: ModuleType, null: str) -> None:
    """A part of the table in docs/passes/ablation.md; the worst of a layer is told from the others on every page."""
    assert simulation.false_pages(simulation.NULLS[null], pages=40, seed=1) <= 2


@pytest.mark.no_cover
def test_a_head_ten_times_as_large_is_found(simulation: ModuleType) -> None:
    spread = "10 times the others, spread 0.25 of their mean"
    hits, false = simulation.found(simulation.ALTERNATIVES[spread], pages=10, seed=1)
    assert hits >= 0.9
    assert false <= 0.1
