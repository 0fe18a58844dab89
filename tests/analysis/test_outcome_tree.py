"""Exact laws of outcomes against a language whose laws are known by hand; branches, hazards, survival of its texts."""

from __future__ import annotations

import numpy as np
import pytest
from toy_language import CHAIN, END, Chain

from mcinterp.analysis.forking import (
    changes,
    hazards,
    largest_changes,
    mixture_counts,
    survival,
    total_variation,
)
from mcinterp.analysis.outcome_tree import OutcomeTree, outcome_tree
from mcinterp.errors import InputError


def last_but_one(tokens: np.ndarray) -> int | None:
    """1, 2 or 3, numbered from 0; None of a text that ends after none of these."""
    token = int(tokens[-2])
    return token - 1 if token in (1, 2, 3) else None


def tree(prune: float = 1e-9, limit: int = 40) -> OutcomeTree:
    return outcome_tree(Chain(), [0], last_but_one, 3, limit, prune)


def by_hand() -> np.ndarray:
    """Absorption: from 1 the text ends in 1 with .5 / .75, else in 3; from 2 always in 3."""
    one, two = np.array([2 / 3, 0, 1 / 3, 0]), np.array([0, 0, 1, 0])
    return np.array([(one + two) / 2, one, two])


def test_the_laws_are_those_by_hand() -> None:
    start, one, two = by_hand()
    np.testing.assert_allclose(tree().law, start, atol=1e-7)
    for token, law in ((1, one), (2, two)):
        np.testing.assert_allclose(tree().law_after([token]), law, atol=1e-6)
    assert tree().law_after([1, END]).tolist() == [1, 0, 0, 0]


def test_what_is_not_followed_is_other_and_is_told() -> None:
    coarse = tree(prune=0.05)
    assert coarse.law.sum() == pytest.approx(1)
    assert coarse.left_out == pytest.approx(coarse.law[-1])
    assert 0 < coarse.law[-1] < 0.2
    # What is followed is a lower bound of every outcome.
    assert (coarse.law[:-1] <= tree().law[:-1] + 1e-9).all()
    short = tree(limit=2)
    # After two tokens only 0 1 END is over.
    np.testing.assert_allclose(short.law, [0.25, 0, 0, 0.75])


def test_the_law_is_a_martingale_along_every_text() -> None:
    found = tree(1e-6)
    generator = np.random.default_rng(0)
    for _ in range(20):
        text = found.drawn(generator)
        assert text[-1] == END
        for at in found.positions(text, least=0.0):
            np.testing.assert_allclose(at.weights @ at.laws, at.law, atol=2e-5)


def test_texts_are_drawn_as_often_as_they_are_probable() -> None:
    found, generator = tree(), np.random.default_rng(1)
    firsts = [found.drawn(generator)[:2] for _ in range(2000)]
    assert np.mean([first == [1, END] for first in firsts]) == pytest.approx(0.25, abs=0.03)
    assert np.mean([first[0] == 2 for first in firsts]) == pytest.approx(0.5, abs=0.03)


def test_a_position_has_the_likely_branches_and_the_texts_own() -> None:
    first, second = tree().positions([1, 3])
    assert (first.followed.tolist(), first.weights.tolist(), first.base) == ([1, 2], [0.5, 0.5], 0)
    assert first.entropy == pytest.approx(np.log(2))
    assert second.followed.tolist() == [1, 3, END]
    assert tree().positions([1, 3], least=0.4)[1].followed.tolist() == [3, END]
    np.testing.assert_allclose(second.laws[2], [1, 0, 0, 0])


def test_what_does_not_belong_to_the_tree_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="token 3 at place 0 of the text is too improbable"):
        tree().positions([3])
    with pytest.raises(InputError, match="token 1 at place 2"):
        tree().law_after([1, END, 1])
    module = "mcinterp.analysis.outcome_tree"
    monkeypatch.setattr(f"{module}.MOST_DRAWS", 5)
    with pytest.raises(InputError, match=r"of 5 texts none was followed to its end: 100.0% was left out"):
        tree(prune=0.9).drawn(np.random.default_rng(0))
    monkeypatch.setattr(f"{module}.MOST_PREFIXES", 10)
    with pytest.raises(InputError, match="more than 10 prefixes"):
        tree()


def test_changes_and_hazards_are_those_by_hand() -> None:
    start, one, _ = by_hand()
    positions = tree().positions([1, END])
    laws = np.array([start, one, [1, 0, 0, 0]])
    np.testing.assert_allclose(changes(laws), [1 / 3, 1 / 3])
    # The other branch of the first token is 2/3 away, those of the second 1/3 (staying) and 1 (to 3).
    np.testing.assert_allclose(hazards(positions, 0.5), [0.5, 0.25], atol=1e-6)
    np.testing.assert_allclose(hazards(positions, 0.2), [0.5, 0.5], atol=1e-6)
    np.testing.assert_allclose(survival(np.array([0.5, 0.25])), [0.5, 0.375])


def test_distances_and_the_largest_changes() -> None:
    assert total_variation(np.array([1.0, 0]), np.array([0, 1.0])) == 1
    assert total_variation(np.array([[0.5, 0.5]] * 2), np.array([0.2, 0.8])).tolist() == pytest.approx([0.3, 0.3])
    assert largest_changes(np.array([0.1, 0.5, 0.2, 0.0, 0.3]), 0.4) == pytest.approx(0.8)
    assert largest_changes(np.array([0.1, 0.5]), 0.2) == 0.5


def test_mixture_counts_are_multinomial_with_the_mixtures_law() -> None:
    generator = np.random.default_rng(0)
    weights, laws = np.array([0.7, 0.3]), np.array([[0.9, 0.1], [0.2, 0.8]])
    n, counts = 40, []
    for _ in range(3000):
        outcomes = [generator.choice(2, n, p=law) for law in laws]
        counts.append(mixture_counts(weights, outcomes, 2, generator))
    found, p = np.array(counts), float(weights @ laws[:, 0])
    assert (found.sum(1) == n).all()
    assert found[:, 0].mean() / n == pytest.approx(p, abs=0.01)
    # The weighted mean of the branches' shares would have less variance than counts of the mixture have.
    assert found[:, 0].var() == pytest.approx(n * p * (1 - p), rel=0.08)
    weighted = n * (weights**2 * laws[:, 0] * laws[:, 1]).sum()
    assert weighted < 0.5 * n * p * (1 - p)


def test_the_chain_is_one() -> None:
    np.testing.assert_allclose(CHAIN.sum(1), 1)
