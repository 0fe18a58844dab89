"""The interval of the static score covers the truth on a trained model, though the average is of the same samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mcinterp.analysis.passes.head_patterns import average_maps
from mcinterp.analysis.statistics import mean_estimate
from mcinterp.model.blocks import Blocks
from mcinterp.runs import Run
from mcinterp.studies.matrix_completion.static_scores import StaticScores

CHECKPOINTS = Path(__file__).parents[3] / "checkpoints"
POOL, SAMPLES, TRIALS = 768, 128, 60
MOST = 1 - 1 / 16
"""How far a map can be from what families explain of it: on one of the 16 keys of other rows and columns."""


@pytest.fixture(scope="module")
def pools() -> list[torch.Tensor]:
    """Both layers' patterns of the trained model, (mask, sample, head, query, key); their score is the truth."""
    checkpoint = Run(CHECKPOINTS / "tiny").checkpoint("last")
    blocks, classes = Blocks(checkpoint.model), checkpoint.task.head_classes()
    inputs = [checkpoint.sample(POOL, 3, **choice).inputs for choice in classes.conditions.values()]
    under = [list(blocks.patterns(own)) for own in inputs]
    return [torch.stack([own[layer] for own in under]) for layer in range(2)]


def score(maps: torch.Tensor) -> torch.Tensor:
    """By its definition, of all of some samples, without what corrects for their number; (head,)."""
    average, place = maps.mean((0, 1)), torch.arange(25)
    row, col = place[:, None] // 5 == place // 5, place[:, None] % 5 == place % 5
    families = torch.zeros_like(average)
    for keys in (row & col, row & ~col, ~row & col, ~row & ~col):
        families += keys * (average * keys).sum(-1, keepdim=True) / keys.sum(-1, keepdim=True)
    moving = (maps - average).abs().sum((-2, -1)).mean((0, 1))
    return ((average - families).abs().sum((-2, -1)) - moving) / (2 * 25 * MOST)


def values(maps: torch.Tensor) -> np.ndarray:
    found = StaticScores(5, 5).of_samples(list(maps), average_maps(list(maps)))
    return found.double().numpy()


@pytest.mark.no_cover
def test_the_interval_covers_the_truth_as_often_as_it_says(pools: list[torch.Tensor]) -> None:
    generator = torch.Generator().manual_seed(0)
    covered, ignored = [], []
    for maps in pools:
        truth = score(maps).numpy()
        for _ in range(TRIALS):
            drawn = maps[:, torch.randint(POOL, (SAMPLES,), generator=generator)]
            found = mean_estimate(values(drawn))
            covered.append((found.low <= truth) & (truth <= found.high))
            # Control: as if the average were known, which it is not.
            average = average_maps(list(drawn))
            alone = (drawn - average.mean).abs().sum((-2, -1)).mean(0).double().numpy() / (2 * 25 * MOST)
            half = (mean_estimate(alone).high - mean_estimate(alone).low) / 2
            ignored.append(abs(found.value - truth) <= half)
    assert 0.93 <= np.mean(covered) <= 0.97
    assert np.mean(ignored) < 0.85


def test_the_values_average_to_the_score(pools: list[torch.Tensor]) -> None:
    maps = pools[0][:, :64]
    # Apart from what samples are nearer to an average that they are in, which is of the order of 1/n.
    assert values(maps).mean(0) == pytest.approx(score(maps).numpy(), abs=0.3 / 64)


def test_a_moving_head_is_less_than_a_static_one(pools: list[torch.Tensor]) -> None:
    maps = pools[0][:, :32]
    still = maps.mean((0, 1)).expand_as(maps)
    assert (values(still).mean(0) > values(maps).mean(0)).all()
    assert values(still).std(0).max() < 1e-6
