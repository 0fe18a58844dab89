"""The detector on curves of trained models, whose drops slow improvement follows."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from mcinterp.training import Transition, find_transition, find_transitions

SEEDS = pd.read_csv(Path(__file__).parents[1] / "data" / "tiny_seeds.csv")
"""L_mask of the tiny preset with five seeds, averaged over 400 stretches of 40 steps."""
NEAR = 0.03 * 16000
STARTS = {0: [4280], 1: [4360], 2: [4680], 3: [4520], 4: [3960, 5960, 12840]}
"""Where each plateau is seen to end: seed 4 falls in three stairs."""


def drops(seed: int, until: float = 16000) -> list[Transition]:
    part = SEEDS[SEEDS["step"] <= until]
    return find_transitions(part["step"], part[f"seed_{seed}"])


@pytest.mark.parametrize("seed", STARTS)
def test_every_drop_of_a_trained_model_is_found(seed: int) -> None:
    assert [drop.start for drop in drops(seed)] == pytest.approx(STARTS[seed], abs=NEAR)


@pytest.mark.parametrize("seed", STARTS)
def test_the_largest_is_the_one_that_leaves_the_plateau(seed: int) -> None:
    largest = find_transition(SEEDS["step"], SEEDS[f"seed_{seed}"])
    assert largest.start == pytest.approx(STARTS[seed][0], abs=NEAR)
    assert largest.plateau == pytest.approx(0.111, rel=0.01)
    assert largest.start < largest.steepest < largest.end


@pytest.mark.parametrize("seed", STARTS)
def test_before_the_plateau_is_left_there_is_none(seed: int) -> None:
    assert drops(seed, until=0.9 * STARTS[seed][0]) == []
