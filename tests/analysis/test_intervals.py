"""A 95 % interval of every kind of estimate that passes use covers the truth, at their default numbers of samples."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from mcinterp.analysis.compare.agreement import correlation, scaled, unexplained, unexplained_difference
from mcinterp.analysis.statistics import (
    Estimate,
    mean_estimate,
    pooled_difference,
    pooled_estimate,
    ratio_estimate,
    share_estimate,
)
from mcinterp.studies.matrix_completion.answer_measures import answer_spread

pytestmark = pytest.mark.no_cover
TRIALS, ENTRIES, P_MASK = 2000, 25, 0.3
Drawn = tuple[Estimate, float]
"""An estimate from one drawn batch, and the truth."""


def batch(generator: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Scales of matrices, as skewed as the squares of rank-1 ones, (n, 1), and masks, (n, entries)."""
    return np.sqrt(generator.gamma(1.0, 1.0, (n, 1))), (generator.random((n, ENTRIES)) < P_MASK).astype(float)


def a_mean_of_scores(generator: np.random.Generator, n: int) -> Drawn:
    return mean_estimate(generator.beta(2, 5, n)), 2 / 7


def a_mean_squared_error(generator: np.random.Generator, n: int) -> Drawn:
    size, masked = batch(generator, n)
    errors = size * generator.normal(size=masked.shape)
    return pooled_estimate((errors**2 * masked).sum(1), masked.sum(1)), 1.0


def a_paired_difference(generator: np.random.Generator, n: int) -> Drawn:
    """Of two models' errors on the same matrices, which share most of them."""
    size, masked = batch(generator, n)
    shared = generator.normal(size=masked.shape)
    one, other = (size * (shared + width * generator.normal(size=masked.shape)) for width in (0.5, 0.3))
    return pooled_estimate(((one**2 - other**2) * masked).sum(1), masked.sum(1)), 0.25 - 0.09


def a_share_of_entries(generator: np.random.Generator, n: int) -> Drawn:
    """Entries of one matrix are right together more often than by chance."""
    _, masked = batch(generator, n)
    right = generator.random(masked.shape) < generator.beta(1, 2, (n, 1))
    return pooled_estimate((right * masked).sum(1), masked.sum(1)), 1 / 3


def a_ratio_to_zero(generator: np.random.Generator, n: int) -> Drawn:
    """Masked errors over those of answering 0 on the same entries."""
    size, masked = batch(generator, n)
    truth = size * generator.normal(size=masked.shape)
    errors = 0.5 * truth + 0.3 * size * generator.normal(size=masked.shape)
    return pooled_estimate((errors**2 * masked).sum(1), (truth**2 * masked).sum(1)), 0.25 + 0.09


def a_change_of_that_ratio(generator: np.random.Generator, n: int) -> Drawn:
    """Between two laws under the same masks."""
    _, masked = batch(generator, n)
    parts = []
    for share in (0.5, 0.2):
        size, _ = batch(generator, n)
        truth = size * generator.normal(size=masked.shape)
        errors = share * truth + 0.3 * size * generator.normal(size=masked.shape)
        parts += [(errors**2 * masked).sum(1), (truth**2 * masked).sum(1)]
    return pooled_difference(*parts), 0.25 - 0.04


def a_part_of_the_way(generator: np.random.Generator, n: int) -> Drawn:
    """Change of an error over the difference of donor and recipient, as `moved` is."""
    size, masked = batch(generator, n)
    gap = (size**2 * (1 + 0.5 * generator.normal(size=masked.shape)) * masked).sum(1)
    return ratio_estimate(0.7 * gap + generator.normal(0, 0.5, n), gap), 0.7


def predictions_of(generator: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An answer a, predictions 0.7 a + 0.5 e, and the mask."""
    size, masked = batch(generator, n)
    answer = size * generator.normal(size=masked.shape)
    return answer, 0.7 * answer + 0.5 * size * generator.normal(size=masked.shape), masked


def what_an_answer_leaves(generator: np.random.Generator, n: int) -> Drawn:
    answer, predictions, masked = predictions_of(generator, n)
    return unexplained(predictions, answer, masked), (0.09 + 0.25) / (0.49 + 0.25)


def what_a_scaled_answer_leaves(generator: np.random.Generator, n: int) -> Drawn:
    answer, predictions, masked = predictions_of(generator, n)
    return unexplained(predictions, scaled(predictions, answer, masked), masked), 0.25 / (0.49 + 0.25)


def how_far_another_answer_is_behind(generator: np.random.Generator, n: int) -> Drawn:
    answer, predictions, masked = predictions_of(generator, n)
    return unexplained_difference(predictions, answer, 0 * answer, masked), 1 - 0.34 / 0.74


def a_correlation(generator: np.random.Generator, n: int) -> Drawn:
    answer, predictions, masked = predictions_of(generator, n)
    return correlation(answer, predictions, masked), 0.7 / np.sqrt(0.74)


def a_spread_of_answers(generator: np.random.Generator, n: int) -> Drawn:
    size, masked = batch(generator, n)
    targets = size * generator.normal(size=masked.shape) * masked
    answers = (0.2 + 0.5 * size * generator.normal(size=masked.shape)) * masked
    return pooled_estimate(*answer_spread(answers, targets, masked > 0)), 0.25


KINDS: list[tuple[Callable[[np.random.Generator, int], Drawn], int]] = [
    (a_mean_of_scores, 128),  # taxonomy, plateau
    (a_mean_of_scores, 512),  # nuclear
    (a_mean_squared_error, 256),  # patching, positions, switching
    (a_mean_squared_error, 512),  # ablation, tokens, algorithm
    (a_paired_difference, 256),
    (a_paired_difference, 512),
    (a_share_of_entries, 128),  # repeated answers
    (a_share_of_entries, 256),  # generation
    (a_ratio_to_zero, 512),  # shift, by rank and p_mask
    (a_ratio_to_zero, 1024),  # shift, by law
    (a_change_of_that_ratio, 512),
    (a_change_of_that_ratio, 1024),
    (a_part_of_the_way, 256),  # switching
    (what_an_answer_leaves, 256),  # the combination's half
    (what_an_answer_leaves, 512),
    (what_a_scaled_answer_leaves, 512),
    (how_far_another_answer_is_behind, 512),
    (a_correlation, 512),
    (a_spread_of_answers, 128),
]


@pytest.mark.parametrize(("kind", "n"), KINDS)
def test_an_interval_covers_the_truth_as_often_as_it_says(
    kind: Callable[[np.random.Generator, int], Drawn], n: int
) -> None:
    generator, held = np.random.default_rng(7), 0
    for _ in range(TRIALS):
        estimate, truth = kind(generator, n)
        held += bool(estimate.low <= truth <= estimate.high)
    assert 0.93 <= held / TRIALS <= 0.97


@pytest.mark.parametrize("n", [20, 512])
def test_an_exact_interval_of_a_share_covers_it_at_least_as_often(n: int) -> None:
    """By adding up the probabilities of every count; it is never too short, and so a little long for few samples."""
    found = [share_estimate(count, n) for count in range(n + 1)]
    for truth in (0.001, 0.02, 0.5, 0.97, 0.999):
        holds = [bool(one.low <= truth <= one.high) for one in found]
        assert stats.binom.pmf(np.arange(n + 1), n, truth)[holds].sum() >= 0.95
    assert share_estimate(n, n).low == pytest.approx(0.025 ** (1 / n))
