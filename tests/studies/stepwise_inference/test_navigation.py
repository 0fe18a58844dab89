"""What is asked of navigators: the law of pairs and of samples, their form, and references that need no model."""

from __future__ import annotations

from collections import Counter
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from mcinterp.config import parse_config
from mcinterp.errors import ConfigError
from mcinterp.model.causal import CausalTransformer
from mcinterp.studies.stepwise_inference.answers import answered, read
from mcinterp.studies.stepwise_inference.oracles import closure, reached_by, trained_edges, walker_hits
from mcinterp.studies.stepwise_inference.pairs import Pairs
from mcinterp.studies.stepwise_inference.task import GraphNavigation
from mcinterp.task.next_token import TokenBatch

SMALL = {"layers": 5, "width": 4, "edge_probability": 0.3, "longest": 2, "nodes": 16, "forward_probability": 0.15}


@cache
def task(**changes: object) -> GraphNavigation:
    fields = ", ".join(f"{name}: {value}" for name, value in {**SMALL, **changes}.items())
    text = f"{{task: {{kind: graph-navigation, {fields}}}, model: {{architecture: transformer}}}}"
    return GraphNavigation(parse_config(text, "here.yaml").task)  # type: ignore[arg-type]


def spelled(batch: TokenBatch, asked: GraphNavigation) -> list[list[str]]:
    """The tokens of every sample without its PAD."""
    tokens = torch.cat([batch.inputs, batch.targets[:, -1:]], 1)
    return [[word for word in asked.decode(row).split() if word != "PAD"] for row in tokens]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("graph", ["hierarchical", "bernoulli"])
@pytest.mark.parametrize("longest", [1, 3])
def test_depth_says_nothing_of_the_answer(graph: str, longest: int) -> None:
    """At each gap both kinds weigh alike, in training and among held-out pairs; all answers are right ones."""
    asked = task(graph=graph, longest=longest)
    every = asked.test_pairs(torch.ones_like(asked.held_out))
    for pairs in (asked.pairs, every):
        gap = (asked.graph.depth[pairs.goal] - asked.graph.depth[pairs.start]).tolist()
        weigh: dict[tuple[int, bool], float] = {}
        for at, kind, weight in zip(gap, pairs.has_path.tolist(), pairs.weights.tolist(), strict=True):
            weigh[at, kind] = weigh.get((at, kind), 0.0) + weight
        assert min(gap) > 0
        assert all(weigh[at, True] == pytest.approx(weigh[at, False]) for at in set(gap))
        assert sum(weigh.values()) == pytest.approx(1)
        assert pairs.has_path.equal(asked.paths.reach[pairs.start, pairs.goal])
        assert len(set(pairs.weights[pairs.has_path].tolist())) == 1
    assert (asked.paths.shortest[asked.pairs.start, asked.pairs.goal] <= longest).all()
    trained, tested = (set(zip(p.start.tolist(), p.goal.tolist(), strict=True)) for p in (asked.pairs, every))
    assert not trained & tested


def test_splits_of_a_graph_overlap_and_have_as_many_pairs_as_asked() -> None:
    short, long = task(longest=2), task(longest=4, trained_pairs=9)
    assert int(long.pairs.has_path.sum()) <= 9
    near = {(s, g) for s, g, p in zip(*ends(short), strict=True) if p}
    few = {(s, g) for s, g, p in zip(*ends(long), strict=True) if p and long.paths.shortest[s, g] <= 2}
    assert few <= near
    half = task(longest=4)
    wanted = half.paths.reach & (half.graph.depth > half.graph.depth[:, None])
    assert int(half.pairs.has_path.sum()) <= round(0.5 * int(wanted.sum()))


def ends(asked: GraphNavigation) -> tuple[list[int], list[int], list[bool]]:
    return asked.pairs.start.tolist(), asked.pairs.goal.tolist(), asked.pairs.has_path.tolist()


@pytest.mark.parametrize("graph", ["hierarchical", "bernoulli"])
def test_samples_read_as_they_should(graph: str) -> None:
    asked = task(graph=graph, longest=3)
    batch = asked.draw(300, seeded())
    names = asked.token_labels()
    for row, start, goal, has_path in zip(
        spelled(batch, asked), *(batch.truth[name].tolist() for name in ("start", "goal", "has_path")), strict=True
    ):
        nodes, sign = [names.index(word) for word in row[1:-2]], row[-2]
        assert (row[0], row[1], row[-1]) == (names[goal], names[start], "END")
        assert sign == ("PATH" if has_path else "NOPATH")
        assert all(asked.graph.edges[a, b] for a, b in pairwise(nodes))
        if has_path:
            assert nodes[-1] == goal
            assert len(nodes) <= 4
        else:
            last = nodes[-1]
            as_deep = asked.graph.depth[last] >= asked.graph.depth[goal]
            assert as_deep or not asked.graph.edges[last].any() or len(nodes) == asked.config.walk + 1
            assert all(asked.graph.depth[node] < asked.graph.depth[goal] for node in nodes[:-1])
    assert batch.truth["has_path"].double().mean() == pytest.approx(0.5, abs=0.1)


def test_what_is_asked_for_is_all_but_goal_and_start_and_begins_anywhere() -> None:
    asked = task()
    batch = asked.draw(400, seeded())
    place = torch.arange(asked.n_positions)
    for inputs, weights, offset, row in zip(
        batch.inputs, batch.weights, batch.truth["offset"].tolist(), spelled(batch, asked), strict=True
    ):
        assert (inputs[:offset] == asked.pad).all()
        expected = (place >= offset + 1) & (place < offset + len(row) - 1)
        assert weights.bool().equal(expected)
    begins = batch.truth["offset"][[len(row) == 5 for row in spelled(batch, asked)]]
    assert set(begins.tolist()) == set(range(asked.n_positions + 1 - 5 + 1))
    assert task(offset="false").draw(50, seeded()).truth["offset"].tolist() == [0] * 50


def test_paths_of_a_pair_are_drawn_alike_and_walks_as_edges_are() -> None:
    asked = task(graph="bernoulli", longest=4, forward_probability=0.35)
    start, goal = divmod(int(asked.trained.count.argmax()), len(asked.graph))
    ways = asked.trained.listed(start, goal)
    drawn = asked.walked(repeated(start, goal, True), seeded())
    counts = Counter(tuple(node for node in row if node >= 0) for row in drawn.tolist())
    assert set(counts) == set(ways)
    assert np.array(list(counts.values())) == pytest.approx(4000 / len(ways), rel=0.35)
    walks = asked.walked(repeated(0, len(asked.graph) - 1, False), seeded())[:, 1]
    after = asked.graph.edges[0].nonzero()[:, 0].tolist()
    assert set(walks.tolist()) == set(after)
    assert np.bincount(walks)[after] == pytest.approx(4000 / len(after), rel=0.2)


def repeated(start: int, goal: int, has_path: bool, n: int = 4000) -> Pairs:
    return Pairs(torch.full((n,), start), torch.full((n,), goal), torch.full((n,), has_path), torch.ones(n))


def test_direct_answers_leave_the_steps_out_and_labels_can_be_by_chance() -> None:
    direct = task(answer="direct", positions=3, offset="false")
    for row in spelled(direct.draw(40, seeded()), direct):
        assert len(row) == 4
        assert row[2:] in (["PATH", "END"], ["NOPATH", "END"])
    chance = task(answer="direct", positions=3, offset="false", labels="shuffled")
    first, second = (chance.draw(500, seeded(seed)) for seed in (0, 1))
    said: dict[tuple[int, int], set[int]] = {}
    for batch in (first, second):
        for g, s, label in torch.stack([batch.inputs[:, 0], batch.inputs[:, 1], batch.targets[:, 1]], 1).tolist():
            said.setdefault((g, s), set()).add(label)
    assert all(len(labels) == 1 for labels in said.values())
    right = first.truth["has_path"] == (first.targets[:, 1] == chance.path)
    assert float(right.double().mean()) == pytest.approx(0.5, abs=0.15)
    assert direct.pairs.start.equal(chance.pairs.start)


def test_another_seed_is_another_graph_and_the_same_one_the_same() -> None:
    text = "{task: {kind: graph-navigation}, model: {architecture: transformer}, training: {seed: %d}}"
    graphs = [GraphNavigation(parse_config(text % seed, "here").task).graph.edges for seed in (1, 1, 2)]  # type: ignore[arg-type]
    assert graphs[0].equal(graphs[1])
    assert not graphs[0].equal(graphs[2])


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ("labels: shuffled", "labels 'shuffled' are of direct answers"),
        ("positions: 8", "positions must be at least 11, so that the longest sample fits, got 8"),
        ("trained_share: 1.0", "trained_share"),
    ],
)
def test_what_cannot_be_asked_is_refused(fields: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_config(f"{{task: {{kind: graph-navigation, {fields}}}, model: {{architecture: transformer}}}}", "here")


@pytest.mark.parametrize("graph", ["hierarchical", "bernoulli"])
def test_the_walker_comes_by_the_goal_as_often_as_drawn_walks_do(graph: str) -> None:
    asked = task(graph=graph, forward_probability=0.3)
    hits = walker_hits(asked.graph, asked.config.walk)
    assert hits.diagonal().tolist() == [1.0] * len(asked.graph)
    assert (hits[~asked.paths.reach] == 0).all()
    between = torch.where((hits > 0.05) & (hits < 0.95), hits, 0)
    start, goal = divmod(int(between.argmax()), len(asked.graph))
    drawn = asked.walked(repeated(start, goal, False), seeded())
    assert float((drawn == goal).any(1).double().mean()) == pytest.approx(float(hits[start, goal]), abs=0.03)
    if graph == "hierarchical":
        assert float(walker_hits(asked.graph, 1)[start].sum()) == pytest.approx(2)


def test_what_training_shows_is_what_its_samples_have() -> None:
    asked = task(longest=3, trained_share=0.1)
    seen = torch.zeros_like(asked.graph.edges)
    for _ in range(8):
        nodes = asked.walked(asked.pairs.only(torch.arange(len(asked.pairs)).repeat(40)), seeded(_))
        for place in range(nodes.shape[1] - 1):
            there = nodes[:, place + 1] >= 0
            seen[nodes[there, place], nodes[there, place + 1]] = True
    assert trained_edges(asked).equal(seen)
    assert not seen.equal(asked.graph.edges)
    assert reached_by(seen, asked.graph).sum() < asked.paths.reach.sum()


def test_the_closure_puts_pairs_end_to_end() -> None:
    pairs = torch.zeros(5, 5, dtype=torch.bool)
    pairs[[0, 1, 3], [1, 2, 4]] = True
    assert closure(pairs).nonzero().tolist() == [[0, 1], [0, 2], [1, 2], [3, 4]]


def test_answers_are_told_by_their_steps_and_signs() -> None:
    asked = task()
    edges, path, no_path, end = asked.graph.edges, asked.path, asked.no_path, asked.end
    a = 0
    b = int(edges[a].nonzero()[0])
    c = int(edges[b].nonzero()[0])
    other = int((~edges[b] & (asked.graph.depth == 2)).nonzero()[0])
    rows = [
        [b, c, path, end],
        [b, c, no_path, end],
        [b, other, path, end],
        [b, path, end, end],
        [b, c, b, c],
        [path, end, end, end],
    ]
    goals = torch.tensor([c, c, other, c, c, c])
    pairs = Pairs(torch.zeros(6, dtype=torch.int64), goals, torch.ones(6, dtype=torch.bool), torch.ones(6))
    found = read(asked, pairs, torch.tensor(rows))
    assert found.says_path.tolist() == [True, False, True, True, False, True]
    assert found.says_no_path.tolist() == [False, True, False, False, False, False]
    assert found.valid.tolist() == [True, True, False, False, False, False]
    assert found.lied.tolist() == [False, False, True, True, False, True]
    assert found.astray.tolist() == [False, False, False, True, False, True]
    assert found.steps.tolist() == [2, 2, 2, 1, 4, 0]
    assert found.missteps.tolist() == [0, 0, 1, 0, 1, 0]


def test_a_model_that_is_asked_writes_no_further_than_it_has_positions() -> None:
    config = parse_config("{task: {kind: graph-navigation}, model: {architecture: transformer}}", "here")
    asked = GraphNavigation(config.task)  # type: ignore[arg-type]
    model = CausalTransformer(config.model, asked.d_vocab, asked.n_positions)  # type: ignore[arg-type]
    pairs = asked.test_pairs(torch.ones_like(asked.held_out)).only(torch.arange(20))
    found = answered(model, asked, pairs)
    assert len(found.steps) == 20
    assert int(found.steps.max()) <= asked.n_positions - 1
    drawn: list[Tensor] = [answered(model, asked, pairs, 1.0, seeded(seed)).steps for seed in (0, 0, 1)]
    assert drawn[0].equal(drawn[1])
