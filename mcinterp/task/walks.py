"""Walks through graphs, drawn all at once."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from mcinterp.config.graphs import NamedGraph

Edges = Bool[Tensor, "graph node node"]
PerWalk = Int[Tensor, " n"]


def edges_of(shape: NamedGraph, n: int | None = None) -> Bool[Tensor, "node node"]:
    """Whether two nodes are neighbours, (node, node); of `n` nodes, of which those that the graph has not have none."""
    edges = torch.zeros(n or shape.n, n or shape.n, dtype=torch.bool)
    for one, other in shape.edges:
        edges[one, other] = edges[other, one] = True
    return edges


def random_walks(
    edges: Edges, graph: PerWalk, length: int, generator: torch.Generator, start: PerWalk | None = None
) -> Int[Tensor, "n pos"]:
    """Walks of so many nodes, each step to a neighbour, all alike.

    Args:
        edges: of every graph.
        graph: which of them each walk is through.
        length: nodes of a walk, the first included.
        generator: draws them, on the CPU.
        start: the first nodes; drawn from all that have a neighbour where left out.
    """
    if start is None:
        start = torch.multinomial((edges.sum(-1) > 0).double()[graph], 1, generator=generator)[:, 0]
    nodes = [start]
    while len(nodes) < length:
        nodes.append(neighbours(edges, graph, nodes[-1], generator))
    return torch.stack(nodes, 1)


def neighbours(edges: Edges, graph: PerWalk, node: PerWalk, generator: torch.Generator) -> PerWalk:
    """A neighbour of each node, all alike."""
    near = edges[graph, node]
    chosen = (torch.rand(len(node), generator=generator) * near.sum(-1)).long()
    return (near.cumsum(-1) == chosen[:, None] + 1).int().argmax(-1)
