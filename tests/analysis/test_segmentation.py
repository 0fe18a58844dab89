"""Exact segmentation against the sum over all segmentations, written out, and what it says of known series."""

from __future__ import annotations

import math
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mcinterp.analysis.segmentation import called_changes, default_change_probability, segmented
from mcinterp.errors import InputError


def log_evidence(counts: np.ndarray) -> float:
    """log ∫ Π p_k^c_k Dirichlet(p; 1) dp of the counts of one segment, by the definition."""
    total = counts.sum(0)
    return math.lgamma(len(total)) + sum(math.lgamma(c + 1) for c in total) - math.lgamma(total.sum() + len(total))


def summed(counts: np.ndarray, chance: float) -> tuple[np.ndarray, float]:
    """Posterior of a change at each place and the log Bayes factor of any, over all 2^(T − 1) segmentations."""
    n = len(counts)
    posterior, some, none = np.zeros(n - 1), 0.0, 0.0
    for cuts in product([0, 1], repeat=n - 1):
        edges = [0, *(t + 1 for t, cut in enumerate(cuts) if cut), n]
        log = sum(math.log(chance if cut else 1 - chance) for cut in cuts)
        weight = math.exp(log + sum(log_evidence(counts[a:b]) for a, b in pairwise(edges)))
        posterior += weight * np.array(cuts)
        some, none = some + weight * any(cuts), none + weight * (not any(cuts))
    prior_none = (1 - chance) ** (n - 1)
    return posterior / (some + none), math.log(some / none * prior_none / (1 - prior_none))


@settings(max_examples=30, deadline=None)
@given(
    arrays.arrays(np.int64, st.tuples(st.integers(2, 7), st.integers(1, 4)), elements=st.integers(0, 6)),
    st.floats(0.02, 0.9),
)
def test_it_is_the_sum_over_all_segmentations(counts: np.ndarray, chance: float) -> None:
    posterior, factor = summed(counts, chance)
    found = segmented(counts, chance)
    np.testing.assert_allclose(found.posterior, posterior, rtol=1e-9, atol=1e-12)
    assert found.log_bayes_factor == pytest.approx(factor, rel=1e-7, abs=1e-9)


def test_a_step_is_found_where_it_is_and_a_constant_law_has_none() -> None:
    generator = np.random.default_rng(0)
    laws = np.array([[0.8, 0.1, 0.1]] * 12 + [[0.2, 0.7, 0.1]] * 9)
    counts = generator.multinomial(30, laws)
    found = segmented(counts)
    assert found.posterior.argmax() == 11
    assert found.posterior[11] > 0.99
    assert called_changes(counts, found.posterior).nonzero()[0].tolist() == [11]
    factors = [segmented(generator.multinomial(30, laws[:1].repeat(20, 0))).log_bayes_factor for _ in range(100)]
    assert np.mean(np.array(factors) > np.log(9)) < 0.05


def test_a_sure_change_that_is_small_is_not_called() -> None:
    counts = np.array([[10_000, 10_000]] * 5 + [[11_000, 9_000]] * 5)
    found = segmented(counts)
    assert found.posterior[4] > 0.99
    assert not called_changes(counts, found.posterior).any()
    assert called_changes(counts, found.posterior, effect=0.04).nonzero()[0].tolist() == [4]


def test_a_single_position_says_nothing() -> None:
    found = segmented(np.array([[3, 4]]))
    assert found.posterior.shape == (0,)
    assert math.isnan(found.log_bayes_factor)


def test_changes_are_expected_beforehand_up_to_a_fifth() -> None:
    assert default_change_probability(300) == pytest.approx(0.01)
    assert default_change_probability(2) == 0.2


@pytest.mark.parametrize("counts", [np.zeros((0, 2), int), np.array([[1.5, 2]]), np.array([[-1, 2]]), np.array([1, 2])])
def test_counts_that_are_none_are_refused(counts: np.ndarray) -> None:
    with pytest.raises(InputError, match="counts must be whole numbers"):
        segmented(counts)


def test_a_probability_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        segmented(np.array([[1, 2], [3, 4]]), 1.0)
