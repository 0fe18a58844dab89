"""The detector of the drop: curves with known answers, curves without a drop, invariances, odd input."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mcinterp.errors import InputError
from mcinterp.training.transition import Transition, find_transition, find_transitions

STEPS = np.arange(1, 5001, dtype=float)
SEEDS = range(30)
PLATEAU = 0.11


def noisy(curve: np.ndarray, seed: int, spread: float) -> np.ndarray:
    return curve * np.exp(spread * np.random.default_rng(seed).standard_normal(len(curve)))


def sigmoid(centre: float, width: float, after: float = 0.02) -> np.ndarray:
    """From `PLATEAU` to `after`; a sigmoid has left its plateau by a twentieth 2.7 widths before its centre."""
    return after + (PLATEAU - after) / (1 + np.exp(np.clip((STEPS - centre) / width, -60, 60)))


def slow_tail(start: float) -> np.ndarray:
    return 0.015 + (PLATEAU - 0.015) * np.maximum(1 + 40 * (STEPS / start - 1), 1) ** -0.7


def two_drops(first: float, second: float) -> np.ndarray:
    return np.where(first > STEPS, PLATEAU, np.where(second > STEPS, 0.07, 0.01))


INITIAL_FALL = 0.33 * np.exp(-STEPS / 15)

# Curve, and where its drop starts.
DROPS = {
    "sharp": (np.where(STEPS < 2500, PLATEAU, 0.02), 2500),
    "steep sigmoid": (sigmoid(2500, 20), 2440),
    "wide sigmoid": (sigmoid(2500, 150), 2090),
    "slow tail": (slow_tail(2500), 2500),
    "after an initial fall": (sigmoid(2500, 20) + INITIAL_FALL, 2440),
    "at a tenth, with a slow tail": (slow_tail(500), 500),
    "late": (sigmoid(4800, 20), 4740),
    "early": (np.where(STEPS < 150, PLATEAU, 0.02), 150),
    "very early": (np.where(STEPS < 100, PLATEAU, 0.02), 100),
    "early with a slow tail": (slow_tail(200), 200),
    "early after an initial fall": (sigmoid(300, 10) + INITIAL_FALL, 270),
}

NO_DROPS = {
    "plateau": np.full_like(STEPS, PLATEAU),
    "plateau after an initial fall": PLATEAU + INITIAL_FALL,
    "shallow step": sigmoid(2500, 20, after=0.095),
    "dip that recovers": np.where((STEPS > 2000) & (STEPS < 2500), 0.02, PLATEAU),
    "drop and full return": np.where((STEPS > 1500) & (STEPS < 3500), 0.02, PLATEAU),
    "oscillation": PLATEAU * np.exp(np.sin(STEPS / 200)),
    "logarithmic oscillation": PLATEAU * np.exp(np.sin(6 * np.log(STEPS))),
    "decline over 60 % of training": PLATEAU * 0.1 ** np.clip((STEPS / 5000 - 0.4) / 0.6, 0, 1),
    "rising": 0.1 + 0.1 * STEPS / 5000,
    "linear": 1 - 0.9 * STEPS / 5000,
    "linear to nothing": 1 - 0.999 * STEPS / 5000,
    "half a cosine": 0.5 + 0.45 * np.cos(np.pi * STEPS / 5000),
    "exponential": np.exp(-STEPS / 1500),
    "slow exponential": np.exp(-STEPS / 5000),
    "exponential to a floor": 0.02 + np.exp(-STEPS / 500),
    "power law": STEPS**-0.5,
    "shifted power law": (STEPS + 200) ** -0.5,
    "hyperbola": 1 / (STEPS + 500),
    "logarithm": 1 - 0.1 * np.log(STEPS),
}


@pytest.mark.no_cover
@pytest.mark.parametrize("spread", [0.02, 0.1])
@pytest.mark.parametrize("name", DROPS)
def test_a_drop_is_found_where_it_is(name: str, spread: float) -> None:
    curve, start = DROPS[name]
    for seed in SEEDS:
        transition = find_transition(STEPS, noisy(curve, seed, spread))
        assert transition.found, (seed, transition.statement)
        assert transition.plateau == pytest.approx(PLATEAU, rel=0.05), seed
        assert abs(transition.start - start) <= 0.03 * len(STEPS), (seed, transition.start)
        assert transition.plateau_start < transition.start <= transition.steepest <= transition.end, seed


@pytest.mark.no_cover
@pytest.mark.parametrize("spread", [0.02, 0.1, 0.2])
@pytest.mark.parametrize("name", NO_DROPS)
def test_gradual_curves_have_no_drop(name: str, spread: float) -> None:
    found = [seed for seed in SEEDS if find_transition(STEPS, noisy(NO_DROPS[name], seed, spread)).found]
    assert found == []


@pytest.mark.no_cover
def test_random_walks_have_no_drop() -> None:
    for seed in SEEDS:
        steps = np.random.default_rng(seed).standard_normal(1000)
        assert not find_transitions(STEPS[:1000], np.exp(np.cumsum(0.05 * steps)))


@pytest.mark.parametrize("spread", [0.02, 0.1])
def test_two_drops_are_two_and_the_larger_is_the_main_one(spread: float) -> None:
    for seed in SEEDS[:10]:
        curve = noisy(two_drops(2000, 3500), seed, spread)
        first, second = find_transitions(STEPS, curve)
        assert first.start == pytest.approx(2000, abs=50)
        assert second.start == pytest.approx(3500, abs=50)
        assert first.level_after == pytest.approx(second.plateau, rel=0.05) == pytest.approx(0.07, rel=0.05)
        assert find_transition(STEPS, curve) == second


def test_a_staircase_is_told_stair_by_stair() -> None:
    curve = noisy(np.where(STEPS < 2000, 1.0, np.where(STEPS < 3600, 0.75, 0.26)), 0, 0.05)
    found = find_transitions(STEPS, curve)
    assert [drop.start for drop in found] == pytest.approx([2000, 3600], abs=50)
    assert [drop.level_after for drop in found] == pytest.approx([0.75, 0.26], rel=0.05)


@pytest.mark.parametrize("points", [60, 200])
@pytest.mark.parametrize("place", [0.04, 0.5, 0.96])
def test_few_points_are_enough_for_a_large_drop(points: int, place: float) -> None:
    share = (np.arange(points) + 1) / points
    for seed in SEEDS[:10]:
        found = find_transitions(share, noisy(np.where(share <= place, 1.0, 0.1), seed, 0.05))
        assert len(found) == 1, seed
        assert max(abs(at - place) for at in (found[0].start, found[0].steepest, found[0].end)) < 0.03


def test_points_spaced_evenly_in_their_logarithm_will_do() -> None:
    steps = np.geomspace(1, 16000, 40)
    found = find_transitions(steps, noisy(np.where(steps < 3000, 1.0, 0.1), 0, 0.05))
    assert len(found) == 1
    assert found[0].start < 3000 <= found[0].end


RUNS = Path(__file__).parents[2] / "checkpoints"


@pytest.mark.parametrize(("run", "limits"), [("tiny", (4280, 5040, 7000)), ("7x7-rank1", (5960, 7240, 7960))])
def test_the_shipped_runs_drop_once(run: str, limits: tuple[float, float, float]) -> None:
    metrics = pd.read_csv(RUNS / run / "metrics.csv")
    (drop,) = find_transitions(metrics["step"], metrics["masked_mse"])
    assert drop.plateau == pytest.approx(1 / 9, rel=0.02)
    assert (drop.start, drop.steepest, drop.end) == pytest.approx(limits, abs=160)


def test_pure_noise_has_no_drop() -> None:
    for seed in SEEDS:
        assert not find_transition(STEPS, np.random.default_rng(seed).exponential(size=5000)).found
        assert not find_transition(STEPS, np.exp(np.random.default_rng(seed).standard_normal(5000))).found


def test_the_answer_of_a_sharp_drop_by_hand() -> None:
    transition = find_transition(STEPS, np.where(STEPS < 2500, 0.1, 0.01), axis="step", quantity="masked_mse")
    assert transition.plateau == pytest.approx(0.1)
    assert transition.level_after == pytest.approx(0.01)
    assert transition.confidence == "high"
    assert transition.plateau_start < 20
    # The curve is looked at in stretches of 12.5 steps, five of them smoothed together.
    for place in (transition.start, transition.steepest, transition.end):
        assert abs(place - 2500) < 63
    assert transition.statement.startswith("masked_mse stays at 0.1 until step 24")
    assert "confidence high" in transition.statement


def test_the_end_is_where_the_fall_has_slowed() -> None:
    transition = find_transition(STEPS, slow_tail(2500))
    # It ends on a stretch that stays within 5 % of its level for a sixth of the plateau, about 400 steps.
    shelf = slow_tail(2500)[int(transition.end) : int(transition.end) + 400]
    assert np.abs(np.log(shelf / transition.level_after)).max() < 0.1
    assert 2700 < transition.end < 4000
    assert transition.steepest < 2600


def test_the_steepest_fall_is_where_the_logarithm_dives() -> None:
    # Passing a ghost: the loss 1 − √(r_opt/r), r falling as (a − b k)^(2/5), begins slowly and is zero at its end.
    x = np.arange(4000.0)
    r = np.clip(10**2.5 - (10**2.5 - 1) * x / 2000, 1.0, None) ** 0.4
    found = find_transition(x, 1 - r**-0.5 + 1e-4)
    assert found.found
    assert found.start < 1400
    assert found.steepest == pytest.approx(2000, rel=0.02)
    assert found.steepest <= found.end


def test_a_shallower_drop_is_only_moderately_sure() -> None:
    assert find_transition(STEPS, noisy(sigmoid(2500, 20, after=0.07), 0, 0.05)).confidence == "moderate"


def places(transition: Transition) -> tuple[float, float, float, float]:
    return transition.plateau_start, transition.start, transition.steepest, transition.end


@given(st.floats(1e-6, 1e6), st.integers(0, 1000))
@settings(max_examples=25)
def test_scaling_the_curve_scales_only_levels(factor: float, seed: int) -> None:
    curve = noisy(sigmoid(2500, 40), seed, 0.05)
    plain, scaled = find_transition(STEPS, curve), find_transition(STEPS, factor * curve)
    assert places(scaled) == places(plain)
    assert scaled.plateau == pytest.approx(factor * plain.plateau)
    assert scaled.level_after == pytest.approx(factor * plain.level_after)
    assert scaled.signal == pytest.approx(plain.signal, rel=1e-6)


@pytest.mark.parametrize("factor", [0.25, 2.0, 1024.0])
@pytest.mark.parametrize("name", ["steep sigmoid", "early", "slow tail"])
def test_scaling_the_axis_scales_only_places(factor: float, name: str) -> None:
    curve = noisy(DROPS[name][0], 0, 0.05)
    plain, scaled = find_transition(STEPS, curve), find_transition(factor * STEPS, curve)
    assert places(scaled) == pytest.approx([factor * place for place in places(plain)])
    assert (scaled.plateau, scaled.level_after, scaled.signal) == (plain.plateau, plain.level_after, plain.signal)


def test_any_axis_will_do() -> None:
    context = np.linspace(-3.0, 4.0, 700)
    curve = np.where(context < 1.5, 2.0, 0.1)
    transition = find_transition(context, curve, axis="context length", quantity="the error")
    assert transition.start == pytest.approx(1.5, abs=0.15)
    assert "the error stays at 2 until context length" in transition.statement


def test_points_that_are_not_finite_are_left_out() -> None:
    curve = sigmoid(2500, 20)
    holed = curve.copy()
    holed[::7] = np.nan
    holed[3::11] = np.inf
    transition = find_transition(STEPS, holed)
    assert transition.found
    assert transition.start == pytest.approx(find_transition(STEPS, curve).start, rel=0.01)


def test_the_input_is_left_as_it_was() -> None:
    curve = sigmoid(2500, 20)
    before = curve.copy()
    find_transition(STEPS, curve)
    assert np.array_equal(curve, before)


@pytest.mark.parametrize("n", [0, 1, 19])
def test_short_curves_have_no_drop_yet(n: int) -> None:
    transition = find_transition(STEPS[:n], np.ones(n))
    assert not transition.found
    assert transition.confidence == "none"
    assert f"only {n} points" in transition.statement
    assert math.isnan(transition.plateau)
    assert math.isnan(transition.start)


def test_a_curve_of_nans_has_no_drop() -> None:
    assert "only 0 points" in find_transition(STEPS, np.full_like(STEPS, np.nan)).statement


def test_no_drop_says_what_was_seen() -> None:
    flat = find_transition(STEPS, NO_DROPS["plateau"], quantity="masked_mse")
    assert flat.statement == "no drop yet: masked_mse stays near 0.11 (lowest 0.11) to step 5000"
    assert flat.plateau == pytest.approx(0.11)
    fallen = find_transition(STEPS, np.maximum(0.25, np.exp(-STEPS / 1500)))
    assert re.fullmatch(
        r"no drop yet: the curve stays near 0\.25 \(lowest 0\.25\) from step 1\d{3} to step 5000", fallen.statement
    )
    falling = find_transition(STEPS, NO_DROPS["half a cosine"])
    assert falling.statement.startswith("no sudden drop: the curve declines gradually from 0.9")
    steep = find_transition(STEPS, np.exp(-STEPS / 100))
    assert steep.statement == "no drop yet: the curve has no flat stretch to fall from"


@pytest.mark.parametrize(
    ("x", "y", "sentence"),
    [
        ([1, 2, 3], [1, 2], r"x and y must be equally long, got \(3,\) and \(2,\)"),
        ([[1, 2]], [[1, 2]], r"equally long, got \(1, 2\)"),
        ([1, 1, 2], [1, 1, 1], "x must increase"),
        ([3, 2, 1], [1, 1, 1], "x must increase"),
        ([1, 2, 3], [1, 0, 1], "y must be positive"),
    ],
)
def test_wrong_input_is_refused(x: list[float], y: list[float], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        find_transition(x, y)


positive = st.floats(1e-9, 1e9)


@given(st.integers(20, 300).flatmap(lambda n: arrays(np.float64, n, elements=positive)), st.floats(1e-3, 1e3))
@settings(max_examples=150)
def test_any_positive_curve_has_an_answer(curve: np.ndarray, scale: float) -> None:
    transition = find_transition(scale * np.arange(len(curve)), curve)
    assert transition.statement
    assert transition.found == math.isfinite(transition.start)


@given(st.lists(st.tuples(st.integers(1, 200), st.floats(0.01, 1)), min_size=1, max_size=5))
@settings(max_examples=150)
def test_any_staircase_has_an_answer(stairs: list[tuple[int, float]]) -> None:
    curve = np.concatenate([np.full(n, level) for n, level in stairs])
    transition = find_transition(np.arange(len(curve)), curve)
    if transition.found:
        assert transition.level_after <= 0.8 * transition.plateau
        assert transition.start < transition.end
