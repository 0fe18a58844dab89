"""What can be known of the next token in a walk: by memory of what followed what, and exactly, on rings (Bayes)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

Tokens = Int[Tensor, "n pos"]
Law = Float[Tensor, "n token"]
PAIRS = "pairs"


def directed_memory(one_hot: Float[Tensor, "n pos token"], order: str) -> Float[Tensor, "n pos token"]:
    """All tokens that have followed the current one, alike; before there is any, all others alike.

    Args:
        one_hot: the sequences.
        order: `walk`, or `pairs`, in which only the second of a pair follows the first.
    """
    return _memory(one_hot, order, both_ways=False)


def undirected_memory(one_hot: Float[Tensor, "n pos token"], order: str) -> Float[Tensor, "n pos token"]:
    """The same of all tokens that have stood before or after the current one."""
    return _memory(one_hot, order, both_ways=True)


def _memory(one_hot: Tensor, order: str, both_ways: bool) -> Float[Tensor, "n pos token"]:
    n, n_pos, n_tokens = one_hot.shape
    followed, found = torch.zeros(n, n_tokens, n_tokens).to(one_hot), []
    for place in range(n_pos):
        if place and (order != PAIRS or place % 2):
            step = one_hot[:, place - 1, :, None] * one_hot[:, place, None]
            followed = torch.maximum(followed, step + step.mT if both_ways else step)
        known = (one_hot[:, place, None] @ followed)[:, 0]
        some = known.sum(-1, keepdim=True)
        law = torch.where(some > 0, known / some.clamp_min(1), (1 - one_hot[:, place]) / (n_tokens - 1))
        begins = order == PAIRS and place % 2 == 1  # of the next pair nothing is known
        found.append(torch.full_like(law, 1 / n_tokens) if begins else law)
    return torch.stack(found, 1)


@dataclass(frozen=True)
class Hypothesis:
    """What a sequence may be through.

    Attributes:
        n: nodes of the ring.
        probability: before anything is seen.
        fixed: whether token i stands at node i; else tokens are dealt at random, of all that there are.
    """

    n: int
    probability: float
    fixed: bool = False


def bayes(tokens: Tokens, hypotheses: Sequence[Hypothesis], n_tokens: int, order: str) -> Float[Tensor, "n pos token"]:
    """The exact law of the next token, given all that was seen, if every sequence is through one of these rings.

    Of sequences that are through none, all tokens are alike.
    """
    laws = [_fixed(tokens, each.n, n_tokens, order) if each.fixed else _fresh(tokens, each.n, n_tokens, order)
            for each in hypotheses]  # fmt: skip
    firsts = torch.stack([law[:, 0] for law in laws]), torch.stack([law[:, 1:] for law in laws])
    weights = torch.tensor([each.probability for each in hypotheses], dtype=torch.float64)[:, None]
    weights = weights * firsts[0].gather(-1, tokens[:, 0].expand(len(laws), -1)[..., None])[..., 0]
    found = []
    for place in range(tokens.shape[1]):
        total = weights.sum(0)
        law = (weights[..., None] * firsts[1][:, :, place]).sum(0) / total.clamp_min(1e-300)[:, None]
        found.append(torch.where(total[:, None] > 0, law, 1 / n_tokens))
        if place + 1 < tokens.shape[1]:
            seen = tokens[:, place + 1].expand(len(laws), -1)[..., None]
            weights = weights * firsts[1][:, :, place].gather(-1, seen)[..., 0]
            # Alone their ratios matter, and many small factors would leave nothing.
            weights = weights / weights.sum(0).clamp_min(1e-300)
    return torch.stack(found, 1)


def _fixed(tokens: Tokens, n: int, n_tokens: int, order: str) -> Float[Tensor, "n before token"]:
    """The law before each token and after the last, of the ring on which token i stands at node i."""
    node = torch.arange(n)
    every = (torch.arange(n_tokens) < n).double() / n
    beside = torch.zeros(n_tokens, n_tokens, dtype=torch.float64)
    beside[node, (node + 1) % n] = beside[node, (node - 1) % n] = 0.5
    laws = torch.cat([every.expand(len(tokens), 1, -1), beside[tokens]], 1)
    if order == PAIRS:
        laws[:, 2::2] = every
    return laws


def _fresh(tokens: Tokens, n: int, n_tokens: int, order: str) -> Float[Tensor, "n before token"]:
    """The same of a ring on which tokens are dealt at random."""
    arcs = _Arcs.before(len(tokens), n, n_tokens)
    laws = [arcs.anywhere()]
    for place in range(tokens.shape[1]):
        joined = place > 0 and (order != PAIRS or place % 2 == 1)
        arcs.see(tokens[:, place], tokens[:, place - 1] if joined else None)
        begins = order == PAIRS and place % 2 == 1
        laws.append(arcs.anywhere() if begins else arcs.beside(tokens[:, place]))
    return torch.stack(laws, 1)


@dataclass
class _Arcs:
    """What is known of rings: which tokens are neighbours, and so which arcs there are; single tokens are arcs too.

    All ways to close the known arcs and the unseen nodes to a ring are alike, with either end of an arc first.
    """

    n: int
    near: Float[Tensor, "n token token"]
    arc: Int[Tensor, "n token"]
    seen: Float[Tensor, "n token"]

    @classmethod
    def before(cls, n_sequences: int, n: int, n_tokens: int) -> _Arcs:
        near = torch.zeros(n_sequences, n_tokens, n_tokens, dtype=torch.float64)
        return cls(n, near, torch.arange(n_tokens).repeat(n_sequences, 1), near[:, 0].clone())

    def see(self, token: Int[Tensor, " n"], after: Int[Tensor, " n"] | None) -> None:
        """Take in a token, and that it is a neighbour of another."""
        row = torch.arange(len(token))
        self.seen[row, token] = 1.0
        if after is None:
            return
        self.near[row, token, after] = self.near[row, after, token] = 1.0
        own, other = self.arc[row, token][:, None], self.arc[row, after][:, None]
        self.arc = torch.where(self.arc == own, other, self.arc)

    def anywhere(self) -> Law:
        """A node drawn from all: those seen alike, and unseen tokens alike for the unseen nodes."""
        return self.seen / self.n + self._unseen() / self.n

    def beside(self, token: Int[Tensor, " n"]) -> Law:
        """A neighbour of a token, both alike."""
        row = torch.arange(len(token))
        known = self.near[row, token]
        return known / 2 + (2 - known.sum(-1, keepdim=True)).clamp_min(0) / 2 * self._joined(token)

    def _joined(self, token: Int[Tensor, " n"]) -> Law:
        """The law of what a free side of a token is joined to."""
        row, degree = torch.arange(len(token)), self.near.sum(-1)
        own_arc = (self.arc == self.arc[row, token][:, None]).double()
        free = self.seen * (2 - degree).clamp_min(0) / 2
        others = free * (1 - own_arc) + self._unseen()
        arcs = others.sum(-1, keepdim=True)
        # One arc through all nodes closes with its other end.
        last = own_arc * (degree == 1) * (1 - F.one_hot(token, self.seen.shape[-1]).double())
        return torch.where(arcs > 1e-9, others / arcs.clamp_min(1e-9), last)

    def _unseen(self) -> Law:
        """Expected number of unseen nodes that each unseen token stands at."""
        unseen = 1 - self.seen
        nodes = (self.n - self.seen.sum(-1, keepdim=True)).clamp_min(0)
        return unseen * nodes / unseen.sum(-1, keepdim=True).clamp_min(1)
