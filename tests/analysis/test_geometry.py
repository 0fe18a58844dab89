"""Numbers of point sets, against cases known by hand and slow definitions."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from mcinterp.analysis.passes.geometry import grouping, linear_cka, rank_correlation, silhouette, variance_explained
from mcinterp.errors import InputError

GENERATOR = np.random.default_rng(0)
ROWS, COLS = np.divmod(np.arange(20), 5)


def test_rank_correlation_is_that_of_the_ranks() -> None:
    x, y = GENERATOR.normal(size=(2, 40))
    found = rank_correlation(x, y)
    assert found == pytest.approx(np.corrcoef(stats.rankdata(x), stats.rankdata(y))[0, 1])
    assert rank_correlation(x, np.exp(x)) == pytest.approx(1)
    assert np.isnan(rank_correlation(x, np.ones(40)))


def test_cka_ignores_rotation_and_scale_and_sees_difference() -> None:
    x = GENERATOR.normal(size=(200, 4))
    rotation = np.linalg.qr(GENERATOR.normal(size=(4, 4)))[0]
    assert linear_cka(x, 3 * x @ rotation + 1) == pytest.approx(1)
    assert linear_cka(x, GENERATOR.normal(size=(200, 4))) < 0.1
    assert np.isnan(linear_cka(x, np.ones((200, 3))))
    assert np.isnan(linear_cka(x[:3], x[:3]))


def test_cka_of_unrelated_sets_is_0_in_the_mean_however_many_dimensions() -> None:
    generator = np.random.default_rng(2)
    found = [linear_cka(*generator.normal(size=(2, 25, 64))) for _ in range(300)]
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(300)


def test_cka_is_the_mean_over_fours_of_points() -> None:
    """The unbiased criterion is an average over ordered fours of different points (Song et al. 2012, theorem 2)."""
    x, y = np.random.default_rng(3).normal(size=(2, 6, 2))

    def criterion(a: np.ndarray, b: np.ndarray) -> float:
        K, L = a @ a.T, b @ b.T
        fours = permutations(range(6), 4)
        return float(np.mean([K[i, j] * (L[i, j] + L[q, r] - 2 * L[i, q]) for i, j, q, r in fours]))

    expected = criterion(x, y) / np.sqrt(criterion(x, x) * criterion(y, y))
    assert linear_cka(x, y) == pytest.approx(expected)


def test_planted_rows_and_columns_share_the_variance() -> None:
    """A row one-hot of length a and a column one-hot of length b: between rows lies a²·(1−1/m) of the scatter."""
    points = np.hstack([3 * np.eye(4)[ROWS], 1 * np.eye(5)[COLS]])
    of_rows, of_cols = 9 * (1 - 1 / 4), 1 * (1 - 1 / 5)
    assert variance_explained(points, ROWS) == pytest.approx(of_rows / (of_rows + of_cols))
    assert variance_explained(points, COLS) == pytest.approx(of_cols / (of_rows + of_cols))


def test_the_silhouette_is_its_definition() -> None:
    points, scores = GENERATOR.normal(size=(20, 3)), []
    distance = np.linalg.norm(points[:, None] - points[None], axis=-1)
    for i, own in enumerate(ROWS):
        inside = distance[i, (own == ROWS) & (np.arange(20) != i)].mean()
        outside = min(distance[i, other == ROWS].mean() for other in set(ROWS) - {own})
        scores.append((outside - inside) / max(inside, outside))
    assert silhouette(points, ROWS) == pytest.approx(np.mean(scores))
    assert np.isnan(silhouette(points, np.zeros(20)))


def test_planted_groups_beat_shuffled_labels_and_noise_does_not() -> None:
    planted = np.eye(4)[ROWS] + 0.1 * GENERATOR.normal(size=(20, 4))
    found = grouping(planted, ROWS, shuffles=60, seed=0)
    assert found.p_value == pytest.approx(1 / 61)
    assert found.explained > 0.9 > found.explained_top > found.explained_shuffled
    assert found.silhouette > 0.5 > found.silhouette_top
    p_values = [grouping(np.random.default_rng(s).normal(size=(20, 8)), ROWS, 40, s).p_value for s in range(40)]
    assert np.mean(np.array(p_values) < 0.05) < 0.15


def test_the_same_seed_gives_the_same_shuffles() -> None:
    points = GENERATOR.normal(size=(20, 3))
    assert grouping(points, ROWS, 20, 5) == grouping(points, ROWS, 20, 5)
    assert grouping(points, ROWS, 20, 5) != grouping(points, ROWS, 20, 6)


def test_every_point_has_a_label() -> None:
    with pytest.raises(InputError, match="20 points but 3 labels"):
        grouping(np.zeros((20, 2)), [1, 2, 3], 5, 0)
