"""The share of a variance that is one number a sample: known cases, pairs by hand, and what chance gives."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from mcinterp.analysis.intraclass import intraclass_correlation
from mcinterp.analysis.statistics import Estimate


def of(groups: list[np.ndarray]) -> Estimate:
    sums, squares = (np.array([float((own**power).sum()) for own in groups]) for power in (1, 2))
    return intraclass_correlation(sums, squares, np.array([float(len(own)) for own in groups]))


def test_one_number_a_sample_is_all_of_it() -> None:
    assert of([np.full(4, 2.0), np.full(3, -1.0), np.full(2, 0.5)]).value == pytest.approx(1)


def test_pairs_by_hand() -> None:
    generator = np.random.default_rng(3)
    groups = [generator.normal(size=size) + generator.normal() for size in (1, 2, 3, 5, 4)]
    everything = np.concatenate(groups[1:])
    pairs = [np.mean([a * b for a, b in permutations(own - everything.mean(), 2)]) for own in groups[1:]]
    assert of(groups).value == pytest.approx(np.average(pairs, weights=[2, 3, 5, 4]) / everything.var())


def test_the_interval_holds_what_it_should_and_chance_gives_none() -> None:
    generator = np.random.default_rng(0)
    for share in (0.0, 0.5):
        held = 0
        for _ in range(200):
            common = generator.normal(size=(60, 1)) * np.sqrt(share)
            found = of(list(common + np.sqrt(1 - share) * generator.normal(size=(60, 4))))
            held += bool(found.low <= share <= found.high)
        assert held >= 180  # 190 expected


@pytest.mark.parametrize("groups", [[np.ones(3), np.ones(2)], [np.array([1.0]), np.array([2.0])], [np.zeros(0)]])
def test_nothing_that_varies_or_no_pair_has_none(groups: list[np.ndarray]) -> None:
    assert np.isnan(of(groups).value)
