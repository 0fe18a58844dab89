"""Percolation of random bipartite graphs: the closed form of their giant component, and graphs that are drawn.

E entities and K descriptors are joined by m edges, drawn evenly among all pairs. A giant component appears at
m = √(E K), where its share of the entities, a, and of the descriptors, b, leave 0:

    a = 1 − exp(−(m/E) b),   b = 1 − exp(−(m/K) a).

An entity and a descriptor that are both in it can be known to belong together without ever being said together: of all
pairs the share a b.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mcinterp.analysis.statistics import Floats

Wholes = NDArray[np.int64]


def threshold(entities: float, descriptors: float) -> float:
    """Edges at which the giant component appears, √(E K)."""
    return float(np.sqrt(entities * descriptors))


def giant_shares(entities: float, descriptors: float, edges: float) -> tuple[float, float]:
    """The closed form of a and b; 0 up to the threshold."""
    per_entity, per_descriptor = edges / entities, edges / descriptors
    if per_entity * per_descriptor <= 1:
        return 0.0, 0.0

    def excess(share: float) -> float:
        """Of a over what its own b gives; it has one root above 0, as a is concave in itself."""
        return float(share + np.expm1(per_entity * np.expm1(-per_descriptor * share)))

    # Near 0 the excess is negative; how near is enough is found by halving.
    least = 1.0
    while excess(least) > 0 and least > 1e-12:
        least /= 2
    a = float(brentq(excess, least, 1.0)) if excess(least) < 0 else 0.0
    return a, float(-np.expm1(-per_descriptor * a))


def edges_to_join(entities: float, descriptors: float, joined: float) -> float:
    """Edges at which the share `joined` of all pairs, a b, is joined by the giant component."""
    least = threshold(entities, descriptors)

    def excess(scale: float) -> float:
        a, b = giant_shares(entities, descriptors, least * scale)
        return a * b - joined

    most = 2.0
    while excess(most) < 0:
        most *= 2
    return least * float(brentq(excess, 1.0, most))


def draws_for(edges: float, pairs: float) -> float:
    """Draws with replacement, from so many pairs, that have so many different ones on average; M (1 − exp(−n/M)) = m.

    Infinite where there are not as many pairs.
    """
    return float(-pairs * np.log1p(-edges / pairs)) if edges < pairs else float("inf")


def slope(x: Sequence[float] | Floats, y: Sequence[float] | Floats) -> float:
    """Of the logarithm of y on that of x, by least squares; NaN with a value that has no logarithm."""
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if len(x) < 2 or not (np.isfinite(x).all() and np.isfinite(y).all()):
        return float("nan")
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


@dataclass(frozen=True)
class Components:
    """Of one graph.

    Attributes:
        entities, descriptors: shares of them that are in the largest component, by its nodes.
        susceptibility: mean size of the component of a node, the largest component left out.
    """

    entities: float
    descriptors: float
    susceptibility: float


def drawn_edges(entities: int, descriptors: int, edges: int, rng: np.random.Generator) -> tuple[Wholes, Wholes]:
    """Different pairs, drawn evenly and in a random order: the entity and the descriptor of each."""
    drawn = rng.choice(entities * descriptors, edges, replace=False)
    return drawn // descriptors, drawn % descriptors


def components(entities: int, descriptors: int, left: Wholes, right: Wholes) -> Components:
    """What the edges between `left` and `right` join."""
    n = entities + descriptors
    graph = coo_array((np.ones(len(left), dtype=np.int8), (left, entities + right)), (n, n))
    _, labels = connected_components(graph, directed=False)
    sizes = np.bincount(labels).astype(np.float64)
    largest = int(sizes.argmax())
    others = np.delete(sizes, largest)
    susceptibility = float((others**2).sum() / others.sum()) if len(others) else 0.0
    inside = labels == largest
    return Components(float(inside[:entities].mean()), float(inside[entities:].mean()), susceptibility)


def peak(entities: int, descriptors: int, scales: Floats, rng: np.random.Generator) -> float:
    """Edges at which the susceptibility of a growing graph is largest, at these multiples of the threshold."""
    counts = np.round(scales * threshold(entities, descriptors)).astype(int)
    left, right = drawn_edges(entities, descriptors, int(counts.max()), rng)
    found = [components(entities, descriptors, left[:n], right[:n]).susceptibility for n in counts]
    return float(counts[int(np.argmax(found))])
