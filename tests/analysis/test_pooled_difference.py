"""The difference of two pooled means: paired, independent, and its coverage."""

from __future__ import annotations

import numpy as np
import pytest

from mcinterp.analysis.statistics import pooled_difference, pooled_estimate


def drawn(generator: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    counts = generator.integers(1, 8, n).astype(float)
    return counts * generator.normal(1.0, 0.5, n), counts


def test_with_the_same_counts_it_is_the_paired_estimate():
    generator = np.random.default_rng(0)
    sums, counts = drawn(generator, 30)
    other = sums + generator.normal(0.2, 0.1, 30) * counts
    difference, paired = pooled_difference(sums, counts, other, counts), pooled_estimate(sums - other, counts)
    for field in ("value", "low", "high", "p_value"):
        assert float(getattr(difference, field)) == pytest.approx(float(getattr(paired, field)), rel=1e-9)


def test_of_independent_samples_it_is_as_wide_as_both_together():
    generator = np.random.default_rng(1)
    first, second = drawn(generator, 4000), drawn(generator, 4000)
    difference = pooled_difference(*first, *second)
    halves = [float(estimate.high - estimate.value) for estimate in (pooled_estimate(*first), pooled_estimate(*second))]
    assert float(difference.value) == pytest.approx(first[0].sum() / first[1].sum() - second[0].sum() / second[1].sum())
    assert float(difference.high - difference.value) == pytest.approx(np.hypot(*halves), rel=0.05)


def test_what_both_share_leaves_the_interval():
    generator = np.random.default_rng(2)
    sums, counts = drawn(generator, 200)
    other_counts = counts + 1  # other counts, so that it is no plain paired estimate
    other = sums / counts * other_counts
    shared, apart = pooled_difference(sums, counts, other, other_counts), pooled_estimate(sums, counts)
    assert float(shared.high - shared.low) < 0.3 * float(apart.high - apart.low)


@pytest.mark.parametrize("shared", [0.0, 1.0])
def test_its_interval_holds_the_truth_as_often_as_it_says(shared):
    generator = np.random.default_rng(3)
    held = 0
    for _ in range(600):
        base, counts, other = generator.normal(0, 1, 40), generator.integers(1, 8, 40), generator.integers(1, 8, 40)
        first = counts * (2.0 + shared * base + generator.normal(0, 0.5, 40))
        second = other * (1.5 + shared * base + generator.normal(0, 0.5, 40))
        estimate = pooled_difference(first, counts, second, other)
        held += bool(estimate.low < 0.5 < estimate.high)
    assert 0.92 < held / 600 < 0.975


def test_a_condition_with_itself_differs_by_nothing():
    sums, counts = drawn(np.random.default_rng(4), 10)
    same = pooled_difference(sums, counts, sums, counts)
    assert (float(same.value), float(same.low), float(same.high), float(same.p_value)) == (0, 0, 0, 1)


def test_nothing_to_average_or_one_sample_has_no_interval():
    zeros, ones = np.zeros(3), np.ones(3)
    assert np.isnan(pooled_difference(zeros, zeros, ones, ones).value)
    single = pooled_difference(ones[:1], ones[:1], zeros[:1], ones[:1])
    assert float(single.value) == 1.0
    assert np.isnan(single.low)
