"""What can be known of a graph without a model: a walker that sees all edges, and what the training pairs imply."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mcinterp.studies.stepwise_inference.graphs import Graph
from mcinterp.studies.stepwise_inference.paths import Paths
from mcinterp.studies.stepwise_inference.task import GraphNavigation


def walker_hits(graph: Graph, edges: int) -> Float[Tensor, "node node"]:
    """P(a walk along random edges comes by the goal), from each start to each goal, exact.

    The walk knows every edge and nothing of where they lead to: it takes each of a node's edges alike, and ends at the
    goal, as deep as it, at a node without edges, or after so many edges.
    """
    after = graph.edges.double()
    after = after / after.sum(1, keepdim=True).clamp_min(1)
    shallower = graph.depth[:, None] < graph.depth
    here = torch.eye(len(graph), dtype=torch.float64)
    hits = here
    for _ in range(edges):
        hits = torch.where(shallower, after @ hits, here)
    return hits


def closure(pairs: Bool[Tensor, "node node"]) -> Bool[Tensor, "node node"]:
    """Which goals follow from pairs that are known to have a path, by putting these end to end."""
    edges = pairs
    while not torch.equal(longer := edges | (edges.double() @ edges.double() > 0), edges):
        edges = longer
    return edges


def trained_edges(task: GraphNavigation) -> Bool[Tensor, "node node"]:
    """The edges that training shows: those on a path that it may draw, and on a walk where there is none."""
    return task.graph.edges & (_on_paths(task) | _on_walks(task)[:, None])


def _on_paths(task: GraphNavigation) -> Bool[Tensor, "node node"]:
    """Whether an edge lies on a path of a trained pair."""
    asked = task.pairs.only(task.pairs.has_path)
    pairs = torch.zeros(len(task.graph), len(task.graph), dtype=torch.float64)
    pairs[asked.start, asked.goal] = 1.0
    paths = task.trained
    # Of an edge from u to v: pairs with a path of i edges to u, and at most so many that are left from v.
    uses = sum(paths.by_length[i].T @ pairs @ paths.within[paths.most - 1 - i].T for i in range(paths.most))
    return torch.as_tensor(uses) > 0


def _on_walks(task: GraphNavigation) -> Bool[Tensor, " node"]:
    """Whether a walk of a trained pair without a path may go on from a node, along any of its edges."""
    asked, shortest = task.pairs.only(~task.pairs.has_path), task.paths.shortest
    near = (shortest >= 0) & (shortest < task.config.walk)
    return (near[asked.start] & (task.graph.depth < task.graph.depth[asked.goal, None])).any(0)


def reached_by(edges: Bool[Tensor, "node node"], graph: Graph) -> Bool[Tensor, "node node"]:
    """Which goals can be reached along some of a graph's edges."""
    return Paths(Graph(edges, graph.depth)).reach
