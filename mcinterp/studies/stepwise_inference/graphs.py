"""Directed acyclic graphs to find ways through: of layers, and of nodes in an order."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from mcinterp.errors import InputError


@dataclass(frozen=True, eq=False)
class Graph:
    """A directed acyclic graph; every edge leads to a node of greater depth.

    Attributes:
        edges: whether an edge leads from the first node to the second, (node, node).
        depth: of every node, (node,): its layer where there are layers, else its place in the order.
    """

    edges: Bool[Tensor, "node node"]
    depth: Int[Tensor, " node"]

    def __len__(self) -> int:
        return len(self.depth)

    def to(self, device: torch.device) -> Graph:
        """The same graph on another device."""
        return Graph(self.edges.to(device), self.depth.to(device))


def hierarchical_graph(layers: int, width: int, p: float, seed: int) -> Graph:
    """Layers of nodes, each possible edge from a layer to the next one with probability p.

    A node that would have no edge to the next layer, or none from the one before, is given one to a random node there.

    Raises:
        InputError: for fewer than two layers, none of a width, or a p that is no probability.
    """
    if layers < 2 or width < 1:
        raise InputError(f"a graph of layers needs 2 of them and a width of 1 at least, got {layers} of {width}")
    generator = _generator(p, seed)
    edges = torch.zeros(layers, width, layers, width, dtype=torch.bool)
    for layer in range(layers - 1):
        between = torch.rand(width, width, generator=generator) < p
        between = _each_has_one(between, generator)
        edges[layer, :, layer + 1] = _each_has_one(between.T, generator).T
    n = layers * width
    return Graph(edges.reshape(n, n), torch.arange(n) // width)


def bernoulli_graph(n: int, p: float, seed: int) -> Graph:
    """Nodes in an order, each possible edge from a node to a later one with probability p.

    Raises:
        InputError: for fewer than two nodes, or a p that is no probability.
    """
    if n < 2:
        raise InputError(f"a graph needs 2 nodes at least, got {n}")
    generator = _generator(p, seed)
    return Graph((torch.rand(n, n, generator=generator) < p).triu(1), torch.arange(n))


def _generator(p: float, seed: int) -> torch.Generator:
    if not 0.0 <= p <= 1.0:
        raise InputError(f"p must be a probability, from 0 to 1, got {p}")
    return torch.Generator().manual_seed(seed)


def _each_has_one(between: Bool[Tensor, "here there"], generator: torch.Generator) -> Bool[Tensor, "here there"]:
    """The same edges, and one at random of each row that has none."""
    chosen = torch.randint(between.shape[1], (len(between), 1), generator=generator)
    alone = ~between.any(1, keepdim=True)
    return between | (alone & torch.zeros_like(between).scatter(1, chosen, True))
