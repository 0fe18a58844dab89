"""Graphs keep to their laws, and what is counted and drawn of their paths is what listing them gives."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import pairwise

import networkx
import pytest
import torch

from mcinterp.errors import InputError
from mcinterp.studies.stepwise_inference.graphs import Graph, bernoulli_graph, hierarchical_graph
from mcinterp.studies.stepwise_inference.paths import NONE, Paths

GRAPHS = [hierarchical_graph(5, 4, 0.3, 1), bernoulli_graph(14, 0.3, 2), hierarchical_graph(4, 3, 0.0, 0)]


@cache
def every_path(graph: Graph, start: int, goal: int) -> list[tuple[int, ...]]:
    """By another library, which lists them."""
    drawn = networkx.from_numpy_array(graph.edges.numpy(), create_using=networkx.DiGraph)
    return [(start,)] if start == goal else list(map(tuple, networkx.all_simple_paths(drawn, start, goal)))


def pairs(graph: Graph) -> list[tuple[int, int]]:
    return [(start, goal) for start in range(len(graph)) for goal in range(len(graph))]


@pytest.mark.parametrize("p", [0.0, 0.15, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_edges_lead_to_the_next_layer_and_leave_no_node_alone(p: float, seed: int) -> None:
    graph = hierarchical_graph(6, 5, p, seed)
    start, end = graph.edges.nonzero(as_tuple=True)
    assert (graph.depth[end] == graph.depth[start] + 1).all()
    assert graph.edges.any(1)[graph.depth < 5].all()
    assert graph.edges.any(0)[graph.depth > 0].all()
    if p == 1.0:
        assert int(graph.edges.sum()) == 5 * 25


def test_edges_are_as_frequent_as_they_are_probable() -> None:
    """Of layers too, as far as few nodes would be left alone."""
    edges = bernoulli_graph(200, 0.1, 0).edges
    assert edges.equal(edges.triu(1))
    assert float(edges.sum() / (200 * 199 / 2)) == pytest.approx(0.1, abs=0.01)
    assert float(hierarchical_graph(10, 40, 0.3, 0).edges.sum() / (9 * 1600)) == pytest.approx(0.3, abs=0.02)


def test_a_seed_is_a_graph() -> None:
    for make in (lambda seed: hierarchical_graph(4, 4, 0.4, seed), lambda seed: bernoulli_graph(12, 0.4, seed)):
        assert make(3).edges.equal(make(3).edges)
        assert not make(3).edges.equal(make(4).edges)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: hierarchical_graph(1, 4, 0.5, 0), "2 of them and a width of 1 at least, got 1 of 4"),
        (lambda: bernoulli_graph(1, 0.5, 0), "2 nodes at least, got 1"),
        (lambda: bernoulli_graph(4, 1.5, 0), "from 0 to 1, got 1.5"),
        (lambda: Paths(GRAPHS[0], -1), "0 edges or more, got at most -1"),
    ],
)
def test_what_is_no_graph_is_refused(make: Callable[[], object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        make()


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("most", [0, 1, 2, 3, None, 30])
def test_counts_are_those_of_a_list(graph: Graph, most: int | None) -> None:
    paths = Paths(graph, most)
    for start, goal in pairs(graph):
        listed = every_path(graph, start, goal)
        edges = [len(path) - 1 for path in listed]
        counted = [length for length in edges if most is None or length <= most]
        assert paths.by_length[:, start, goal].tolist() == [edges.count(length) for length in range(paths.most + 1)]
        assert float(paths.count[start, goal]) == len(counted)
        assert bool(paths.reach[start, goal]) == bool(listed)
        assert int(paths.shortest[start, goal]) == (min(edges) if listed else NONE)
        assert sorted(paths.listed(start, goal)) == sorted(path for path in listed if len(path) - 1 in counted)


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("most", [2, 3, None])
def test_the_next_node_is_that_of_a_path_among_those_that_are_left(graph: Graph, most: int | None) -> None:
    """Share of the listed paths that go on to each node, with what is left of the edges."""
    paths = Paths(graph, most)
    for start, goal in pairs(graph):
        for left in range(min(paths.most, 5) + 1):
            listed = [path for path in every_path(graph, start, goal) if 1 < len(path) <= left + 1]
            after = [path[1] for path in listed]
            expected = [after.count(node) / max(1, len(after)) for node in range(len(graph))]
            law = paths.next_law(*(torch.tensor(each) for each in (start, goal, left)))
            torch.testing.assert_close(law, torch.tensor(expected, dtype=torch.float64))


def test_all_paths_that_count_are_alike() -> None:
    """The product of the law along each of them is one over their number."""
    paths = Paths(GRAPHS[1], 4)
    start, goal = divmod(int(paths.count.argmax()), len(GRAPHS[1]))
    listed = paths.listed(start, goal)
    assert len(listed) > 3
    for path in listed:
        probability = 1.0
        for place, (node, after) in enumerate(pairwise(path)):
            law = paths.next_law(*(torch.tensor([each]) for each in (node, goal, 4 - place)))
            probability *= float(law[0, after])
        assert probability == pytest.approx(1 / len(listed))
