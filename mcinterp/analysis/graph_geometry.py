"""How far points have the geometry of a graph whose nodes they are: energies, modes, distances, with exact nulls.

Points are (node, d), such as the mean state of each class. Everything is the same under rotation, shift and scale of
them, so that neither the norm of the states nor a collapse to one place decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool
from numpy.typing import NDArray
from scipy.sparse.csgraph import shortest_path
from scipy.spatial.distance import pdist, squareform

from mcinterp.analysis.statistics import Floats
from mcinterp.config.graphs import NamedGraph
from mcinterp.errors import InputError

TIE = 1e-9
"""Eigenvalues of a graph that are nearer than this are the same."""
ROUNDING = 1e-24
"""Share of a sum of squares below which its variation is that of rounding."""


@dataclass(frozen=True, eq=False)
class NodeGraph:
    """A connected undirected graph without loops.

    Attributes:
        edges: whether two nodes are neighbours, symmetric, (node, node).
    """

    edges: Bool[np.ndarray, "node node"]

    def __post_init__(self) -> None:
        if self.edges.ndim != 2 or len(set(self.edges.shape)) != 1 or len(self.edges) < 3:
            raise InputError(f"a graph has one cell a pair of 3 or more nodes, got {self.edges.shape}")
        if (self.edges != self.edges.T).any() or self.edges.diagonal().any():
            raise InputError("the edges of a graph go both ways and from no node to itself")
        if not np.isfinite(self.distances).all():
            raise InputError("the graph is in several parts, between which there is no distance")

    @classmethod
    def of(cls, shape: NamedGraph) -> NodeGraph:
        """The graph of a name."""
        edges = np.zeros((shape.n, shape.n), dtype=bool)
        one, other = np.array(shape.edges).T
        edges[one, other] = edges[other, one] = True
        return cls(edges)

    def relabelled(self, order: NDArray[np.int64]) -> NodeGraph:
        """The graph in which node i stands where node order[i] stood."""
        return NodeGraph(self.edges[np.ix_(order, order)])

    @property
    def n(self) -> int:
        """Nodes."""
        return len(self.edges)

    @cached_property
    def distances(self) -> Floats:
        """Edges on the shortest way between two nodes, (node, node)."""
        return np.asarray(shortest_path(self.edges.astype(float), unweighted=True))

    @cached_property
    def low_modes(self) -> Floats:
        """The second and third eigenvectors of the Laplacian D − A, all of the third's where it has several, (node, m).

        Of all planes these are the ones in which neighbours are nearest to each other.
        """
        values, vectors = np.linalg.eigh(np.diag(self.edges.sum(1)) - self.edges.astype(float))
        return vectors[:, 1 : int((values <= values[2] + TIE).sum())]

    def mixing(self, own: float = 1.0) -> Floats:
        """What a head that looks at neighbours makes of the nodes: own · I + D⁻¹ A, (node, node)."""
        return own * np.eye(self.n) + self.edges / self.edges.sum(1, keepdims=True)


def dirichlet_energy(points: Floats, graph: NodeGraph, steps: int = 1) -> float:
    """Mean squared distance of nodes so many edges apart over that of all pairs; NaN where all points are the same.

    1 where the graph plays no role, in the mean over all ways of labelling the nodes; less where neighbours are near.
    """
    squares = squareform(pdist(_checked(points, graph), "sqeuclidean"))
    every = squares[~np.eye(graph.n, dtype=bool)].mean()
    apart = graph.distances == steps
    return float(squares[apart].mean() / every) if every > 0 and apart.any() else float("nan")


def variance_in_low_modes(points: Floats, graph: NodeGraph) -> float:
    """Share of the points' variance that lies in the graph's low modes; by chance as many of n − 1 as there are."""
    centred = points - _checked(points, graph).mean(0)
    total = float((centred**2).sum())
    return float(((graph.low_modes.T @ centred) ** 2).sum() / total) if total > 0 else float("nan")


def plane_alignment(points: Floats, graph: NodeGraph) -> float:
    """How far the plane of the first two principal components lies in the graph's low modes: 1 within, 0 across."""
    return float(component_alignments(points, graph)[:2].mean())


def component_alignments(points: Floats, graph: NodeGraph) -> Floats:
    """The same of every principal component, (component,), the one of most variance first; by chance 2 of n − 1."""
    centred = points - _checked(points, graph).mean(0)
    left, _, _ = np.linalg.svd(centred, False)
    return np.asarray(((graph.low_modes.T @ left[:, : graph.n - 1]) ** 2).sum(0))


def distance_explained(points: Floats, graph: NodeGraph) -> float:
    """Share of the variance of pairs' squared distances that the distance in the graph explains, η², 0 to 1.

    By chance it is the more, the fewer nodes there are: compare with `explained_by_chance`.
    """
    return squares_explained(_pairs(points, graph), graph)


def distance_explained_beyond(points: Floats, graph: NodeGraph, other: NodeGraph) -> float:
    """What distances in a graph explain beside those in another: η² of both (additive) less that of the other alone."""
    return squares_explained(_pairs(points, graph), graph, other)


def squares_explained(squares: Floats, graph: NodeGraph, other: NodeGraph | None = None) -> float:
    """The same of squared distances themselves, (pair,) in the order of `pdist`; beside another graph where given."""
    return float(_beyond(squares[None], graph, other)[0])


def explained_by_chance(
    points: Floats, graph: NodeGraph, seed: int, shuffles: int, other: NodeGraph | None = None
) -> Floats:
    """What distances in a graph explain of points under nodes dealt at random, (shuffle,); likewise beside another."""
    squares, generator = squareform(_pairs(points, graph)), np.random.default_rng(seed)
    orders = [generator.permutation(graph.n) for _ in range(shuffles)]
    above = np.triu_indices(graph.n, 1)
    return _beyond(np.stack([squares[np.ix_(order, order)][above] for order in orders]), graph, other)


def expected_squares(mixture: Floats) -> Floats:
    """Expected squared distances of what a mixture (node, node) makes of independent states of equal size, (pair,)."""
    gram = mixture @ mixture.T
    squares = gram.diagonal()[:, None] + gram.diagonal() - 2 * gram
    return squares[np.triu_indices(len(mixture), 1)]


def shuffled(points: Floats, seed: int, shuffles: int) -> Floats:
    """The points under other nodes, dealt at random, (shuffle, node, d)."""
    generator = np.random.default_rng(seed)
    return np.stack([points[generator.permutation(len(points))] for _ in range(shuffles)])


def _pairs(points: Floats, graph: NodeGraph) -> Floats:
    return np.asarray(pdist(_checked(points, graph), "sqeuclidean"))


def _classes(graph: NodeGraph) -> NDArray[np.int64]:
    """The distance in the graph of every pair, in the order of `pdist`."""
    return squareform(graph.distances.astype(np.int64), checks=False)


def _beyond(squares: Floats, graph: NodeGraph, other: NodeGraph | None) -> Floats:
    """R² on the graph's distances, of both graphs less that of the other where there is one, (…,) of (…, pair)."""
    if other is None:
        return _explained(squares, [_classes(graph)])
    return _explained(squares, [_classes(graph), _classes(other)]) - _explained(squares, [_classes(other)])


def _explained(squares: Floats, classes: list[NDArray[np.int64]]) -> Floats:
    """R² of values (…, pair) on one or several classifications of pairs, (…,); NaN where all values are the same."""
    dummies = np.hstack([(each[:, None] == np.unique(each)).astype(float) for each in classes])
    left, values, _ = np.linalg.svd(dummies - dummies.mean(0), False)
    centred = squares - squares.mean(-1, keepdims=True)
    fitted = centred @ left[:, values > TIE * values[0]]
    total = (centred**2).sum(-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(total > ROUNDING * (squares**2).sum(-1), (fitted**2).sum(-1) / total, np.nan))


def _checked(points: Floats, graph: NodeGraph) -> Floats:
    if points.ndim != 2 or len(points) != graph.n:
        raise InputError(f"the graph has {graph.n} nodes, so points (node, d), got {points.shape}")
    return points
