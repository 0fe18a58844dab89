"""Geometry of graphs: values known by hand and by enumeration, invariances, and what is 1 or 0 by chance exactly."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcinterp.analysis.graph_geometry import (
    NodeGraph,
    component_alignments,
    dirichlet_energy,
    distance_explained,
    distance_explained_beyond,
    plane_alignment,
    shuffled,
    variance_in_low_modes,
)
from mcinterp.errors import InputError


def graph_of(n: int, pairs: list[tuple[int, int]]) -> NodeGraph:
    edges = np.zeros((n, n), dtype=bool)
    for i, j in pairs:
        edges[i, j] = edges[j, i] = True
    return NodeGraph(edges)


def ring(n: int, *strides: int) -> NodeGraph:
    return graph_of(n, [(i, (i + stride) % n) for i in range(n) for stride in strides or (1,)])


def grid(rows: int, cols: int) -> NodeGraph:
    at = lambda r, c: r * cols + c  # noqa: E731
    across = [(at(r, c), at(r, c + 1)) for r in range(rows) for c in range(cols - 1)]
    return graph_of(rows * cols, across + [(at(r, c), at(r + 1, c)) for r in range(rows - 1) for c in range(cols)])


GRAPHS = {
    "ring12": ring(12),
    "ring7": ring(7),
    "grid3x4": grid(3, 4),
    "grid4x4": grid(4, 4),
    "C12(1,2)": ring(12, 1, 2),
}
points_of = lambda n, seed, d=5: np.random.default_rng(seed).normal(size=(n, d))  # noqa: E731


def spread_in(matrix: np.ndarray, graph: NodeGraph) -> tuple[float, float]:
    """Energy of rows K e with e independent, and how far the first two components lie in the low modes: exact."""
    gram = matrix @ matrix.T
    squares = np.diag(gram)[:, None] + np.diag(gram) - 2 * gram
    energy = squares[graph.edges].mean() / squares[~np.eye(graph.n, dtype=bool)].mean()
    centring = np.eye(graph.n) - 1 / graph.n
    values, vectors = np.linalg.eigh(centring @ gram @ centring)
    plane = vectors[:, np.argsort(values)[::-1][:2]]
    return float(energy), float(((graph.low_modes.T @ plane) ** 2).sum() / 2)


@pytest.mark.parametrize(
    ("name", "mixed", "predicted", "least"),
    [
        ("ring12", 0.393, 1.100, 0.123),
        ("ring7", 0.462, 1.200, 0.323),
        ("grid3x4", 0.572, 1.129, 0.257),
        ("grid4x4", 0.567, 1.080, 0.183),
        ("C12(1,2)", 0.656, 0.859, None),
    ],
)
def test_the_energies_of_mixtures_are_those_known_exactly(
    name: str, mixed: float, predicted: float, least: float | None
) -> None:
    """Many random embeddings at once have, in the mean of their squared distances, the energy of the mixture itself."""
    graph = GRAPHS[name]
    assert spread_in(graph.mixing(), graph)[0] == pytest.approx(mixed, abs=6e-4)
    assert spread_in(graph.mixing(0.0), graph)[0] == pytest.approx(predicted, abs=6e-4)
    assert dirichlet_energy(graph.mixing() @ np.eye(graph.n), graph) == pytest.approx(mixed, abs=6e-4)
    if least:
        assert dirichlet_energy(graph.low_modes, graph) == pytest.approx(least, abs=6e-4)
    assert spread_in(np.hstack([np.eye(graph.n), graph.mixing(0.0)]), graph)[0] > 0.97


def test_low_modes_of_a_ring_are_its_circle_and_have_the_least_energy() -> None:
    graph, angle = ring(9), 2 * np.pi * np.arange(9) / 9
    circle = np.stack([np.cos(angle), np.sin(angle)], 1)
    assert variance_in_low_modes(circle, graph) == pytest.approx(1)
    assert plane_alignment(circle, graph) == pytest.approx(1)
    assert dirichlet_energy(circle, graph) == pytest.approx(dirichlet_energy(graph.low_modes, graph))
    assert dirichlet_energy(circle, graph) < min(dirichlet_energy(points_of(9, seed, 2), graph) for seed in range(200))
    assert distance_explained(circle, graph) == pytest.approx(1)


def test_a_threefold_eigenvalue_is_taken_whole() -> None:
    complete = ring(4, 1, 2)  # every pair: all modes are alike
    assert complete.low_modes.shape == (4, 3)
    assert variance_in_low_modes(points_of(4, 0), complete) == pytest.approx(1)


@pytest.mark.parametrize("name", GRAPHS)
def test_over_all_labellings_the_energy_is_one(name: str) -> None:
    """By chance: the mean over relabellings of mean edges is the mean over pairs. Here over many of them."""
    graph = GRAPHS[name]
    energies = [dirichlet_energy(own, graph) for own in shuffled(points_of(graph.n, 1), 0, 4000)]
    assert np.mean(energies) == pytest.approx(1, abs=4 * np.std(energies) / np.sqrt(len(energies)) + 1e-3)
    shares = [variance_in_low_modes(own, graph) for own in shuffled(points_of(graph.n, 1), 0, 4000)]
    chance = graph.low_modes.shape[1] / (graph.n - 1)
    assert np.mean(shares) == pytest.approx(chance, abs=4 * np.std(shares) / np.sqrt(len(shares)))


@given(seed=st.integers(0, 999), scale=st.floats(0.01, 100), name=st.sampled_from(sorted(GRAPHS)))
@settings(max_examples=40, deadline=None)
def test_rotation_shift_and_scale_change_nothing(seed: int, scale: float, name: str) -> None:
    graph = GRAPHS[name]
    points = points_of(graph.n, seed)
    turn, _ = np.linalg.qr(points_of(5, seed + 1))
    other = scale * points @ turn + 3.0
    for measure in (dirichlet_energy, variance_in_low_modes, plane_alignment, distance_explained):
        assert measure(other, graph) == pytest.approx(measure(points, graph), abs=1e-8)


def test_energy_and_explained_distances_are_those_of_loops() -> None:
    graph, points = grid(3, 4), points_of(12, 3)
    squares = {(i, j): ((points[i] - points[j]) ** 2).sum() for i, j in combinations(range(12), 2)}
    for steps in (1, 2):
        near = [value for pair, value in squares.items() if graph.distances[pair] == steps]
        assert dirichlet_energy(points, graph, steps) == pytest.approx(np.mean(near) / np.mean(list(squares.values())))
    every = np.mean(list(squares.values()))
    between = sum(
        (np.mean(own) - every) ** 2 * len(own)
        for own in [[value for pair, value in squares.items() if graph.distances[pair] == q] for q in range(1, 6)]
    )
    total = sum((value - every) ** 2 for value in squares.values())
    assert distance_explained(points, graph) == pytest.approx(between / total)


def test_distances_in_a_grid_are_those_of_a_taxi() -> None:
    distances = grid(3, 4).distances
    assert distances[0, 11] == 5
    assert distances[1, 4] == 2


def test_what_another_graph_explains_is_taken_off() -> None:
    one, order = ring(11), np.random.default_rng(0).permutation(11)
    other = NodeGraph(one.edges[np.ix_(order, order)])
    angle = 2 * np.pi * np.arange(11) / 11
    circle = np.stack([np.cos(angle), np.sin(angle)], 1)
    assert distance_explained_beyond(circle, one, one) == pytest.approx(0, abs=1e-9)
    assert distance_explained_beyond(circle, one, other) > 0.5
    assert distance_explained_beyond(circle, other, one) == pytest.approx(0, abs=1e-9)
    both = np.hstack([circle, circle[order]])
    assert min(distance_explained_beyond(both, one, other), distance_explained_beyond(both, other, one)) > 0.2


def test_components_share_the_low_modes_among_them() -> None:
    graph = grid(4, 4)
    found = component_alignments(points_of(16, 0, 40), graph)
    assert found.shape == (15,)
    assert found.sum() == pytest.approx(2)
    assert plane_alignment(points_of(16, 0, 40), graph) == pytest.approx(found[:2].mean())


def test_one_place_for_all_has_no_geometry() -> None:
    graph, points = ring(7), np.ones((7, 3))
    assert np.isnan(dirichlet_energy(points, graph))
    assert np.isnan(variance_in_low_modes(points, graph))
    assert np.isnan(distance_explained(points, graph))


def test_what_is_no_graph_of_the_points_is_refused() -> None:
    with pytest.raises(InputError, match="both ways"):
        NodeGraph(np.triu(np.ones((4, 4), dtype=bool), 1))
    with pytest.raises(InputError, match="several parts"):
        graph_of(4, [(0, 1), (2, 3)])
    with pytest.raises(InputError, match="3 or more nodes"):
        NodeGraph(np.zeros((2, 2), dtype=bool))
    with pytest.raises(InputError, match=r"7 nodes, so points \(node, d\), got \(6, 2\)"):
        dirichlet_energy(np.ones((6, 2)), ring(7))
