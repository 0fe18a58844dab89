"""Pairs of heads: against every permutation, against correlations from the definition, and in models known by hand."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
import torch
from slow_attention import heads_of, traces, uniform_map
from slow_statistics import estimate
from small_gpt import small_gpt_config

from mcinterp.analysis.compare.head_matching import Products, best_assignment, similarity
from mcinterp.model.blocks import Blocks
from mcinterp.model.components import reorder_heads
from mcinterp.runs import Checkpoint

N, SEED = 6, 5


@pytest.fixture(scope="module")
def other(random_checkpoint: Checkpoint) -> Checkpoint:
    """The same shape with weights of another seed, which have something in common with those of the first."""
    fresh = Checkpoint.untrained(random_checkpoint.config, seed=8).weights
    mixed = {name: 0.6 * weight + 0.4 * fresh[name] for name, weight in random_checkpoint.weights.items()}
    return replace(random_checkpoint, weights=mixed, run_name="other")


@pytest.mark.parametrize("shape", [(4, 4), (5, 5), (3, 5), (5, 3)])
@pytest.mark.parametrize("seed", range(4))
def test_the_assignment_is_the_best_of_all_permutations(shape: tuple[int, int], seed: int) -> None:
    scores = np.random.default_rng(seed).uniform(-1, 1, shape)
    rows, columns = best_assignment(scores)
    few, many = min(shape), max(shape)
    tall = scores if shape[0] <= shape[1] else scores.T
    best = max(sum(tall[row, column] for row, column in enumerate(order)) for order in permutations(range(many), few))
    assert scores[rows, columns].sum() == pytest.approx(best, abs=1e-12)
    assert len(set(rows)) == len(set(columns)) == few


def test_a_head_without_a_score_is_paired_last() -> None:
    rows, columns = best_assignment(np.array([[np.nan, np.nan], [0.9, 0.2]]))
    assert dict(zip(rows, columns, strict=True)) == {0: 1, 1: 0}


def patterns_of(checkpoint: Checkpoint, batch: object) -> np.ndarray:
    """Patterns less uniform attention from the slow encoder, (n, head, query · key)."""
    runs, uniform = traces(checkpoint, batch), uniform_map(checkpoint)
    found = np.array([[run.patterns[pair] - uniform for pair in heads_of(checkpoint)] for run in runs])
    return found.reshape(*found.shape[:2], -1)


def slow_correlations(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> dict[str, float]:
    """The three correlations of two heads, (n, cells) each, of weighted matrices, from the definition."""

    def cosine(u: np.ndarray, v: np.ndarray, weight: np.ndarray) -> float:
        products = [(weight * (p * q).sum(-1)).sum() for p, q in ((u, v), (u, u), (v, v))]
        return float(products[0] / np.sqrt(products[1] * products[2]))

    means = [np.average(part, axis=0, weights=weights) for part in (x, y)]
    return {
        "score": cosine(x, y, weights),
        "map": cosine(means[0][None], means[1][None], np.ones(1)),
        "response": cosine(x - means[0], y - means[1], weights),
    }


@pytest.mark.parametrize("architecture", ["encoder", "gpt"])
def test_correlations_and_intervals_are_those_of_the_definition(
    architecture: str, random_checkpoint: Checkpoint, other: Checkpoint
) -> None:
    pair = (random_checkpoint, other)
    if architecture == "gpt":
        config = small_gpt_config(model={"init_std": 0.8})
        pair = (Checkpoint.untrained(config, seed=1), Checkpoint.untrained(config, seed=2))
    batch = pair[0].sample(N, SEED)
    found = similarity(Blocks(pair[0].model), Blocks(pair[1].model), batch.inputs, batch.inputs)
    slow = [patterns_of(checkpoint, batch) for checkpoint in pair]
    maps = [part.mean(0).reshape(found.map_a.shape) + uniform_map(pair[0]) for part in slow]
    np.testing.assert_allclose(found.map_a, maps[0], atol=1e-6)
    np.testing.assert_allclose(found.map_b, maps[1], atol=1e-6)
    for name, products in found.products.items():
        intervals = products.estimate()
        for a, b in np.ndindex(found.scores.shape):
            x, y = slow[0][:, a], slow[1][:, b]
            value, low, high, _ = estimate(lambda w, x=x, y=y, name=name: slow_correlations(x, y, w)[name], np.ones(N))
            assert intervals.value[a, b] == pytest.approx(value, abs=1e-5)
            assert intervals.low[a, b] == pytest.approx(max(low, -1), abs=2e-3)
            assert intervals.high[a, b] == pytest.approx(min(high, 1), abs=2e-3)


def test_a_mean_over_pairs_has_the_interval_of_the_mean(random_checkpoint: Checkpoint, other: Checkpoint) -> None:
    batch = random_checkpoint.sample(N, SEED)
    found = similarity(Blocks(random_checkpoint.model), Blocks(other.model), batch.inputs, batch.inputs)
    slow = [patterns_of(checkpoint, batch) for checkpoint in (random_checkpoint, other)]
    pairs = best_assignment(found.scores)
    for name, products in found.products.items():

        def mean(weights: np.ndarray, name: str = name) -> float:
            each = [slow_correlations(slow[0][:, a], slow[1][:, b], weights)[name] for a, b in zip(*pairs, strict=True)]
            return float(np.mean(each))

        value, low, high, _ = estimate(mean, np.ones(N))
        own = products.mean_over(pairs)
        assert (own.value, own.low, own.high) == pytest.approx((value, max(low, -1), min(high, 1)), abs=2e-3)


def test_a_head_compared_with_itself_scores_one(random_checkpoint: Checkpoint) -> None:
    batch, blocks = random_checkpoint.sample(N, SEED), Blocks(random_checkpoint.model)
    found = similarity(blocks, blocks, batch.inputs, batch.inputs)
    for products in found.products.values():
        np.testing.assert_allclose(np.diag(products.correlation), 1, atol=1e-9)
        own = products.estimate()
        np.testing.assert_allclose(np.diag(own.high) - np.diag(own.low), 0, atol=1e-6)


def test_a_model_with_its_heads_permuted_answers_the_same_and_the_permutation_is_found(
    random_checkpoint: Checkpoint,
) -> None:
    orders = [[2, 0, 1], [1, 2, 0]]
    permuted = replace(random_checkpoint, weights=reorder_heads(random_checkpoint.weights, orders))
    batch = random_checkpoint.sample(32, SEED)
    with torch.no_grad():
        answers = [deepcopy(checkpoint.model).double()(batch.inputs) for checkpoint in (random_checkpoint, permuted)]
    torch.testing.assert_close(*answers, rtol=0, atol=1e-6)
    assert any(not torch.equal(permuted.weights[name], weight) for name, weight in random_checkpoint.weights.items())
    found = similarity(Blocks(random_checkpoint.model), Blocks(permuted.model), batch.inputs, batch.inputs)
    rows, columns = best_assignment(found.scores)
    # The head that comes at place j of a layer is the one that the order names there.
    assert [
        3 * layer + order.index(head) for layer, order in enumerate(orders) for head in range(3)
    ] == columns.tolist()
    np.testing.assert_allclose(found.scores[rows, columns], 1, atol=1e-6)


def test_heads_that_share_nothing_but_being_uniform_are_not_alike() -> None:
    """Noise about uniform attention would correlate by nearly 1 if uniform attention were left in."""
    generator = np.random.default_rng(0)
    a, b = (generator.normal(size=(400, 1, 25)) * 1e-3 for _ in range(2))
    both = np.einsum("nac,nbc->nab", a, b)
    products = Products(both, (a**2).sum(-1), (b**2).sum(-1))
    found = products.estimate()
    assert found.low[0, 0] < 0 < found.high[0, 0]
    assert abs(found.value[0, 0]) < 0.05


def test_a_uniform_head_has_no_score(random_checkpoint: Checkpoint) -> None:
    weights = dict(random_checkpoint.weights)
    for name in ("W_Q", "b_Q"):
        weights[f"blocks.0.attn.{name}"] = torch.zeros_like(weights[f"blocks.0.attn.{name}"])
    uniform = replace(random_checkpoint, weights=weights)
    batch = random_checkpoint.sample(N, SEED)
    found = similarity(Blocks(uniform.model), Blocks(random_checkpoint.model), batch.inputs, batch.inputs)
    assert np.isnan(found.scores[:3]).all()
    assert np.isfinite(found.scores[3:]).all()
    pairs = best_assignment(found.scores)
    own = found.products["score"].mean_over(pairs)
    assert own.value == pytest.approx(np.nanmean(found.scores[pairs]))
    assert np.isfinite(own.low)


def test_the_intervals_cover_the_truth() -> None:
    """Of heads whose true correlation is known: both follow a common signal with noise of their own."""
    generator, hits, trials = np.random.default_rng(1), 0, 400
    for _ in range(trials):
        common = generator.normal(size=(128, 1, 8)) * generator.gamma(2.0, 1.0, (128, 1, 1))
        a, b = (common + generator.normal(size=common.shape) for _ in range(2))
        products = Products(np.einsum("nac,nbc->nab", a, b), (a**2).sum(-1), (b**2).sum(-1))
        found = products.estimate()
        hits += bool(found.low[0, 0] <= 6 / 7 <= found.high[0, 0])
    assert 0.91 <= hits / trials <= 0.985
