"""Every path of a pair, with its probability under a model and under the oracle at any temperature, without sampling.

The logits at each place of a path do not depend on the temperature, so that one pass over all paths gives the
probability of each at every temperature T: the product of softmax(logits / T).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mcinterp.analysis.skewed_t import Floats
from mcinterp.model.causal import CausalTransformer
from mcinterp.studies.stepwise_inference.task import PROMPT, GraphNavigation

FEWEST, MOST = 3, 40
"""Paths of the pairs that are looked at."""
PAIRS = 100
"""So many of these at most."""


@dataclass(frozen=True)
class Ways:
    """All paths of some pairs, one a row, pair by pair.

    Attributes:
        pair: which pair a path is of, (path,).
        tokens: goal, nodes from the start on, PATH; then PAD, (path, token).
        length: edges, (path,).
    """

    pair: Int[Tensor, " path"]
    tokens: Int[Tensor, "path token"]
    length: Int[Tensor, " path"]

    @property
    def n_pairs(self) -> int:
        """Pairs; they are numbered from 0."""
        return int(self.pair.max()) + 1 if len(self.pair) else 0


def ways(task: GraphNavigation, seed: int) -> Ways:
    """The paths of held-out pairs that have a few of them, all of which training may draw.

    Args:
        task: with its graph and pairs.
        seed: of which pairs, where there are more than `PAIRS`.
    """
    count = task.trained.count
    fit = task.held_out & (count >= FEWEST) & (count <= MOST) & (count == task.paths.count)
    pairs = fit.nonzero()
    pairs = pairs[torch.randperm(len(pairs), generator=torch.Generator().manual_seed(seed))[:PAIRS]]
    rows, of, length = [], [], []
    for at, (start, goal) in enumerate(pairs.tolist()):
        for path in task.trained.listed(start, goal):
            rows.append(torch.tensor([goal, *path, task.path]))
            of.append(at)
            length.append(len(path) - 1)
    tokens = pad_sequence(rows, True, task.pad) if rows else torch.zeros(0, PROMPT + 1, dtype=torch.int64)
    return Ways(torch.tensor(of, dtype=torch.int64), tokens, torch.tensor(length, dtype=torch.int64))


@dataclass(frozen=True)
class Likelihoods:
    """What is known at every place of every path, from the start on, float64.

    Attributes:
        logits: a model's, of the next token, (path, place, d_vocab).
        law: the oracle's probabilities of the next token, likewise.
        after: the token that comes next on the path, (path, place).
        there: whether the path has come to an end before, 0 or 1, (path, place).
    """

    logits: Float[Tensor, "path place d_vocab"]
    law: Float[Tensor, "path place d_vocab"]
    after: Int[Tensor, "path place"]
    there: Float[Tensor, "path place"]

    @classmethod
    @torch.no_grad()
    def of(cls, model: CausalTransformer, task: GraphNavigation, found: Ways) -> Likelihoods:
        """One pass over all paths."""
        tokens = found.tokens
        logits = model.complete(tokens[:, :-1])[:, PROMPT - 1 :].double()
        after = tokens[:, PROMPT:]
        return cls(logits, oracle_law(task, tokens), after, (after != task.pad).double())

    def path(self, temperature: float) -> Floats:
        """Logarithm of the probability of each path and of PATH behind it, under the model, (path,)."""
        return self._along((self.logits / temperature).log_softmax(-1))

    def sharpened(self, temperature: float) -> Floats:
        """The same under the oracle, its probabilities at every node sharpened (or flattened) as the model's are."""
        return self._along((self.law.log() / temperature).log_softmax(-1))

    def leaky(self, temperature: float) -> Floats:
        """The same of an oracle that fails as often as the model does.

        At every node the oracle chooses among what leads to the goal, and goes on with the probability that the model
        gives to all of it.
        """
        given = (self.logits / temperature).log_softmax(-1)
        on_a_way = torch.where(self.law > 0, given, -torch.inf).logsumexp(-1)
        return self.sharpened(temperature) + (on_a_way * self.there).sum(-1).numpy()

    def _along(self, log: Float[Tensor, "path place d_vocab"]) -> Floats:
        each = log.gather(-1, self.after[..., None])[..., 0]
        found: Floats = torch.where(self.there > 0, each, 0.0).sum(-1).numpy()
        return found


def oracle_law(task: GraphNavigation, tokens: Int[Tensor, "path token"]) -> Float[Tensor, "path place d_vocab"]:
    """P(next token) of a path that is uniform among all that training may draw, then PATH; PAD behind it."""
    law = torch.zeros(len(tokens), tokens.shape[1] - PROMPT, task.d_vocab, dtype=torch.float64)
    goal = tokens[:, 0]
    for place in range(law.shape[1]):
        current = tokens[:, PROMPT - 1 + place]
        on_way = (current < task.n_nodes) & (current != goal)
        left = torch.full_like(current, task.trained.most - place)
        law[:, place, : task.n_nodes] = task.trained.next_law(current.clamp_max(task.n_nodes - 1), goal, left)
        law[:, place, task.path] = (current == goal).double()
        law[~(on_way | (current == goal)), place] = 0.0
        law[~(on_way | (current == goal)), place, task.pad] = 1.0
    return law
