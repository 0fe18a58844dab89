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

from mcinterp.analysis.passes.geometry import variance_explained
from mcinterp.analysis.statistics import Floats
from mcinterp.errors import InputError

TIE = 1e-9
"""Eigenvalues of a graph that are nearer than this are the same."""


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
    left, _, _ = np.linalg.svd(centred, full_matrices=False)
    return np.asarray(((graph.low_modes.T @ left[:, : graph.n - 1]) ** 2).sum(0))


def distance_explained(points: Floats, graph: NodeGraph) -> float:
    """Share of the variance of pairs' squared distances that the distance in the graph explains, η², 0 to 1.

    By chance it is the more, the fewer nodes there are: compare with `shuffled`.
    """
    return _explained(_pairs(points, graph), [_classes(graph)])


def distance_explained_beyond(points: Floats, graph: NodeGraph, other: NodeGraph) -> float:
    """What distances in a graph explain beside those in another: η² of both (additive) less that of the other alone."""
    squares = _pairs(points, graph)
    both = _explained(squares, [_classes(graph), _classes(other)])
    return both - _explained(squares, [_classes(other)])


def shuffled(points: Floats, seed: int, shuffles: int) -> Floats:
    """The points under other nodes, dealt at random, (shuffle, node, d)."""
    generator = np.random.default_rng(seed)
    return np.stack([points[generator.permutation(len(points))] for _ in range(shuffles)])


def _pairs(points: Floats, graph: NodeGraph) -> Floats:
    return np.asarray(pdist(_checked(points, graph), "sqeuclidean"))


def _classes(graph: NodeGraph) -> NDArray[np.int64]:
    """The distance in the graph of every pair, in the order of `pdist`."""
    return squareform(graph.distances.astype(np.int64), checks=False)


def _explained(values: Floats, classes: list[NDArray[np.int64]]) -> float:
    """R² of a value a pair on one or several classifications of pairs."""
    if len(classes) == 1:
        return variance_explained(values[:, None], classes[0])
    dummies = [(each[:, None] == np.unique(each)).astype(float) for each in classes]
    design, centred = np.hstack(dummies), values - values.mean()
    fitted = design @ np.linalg.lstsq(design, centred, rcond=None)[0]
    total = float((centred**2).sum())
    return 1 - float(((centred - fitted) ** 2).sum()) / total if total > 0 else float("nan")


def _checked(points: Floats, graph: NodeGraph) -> Floats:
    if points.ndim != 2 or len(points) != graph.n:
        raise InputError(f"the graph has {graph.n} nodes, so points (node, d), got {points.shape}")
    return points
