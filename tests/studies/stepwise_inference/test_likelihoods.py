"""Probabilities of all paths, at every temperature, against slow ones; peaks, lengths and halves of known curves."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
import torch

from mcinterp.config import parse_config
from mcinterp.model.causal import CausalTransformer
from mcinterp.model.generation import log_probabilities
from mcinterp.studies.stepwise_inference.likelihoods import Likelihoods, Ways, ways
from mcinterp.studies.stepwise_inference.order import _halves, reaches_half
from mcinterp.studies.stepwise_inference.task import GraphNavigation
from mcinterp.studies.stepwise_inference.temperature import _peak, by_pair, found_among, mean_length

TEXT = """
task: {kind: graph-navigation, graph: bernoulli, nodes: 20, forward_probability: 0.3, longest: 8, positions: 14}
model: {architecture: transformer, n_layers: 1, n_heads: 2, d_model: 16, d_mlp: 16}
"""


@cache
def setup() -> tuple[GraphNavigation, CausalTransformer, Ways, Likelihoods]:
    config = parse_config(TEXT, "here")
    task = GraphNavigation(config.task)  # type: ignore[arg-type]
    model = CausalTransformer(config.model, task.d_vocab, task.n_positions, 3)  # type: ignore[arg-type]
    found = ways(task, 0)
    return task, model, found, Likelihoods.of(model, task, found)


def test_all_paths_of_held_out_pairs_are_there_once() -> None:
    task, _, found, _ = setup()
    assert found.n_pairs > 10
    rows = [tuple(row) for row in found.tokens.tolist()]
    assert len(set(rows)) == len(rows)
    for row, length in zip(rows, found.length.tolist(), strict=True):
        goal, start = row[0], row[1]
        assert task.held_out[start, goal]
        assert row[length + 1] == goal
        assert row[length + 2] == task.path
    counts = np.bincount(found.pair.numpy())
    first = [rows[found.pair.tolist().index(at)] for at in range(found.n_pairs)]
    assert counts.tolist() == [int(task.paths.count[row[1], row[0]]) for row in first]
    assert counts.min() >= 3
    assert counts.max() <= 40


def test_probabilities_are_those_that_the_model_gives_what_is_written() -> None:
    task, model, found, likelihoods = setup()
    written = [row[row != task.pad] for row in found.tokens]
    slow = log_probabilities(model, [row[:2] for row in written], [row[2:] for row in written])
    np.testing.assert_allclose(likelihoods.path(1.0), [float(each.sum()) for each in slow], rtol=1e-4)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_every_law_is_that_of_its_definition(temperature: float) -> None:
    """Path by path and node by node: the model's choice, the sharpened oracle's, and the leaky one's."""
    task, model, found, likelihoods = setup()
    for at in range(0, len(found.pair), 17):
        tokens, length = found.tokens[at], int(found.length[at])
        goal, logits = int(tokens[0]), model(tokens[None])[0].detach().double() / temperature
        path = sharpened = leaky = 0.0
        for place in range(length + 1):
            node, after = int(tokens[1 + place]), int(tokens[2 + place])
            given = logits[1 + place].softmax(-1)
            law = torch.zeros(task.d_vocab, dtype=torch.float64)
            if node == goal:
                law[task.path] = 1.0
            else:
                rest = [way[1] for way in task.trained.listed(node, goal, 8 - place)]
                law[: task.n_nodes] = torch.bincount(torch.tensor(rest), minlength=task.n_nodes).double() / len(rest)
            sharp = law ** (1 / temperature) / (law ** (1 / temperature)).sum()
            path += math.log(given[after])
            sharpened += math.log(sharp[after])
            leaky += math.log(sharp[after] * given[law > 0].sum())
        assert likelihoods.path(temperature)[at] == pytest.approx(path, rel=1e-4)
        assert likelihoods.sharpened(temperature)[at] == pytest.approx(sharpened, rel=1e-9, abs=1e-12)
        assert likelihoods.leaky(temperature)[at] == pytest.approx(leaky, rel=1e-4)


@pytest.mark.parametrize("temperature", [0.01, 0.5, 1.0, 3.0])
def test_the_path_law_never_fails_and_is_uniform_at_one(temperature: float) -> None:
    _, _, found, likelihoods = setup()
    sharpened = likelihoods.sharpened(temperature)
    np.testing.assert_allclose(by_pair(found, np.exp(sharpened)), 1.0)
    if temperature == 1.0:
        np.testing.assert_allclose(np.exp(sharpened), 1 / np.bincount(found.pair.numpy())[found.pair.numpy()])
    assert (likelihoods.leaky(temperature) <= sharpened).all()


def test_found_paths_and_lengths_are_those_of_drawn_samples() -> None:
    found = Ways(torch.tensor([0, 0, 1, 1]), torch.zeros(4, 2, dtype=torch.int64), torch.tensor([2, 5, 3, 3]))
    p = np.array([0.1, 0.02, 0.5, 0.5])
    generator = np.random.default_rng(0)
    drawn = generator.multinomial(30, [0.1, 0.02, 0.88], size=20_000)[:, :2] > 0
    shares = found_among(found, np.log(p), 30)
    assert shares[0] == pytest.approx(drawn.mean(), abs=0.01)
    assert shares[1] == pytest.approx(1 - 0.5**30)
    np.testing.assert_allclose(mean_length(found, np.log(p)), [2.5, 3.0])
    np.testing.assert_allclose(mean_length(found, np.log(p) - 5000), [2.5, 3.0])


def test_a_peak_is_where_most_is_found_and_as_sure_as_pairs_agree() -> None:
    shares = np.zeros((20, 8))
    shares[:, 4] = 1.0
    row = _peak(30, shares)
    assert (row["peak"], row["peak_low"], row["peak_high"]) == (1.0, 1.0, 1.0)
    shares[:9, 4], shares[:9, 2] = 0.0, 1.0
    row = _peak(30, shares)
    assert (row["peak"], row["peak_low"], row["peak_high"]) == (1.0, 0.5, 1.0)


def test_half_of_a_curve_lies_between_two_checkpoints() -> None:
    steps = np.array([0.0, 10.0, 30.0, 100.0])
    assert reaches_half(steps, np.array([0.0, 0.2, 0.6, 0.8])) == pytest.approx(20.0)
    assert reaches_half(steps, np.array([0.0, 0.0, 0.0, 1.0])) == pytest.approx(65.0)
    assert math.isnan(reaches_half(steps, np.zeros(4)))
    assert math.isnan(reaches_half(steps, np.ones(4)))


def test_what_comes_later_is_told_over_pairs() -> None:
    steps, n = np.array([0.0, 100.0, 200.0, 400.0]), 60
    made = np.full((n, 4), 4.0)
    along = np.tile([0.0, 4.0, 4.0, 4.0], (n, 1))
    valid = np.tile([0.0, 0.0, 0.0, 1.0], (n, 1))
    row = _halves(steps, made, along, valid)
    assert (row["edges"], row["goals"]) == (50.0, 300.0)
    assert row["later"] == row["later_low"] == row["later_high"] == pytest.approx(math.log(6))
    never = _halves(steps, made, along, np.zeros((n, 4)))
    assert math.isnan(never["later"])
    assert math.isnan(never["later_low"])
