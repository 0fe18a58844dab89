"""Free walks: what is drawn, its law, and the truth about where a walk ends up."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from perfect_walker import PerfectWalker

from mcinterp.config import load_preset
from mcinterp.studies.forking_tokens.config import WalkConfig
from mcinterp.studies.forking_tokens.task import END, FOLLOWING, NODE, RANDOM, FreeWalk
from mcinterp.task import make_task
from mcinterp.task.next_token import cross_entropies

SMALL = FreeWalk(WalkConfig(layers=4, width=3, p=0.5))


def walks(task: FreeWalk, n: int, seed: int = 0) -> list[list[str]]:
    """Names of the tokens up to the end."""
    batch = task.draw(n, torch.Generator().manual_seed(seed))
    whole = torch.cat([batch.inputs, batch.targets[:, -1:]], 1)
    names = [task.decode(tokens).split() for tokens in whole]
    return [name[: name.index("END") + 1] if "END" in name else name for name in names]


def test_walks_follow_edges_and_words_follow_words() -> None:
    edges, labels = SMALL.graph.edges, SMALL.token_labels()
    seen = set()
    for names in walks(SMALL, 300):
        assert names[-1] == "END"
        nodes = [labels.index(name) for name in names[:-1:3]]
        assert all(edges[one, other] for one, other in itertools.pairwise(nodes))
        assert SMALL.graph.depth[nodes[-1]] == 3
        seen.add((int(SMALL.graph.depth[nodes[0]]), len(names)))
        for word, after in zip(names[1:-1:3], names[2:-1:3], strict=True):
            assert (word[0], after[0]) == ("a", "b")
            assert word[1:] == after[1:]
    assert seen == {(0, 11), (1, 8)}


def test_everything_is_scored_up_to_the_end_and_nothing_after_it() -> None:
    batch = SMALL.draw(100, torch.Generator().manual_seed(1))
    for targets, weights in zip(batch.targets, batch.weights, strict=True):
        first = int((targets == SMALL.end_tokens[0]).nonzero()[0])
        assert weights.tolist() == [1.0] * (first + 1) + [0.0] * (len(weights) - first - 1)


def test_the_same_generator_draws_the_same_and_the_runs_seed_the_graph() -> None:
    assert walks(SMALL, 20, 3) == walks(SMALL, 20, 3) != walks(SMALL, 20, 4)
    tasks = [make_task(load_preset("forking-walks", [f"training.seed={seed}"]).task) for seed in (1, 1, 2)]
    edges = [task.graph.edges for task in tasks]
    assert torch.equal(edges[0], edges[1])
    assert not torch.equal(edges[0], edges[2])


def test_last_nodes_are_as_frequent_as_the_truth_says() -> None:
    labels, truth = SMALL.token_labels(), SMALL.last_nodes()
    assert torch.allclose(truth.sum(1), torch.ones(12, dtype=torch.float64))
    found = walks(SMALL, 6000)
    for start in range(6):
        own = [names for names in found if names[0] == labels[start]]
        for place in range(3):
            share = np.mean([names[-2] == labels[9 + place] for names in own])
            assert share == pytest.approx(float(truth[start, place]), abs=0.05)


def test_the_least_cross_entropy_is_that_of_the_law_itself() -> None:
    batch = SMALL.draw(3000, torch.Generator().manual_seed(0))
    walker = PerfectWalker(SMALL)
    known: dict[tuple[int, ...], np.ndarray] = {}
    logits = torch.zeros(*batch.inputs.shape, SMALL.d_vocab)
    for i, tokens in enumerate(batch.inputs.tolist()):
        for j in range(len(tokens)):
            key = tuple(tokens[max(0, j - 2) : j + 1])
            if key not in known:
                known[key] = np.log(np.maximum(walker.next_probabilities([tokens[: j + 1]])[0], 1e-30))
            logits[i, j] = torch.from_numpy(known[key])
    own = (cross_entropies(logits, batch) * batch.weights).sum() / batch.weights.sum()
    assert float(own) == pytest.approx(SMALL.least_cross_entropy(), abs=0.01)
    single = FreeWalk(WalkConfig(layers=3, width=1, p=1.0, words=4))
    # From the first layer 7 tokens are scored, from the second 4; two words are drawn, and one.
    assert single.least_cross_entropy() == pytest.approx(3 * math.log(4) / 11)


def test_every_token_has_its_kind_and_name() -> None:
    kinds = [SMALL.kind_of(token) for token in range(SMALL.d_vocab)]
    assert kinds == [NODE] * 12 + [RANDOM] * 2 + [FOLLOWING] * 2 + [END]
    assert SMALL.token_labels()[11:] == ["3.2", "a1", "a2", "b1", "b2", "END"]
    assert SMALL.content_tokens().tolist() == list(range(16))
