"""Pairs of start and goal: which are trained on, which are held out, and weights under which depth tells nothing."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mcinterp.studies.stepwise_inference.paths import Paths


@dataclass(frozen=True)
class Pairs:
    """Starts and goals with and without a path, weighted.

    Attributes:
        start, goal: nodes, int64, (pair,).
        has_path: whether the goal can be reached, (pair,).
        weights: float64, (pair,); those of each kind add up to a half, and at each gap of depth both kinds weigh alike.
    """

    start: Int[Tensor, " pair"]
    goal: Int[Tensor, " pair"]
    has_path: Bool[Tensor, " pair"]
    weights: Float[Tensor, " pair"]

    def __len__(self) -> int:
        return len(self.start)

    @classmethod
    def matched(
        cls, positive: Bool[Tensor, "node node"], negative: Bool[Tensor, "node node"], depth: Int[Tensor, " node"]
    ) -> Pairs:
        """Pairs with a path, all alike, and those without, so that gaps of depth are as frequent among them.

        Pairs at a gap at which there is none of the other kind would be told by it, and are left out.
        """
        ends = [kind.nonzero() for kind in (positive, negative)]
        gaps = [depth[goal] - depth[start] for start, goal in (each.T for each in ends)]
        counts = torch.stack([torch.bincount(gap, minlength=int(depth.max()) + 1) for gap in gaps]).double()
        wanted = counts[0] * (counts[1] > 0)
        wanted = wanted / (2 * wanted.sum())
        weights = torch.cat([(wanted / count)[gap] for count, gap in zip(counts, gaps, strict=True)])
        start, goal = torch.cat(ends).T
        has_path = torch.arange(len(start), device=start.device) < len(ends[0])
        return cls(start, goal, has_path, weights).only(weights > 0)

    def only(self, chosen: Bool[Tensor, " pair"]) -> Pairs:
        """Some of them, with their weights."""
        return Pairs(*(each[chosen] for each in (self.start, self.goal, self.has_path, self.weights)))


def chosen(
    paths: Paths, longest: int, share: float, most: int | None, seed: int
) -> tuple[Bool[Tensor, "node node"], Bool[Tensor, "node node"]]:
    """Draw the pairs to train on: some of those with a path of `longest` edges at most, and some without a path.

    Pairs have one random order whatever is asked for, of which the first are taken, so that choices of the same graph
    overlap as far as they can.

    Args:
        paths: all of the graph's.
        longest: edges of the shortest path of a pair that is trained on.
        share: of either kind.
        most: so many pairs with a path instead; None for the share.
        seed: of the order.

    Returns:
        those with a path and those without, (start, goal); the goal is deeper than the start.
    """
    n = len(paths.graph)
    order = torch.randperm(n * n, generator=torch.Generator().manual_seed(seed)).view(n, n)
    deeper = paths.graph.depth > paths.graph.depth[:, None]
    near, none = deeper & paths.reach & (paths.shortest <= longest), deeper & ~paths.reach
    wanted = round(share * int(near.sum())) if most is None else most
    return _first(near, order, wanted), _first(none, order, round(share * int(none.sum())))


def _first(pairs: Bool[Tensor, "node node"], order: Int[Tensor, "node node"], n: int) -> Bool[Tensor, "node node"]:
    """The first of some pairs by an order of all, one at least."""
    ranks = order[pairs].sort().values
    return pairs & (order <= ranks[min(max(n, 1), len(ranks)) - 1]) if len(ranks) else pairs
