"""Paths through a graph: exact counts, and the law of a path that is uniform among those to a goal.

Counts are whole numbers in float64, exact below 2⁵³. With A the edges and N_≤ℓ(v, g) the number of paths from v to g
of at most ℓ edges, a path that is uniform among these goes on from v to u with probability

    P(u | v, g, ℓ) = A_vu N_≤ℓ−1(u, g) / N_≤ℓ(v, g),

and is at its end where v is g: no path comes back to a node that it has left.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mcinterp.errors import InputError
from mcinterp.studies.stepwise_inference.graphs import Graph

NONE = -1
"""The length of a path where there is none."""


class Paths:
    """All paths of a graph of at most so many edges.

    Args:
        graph: the graph.
        most: edges of the longest path that counts; None for all paths.

    Attributes:
        by_length: paths from the first node to the second of 0, 1, … edges, (most + 1, node, node).
        within: paths of at most so many edges, likewise.
        reach: whether there is a path of any length, also the empty one to the node itself, (node, node).
        shortest: edges of the shortest path, (node, node); `NONE` where there is none.
    """

    by_length: Float[Tensor, "edges node node"]
    within: Float[Tensor, "edges node node"]
    reach: Bool[Tensor, "node node"]
    shortest: Int[Tensor, "node node"]

    def __init__(self, graph: Graph, most: int | None = None) -> None:
        every = powers(graph)
        most = len(every) - 1 if most is None else most
        if most < 0:
            raise InputError(f"paths have 0 edges or more, got at most {most}")
        lengths = torch.arange(most + 1, device=every.device).clamp_max(len(every) - 1)
        self.graph, self.most = graph, most
        self.within = every.cumsum(0)[lengths]
        self.by_length = self.within.diff(dim=0, prepend=torch.zeros_like(self.within[:1]))
        self.reach = every.sum(0) > 0
        self.shortest = torch.where(self.reach, (every > 0).int().argmax(0), NONE)

    @property
    def count(self) -> Float[Tensor, "node node"]:
        """Paths from the first node to the second that count."""
        return self.within[-1]

    def next_law(
        self, current: Int[Tensor, "*n"], goal: Int[Tensor, "*n"], left: Int[Tensor, "*n"]
    ) -> Float[Tensor, "*n node"]:
        """P(next node | current, goal, edges left) of a path that is uniform among all of at most `left` edges.

        Returns:
            float64, (…, node); 0 for every node at the goal, with no edge left, and where no path is.
        """
        ahead = self.within[(left - 1).clamp(0, self.most), :, goal] * self.graph.edges[current]
        ahead = ahead * ((left > 0) & (current != goal))[..., None]
        return ahead / ahead.sum(-1, keepdim=True).clamp_min(1)

    def listed(self, start: int, goal: int, left: int | None = None) -> list[tuple[int, ...]]:
        """Every path from a node to another that counts, of at most `left` edges, each as its nodes."""
        left = self.most if left is None else left
        if start == goal:
            return [(start,)]
        if left == 0:
            return []
        after = (self.graph.edges[start] & (self.within[left - 1, :, goal] > 0)).nonzero()[:, 0]
        return [(start, *rest) for node in after.tolist() for rest in self.listed(node, goal, left - 1)]


def powers(graph: Graph) -> Float[Tensor, "edges node node"]:
    """Paths of 0, 1, … edges from a node to another, up to the longest that there is, (edges, node, node)."""
    edges = graph.edges.double()
    found = [torch.eye(len(graph), dtype=torch.float64, device=edges.device)]
    while bool((longer := found[-1] @ edges).any()):
        found.append(longer)
    return torch.stack(found)
