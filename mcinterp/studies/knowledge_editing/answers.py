"""What a network answers to every fact and held-out composition, and what its stream is where it answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mcinterp.runs import Checkpoint
from mcinterp.studies.knowledge_editing.facts import orders_of
from mcinterp.studies.knowledge_editing.task import CyclicFacts

CHUNK = 4096
"""Prompts of one forward pass."""
EDITED, RETAINED, BOTH = "edited", "retained", "both"
"""Facts of the order that edits are of, of all others, and compositions of relations of both."""


@dataclass(frozen=True)
class Network:
    """A model and what it was trained on.

    Attributes:
        model: a hooked causal transformer.
        task: its facts.
    """

    model: Any
    task: CyclicFacts

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> Network:
        """A checkpoint's."""
        return cls(checkpoint.model, checkpoint.task)

    @property
    def layer(self) -> int:
        """Whose MLP is edited: the last."""
        return int(self.model.cfg.n_layers) - 1

    @cached_property
    def compositions(self) -> Int[Tensor, "three composition"]:
        """The held-out compositions: entities, first and second relations."""
        return self.task.facts.held_out_compositions.nonzero().T

    @cached_property
    def edited_order(self) -> Bool[Tensor, " relation"]:
        """Which relations are of the order whose facts are edited."""
        return orders_of(self.task.config) == 0

    def relation_token(self, relation: Tensor) -> Tensor:
        """Tokens of relations."""
        return relation + self.task.config.entities

    def fact_prompts(self) -> Int[Tensor, "fact two"]:
        """Every entity with every relation, relations fastest."""
        n, relations = self.task.facts.answer.shape
        entity, relation = torch.cartesian_prod(torch.arange(n), torch.arange(relations)).T
        return torch.stack([entity, self.relation_token(relation)], 1)

    def composed_orders(self) -> list[str]:
        """Of each held-out composition, which orders its relations are of."""
        _, first, second = self.compositions
        counts = self.edited_order[first].int() + self.edited_order[second].int()
        return [(RETAINED, BOTH, EDITED)[int(count)] for count in counts]


@dataclass(frozen=True)
class Answers:
    """What is answered to bare prompts.

    Attributes:
        right: whether each fact is, (entity, relation).
        probability: of the right answer, float64, (entity, relation).
        stream: the residual stream after the last block, at the relation, float64, (entity, relation, d_model).
        normalised: the same after the final LayerNorm.
        composed: whether each held-out composition is right, (composition,).
        composed_probability: of the right answer, float64, (composition,).
    """

    right: Bool[Tensor, "entity relation"]
    probability: Float[Tensor, "entity relation"]
    stream: Float[Tensor, "entity relation d_model"]
    normalised: Float[Tensor, "entity relation d_model"]
    composed: Bool[Tensor, " composition"]
    composed_probability: Float[Tensor, " composition"]

    def of_order(self, relations: Bool[Tensor, " relation"]) -> Answers:
        """The facts of some relations; compositions stay."""
        facts = {name: getattr(self, name)[:, relations] for name in ("right", "probability", "stream", "normalised")}
        return replace(self, **facts)


@torch.no_grad()
def answered(network: Network) -> Answers:
    """Ask a network, as it is now, for everything."""
    facts = network.task.facts
    shape = facts.answer.shape
    right, probability, stream, normalised = _asked(network, network.fact_prompts(), facts.answer.flatten())
    entity, first, second = network.compositions
    prompts = torch.stack([entity, *(network.relation_token(each) for each in (first, second))], 1)
    composed, composed_probability, *_ = _asked(network, prompts, facts.composed[entity, first, second])
    return Answers(
        right.view(shape),
        probability.view(shape),
        stream.view(*shape, -1),
        normalised.view(*shape, -1),
        composed,
        composed_probability,
    )


def _asked(network: Network, prompts: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Whether the answers are right, the probability that they are given, and the stream after the last token."""
    names = [f"blocks.{network.layer}.hook_resid_post", "ln_final.hook_normalized"]
    parts = []
    for tokens, right in zip(torch.split(prompts, CHUNK), torch.split(wanted, CHUNK), strict=True):
        logits, cache = network.model.run_with_cache(tokens, names_filter=names, return_cache_object=False)
        last = logits[:, -1].double()
        probability = last.softmax(-1).gather(1, right[:, None])[:, 0]
        parts.append((last.argmax(-1) == right, probability, *(cache[name][:, -1].double() for name in names)))
    first, second, third, fourth = zip(*parts, strict=True)
    return torch.cat(first), torch.cat(second), torch.cat(third), torch.cat(fourth)
