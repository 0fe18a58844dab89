"""What a model writes when it is asked for a way, and what it is worth."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mcinterp.model.causal import CausalTransformer
from mcinterp.model.generation import generate
from mcinterp.studies.stepwise_inference.pairs import Pairs
from mcinterp.studies.stepwise_inference.task import PROMPT, GraphNavigation


@dataclass(frozen=True)
class Answers:
    """Of each pair, what was written.

    Attributes:
        says_path, says_no_path: the first sign that is written.
        steps: nodes that are written before it.
        missteps: of these, nodes to which no edge leads from the one before.
        arrives: the last node is the goal.
    """

    says_path: Bool[Tensor, " pair"]
    says_no_path: Bool[Tensor, " pair"]
    steps: Int[Tensor, " pair"]
    missteps: Int[Tensor, " pair"]
    arrives: Bool[Tensor, " pair"]

    @property
    def valid(self) -> Bool[Tensor, " pair"]:
        """A path along edges, to the goal."""
        return self.arrives & (self.missteps == 0)

    @property
    def lied(self) -> Bool[Tensor, " pair"]:
        """PATH is said, and none was written."""
        return self.says_path & ~self.valid

    @property
    def astray(self) -> Bool[Tensor, " pair"]:
        """Along edges, and not to the goal: a failure of planning."""
        return ~self.arrives & (self.missteps == 0)


def answered(
    model: CausalTransformer,
    task: GraphNavigation,
    pairs: Pairs,
    temperature: float = 0.0,
    generator: torch.Generator | None = None,
) -> Answers:
    """What a model writes of each pair, its most probable tokens unless a temperature is given."""
    n_new = task.n_positions - PROMPT + 1
    written = generate(model, task.prompts(pairs), n_new, temperature, task.end, generator)
    return read(task, pairs, pad_sequence([tokens.cpu() for tokens in written], True, task.pad))


def read(task: GraphNavigation, pairs: Pairs, written: Int[Tensor, "pair new"]) -> Answers:
    """What tokens say, each answer up to its first sign."""
    written = torch.cat([written, torch.full((len(written), 1), task.pad)], 1)
    nodes = (written < task.n_nodes).cumprod(1).bool()
    steps = nodes.sum(1)
    came = torch.cat([pairs.start[:, None], written], 1)
    along = task.graph.edges[came[:, :-1].clamp_max(task.n_nodes - 1), written.clamp_max(task.n_nodes - 1)]
    sign = written.gather(1, steps[:, None])[:, 0]
    last = came.gather(1, steps[:, None])[:, 0]
    missteps = (nodes & ~along).sum(1)
    return Answers(sign == task.path, sign == task.no_path, steps, missteps, last == pairs.goal)
