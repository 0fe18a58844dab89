"""Graphs by name, such as `ring:11` and `grid:4x4`: their nodes, and which of them are neighbours."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from mcinterp.errors import InputError, nearest_name

MOST_NODES = 10_000
Edge = tuple[int, int]


@dataclass(frozen=True)
class NamedGraph:
    """An undirected graph without loops.

    Attributes:
        name: such as `grid:4x4`.
        n: nodes, counted from 0.
        edges: pairs of neighbours, each once, the smaller node first, in order.
    """

    name: str
    n: int
    edges: tuple[Edge, ...]


def _ring(n: int) -> Iterable[Edge]:
    return ((i, (i + 1) % n) for i in range(n))


def _circulant(n: int) -> Iterable[Edge]:
    return ((i, (i + stride) % n) for i in range(n) for stride in (1, 2))


def _grid(height: int, width: int) -> Iterable[Edge]:
    across = ((i * width + j, i * width + j + 1) for i in range(height) for j in range(width - 1))
    down = ((i * width + j, (i + 1) * width + j) for i in range(height - 1) for j in range(width))
    return (*across, *down)


def _hexagonal(height: int, width: int) -> Iterable[Edge]:
    """Hexagons as a wall of bricks: a grid of which every other upright edge is left out."""
    upright = (edge for edge in _grid(height, width) if edge[1] - edge[0] == width)
    across = (edge for edge in _grid(height, width) if edge[1] - edge[0] == 1)
    return (*across, *(edge for edge in upright if sum(divmod(edge[0], width)) % 2 == 0))


LINES: Mapping[str, Callable[[int], Iterable[Edge]]] = {"ring": _ring, "circulant": _circulant}
"""Kinds that a number of nodes describes; a circulant joins each node to the next two on either side."""
PATCHES: Mapping[str, Callable[[int, int], Iterable[Edge]]] = {"grid": _grid, "hex": _hexagonal}
"""Kinds that height and width describe; none goes round."""
FEWEST = {"ring": 3, "circulant": 5, "grid": 2, "hex": 2}
"""Nodes, or height and width."""


def graph_named(name: str) -> NamedGraph:
    """The graph of a name: `ring:N`, `circulant:N`, `grid:RxC` or `hex:RxC`.

    Raises:
        InputError: if it is no such name, or of too few or too many nodes.
    """
    kind, _, size = name.partition(":")
    if kind not in FEWEST:
        raise InputError(f"{name!r:.80} is no graph, as ring:11 and grid:4x4 are{nearest_name(kind, FEWEST)}")
    wanted, words = (r"(\d{1,5})", "ring:11") if kind in LINES else (r"(\d{1,5})x(\d{1,5})", "grid:4x4")
    found = re.fullmatch(wanted, size)
    if found is None:
        raise InputError(f"{name!r:.80}: the size of a {kind} is written as in {words}")
    sizes = [int(part) for part in found.groups()]
    n = sizes[0] * (sizes[1] if kind in PATCHES else 1)
    if min(sizes) < FEWEST[kind] or n > MOST_NODES:
        raise InputError(f"{name!r:.80}: a {kind} has sizes from {FEWEST[kind]} on and at most {MOST_NODES:,} nodes")
    edges = LINES[kind](sizes[0]) if kind in LINES else PATCHES[kind](*sizes)
    return NamedGraph(name, n, tuple(sorted({(min(edge), max(edge)) for edge in edges})))
