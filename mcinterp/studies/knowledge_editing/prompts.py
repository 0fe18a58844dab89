"""Prompts that end in a fact's question: alone, and after walks that lead to its entity."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mcinterp.model.rank_one import EditedPrompt
from mcinterp.studies.knowledge_editing.answers import Network

LENGTHS = (1, 2, 3, 4)
"""Facts of the walks that come before a question."""


def question(network: Network, entity: int, relation: int) -> Int[Tensor, " two"]:
    """The entity and the relation."""
    return torch.tensor([entity, network.task.config.entities + relation])


def walk_to(network: Network, entity: int, without: int, facts: int, generator: torch.Generator) -> list[int]:
    """Tokens of a walk of shown facts that ends before an entity, without the fact that is asked there.

    Args:
        network: whose facts.
        entity: that the walk leads to.
        without: the relation that the entity is asked for after it, whose fact the walk does not tell.
        facts: how many.
        generator: of its choices.
    """
    known, now, tokens = network.task.facts, entity, list[int]()
    told = ~known.held_out
    told[entity, without] = False
    for _ in range(facts):
        before = known.source[now]
        leads = told[before, torch.arange(len(before))].double()
        relation = int(torch.multinomial(leads, 1, generator=generator))
        now = int(before[relation])
        tokens = [now, network.task.config.entities + relation, *tokens]
    return tokens


def in_contexts(
    network: Network, entity: int, relation: int, each: int, generator: torch.Generator
) -> list[Int[Tensor, " pos"]]:
    """A fact's question after walks, so many of each of `LENGTHS` that fits."""
    asked = question(network, entity, relation)
    fitting = [length for length in LENGTHS if 2 * length + 2 <= network.task.n_positions]
    walks = [walk_to(network, entity, relation, length, generator) for length in fitting for _ in range(each)]
    return [torch.cat([torch.tensor(walk), asked]) for walk in walks]


def as_edited(prompts: list[Int[Tensor, " pos"]]) -> list[EditedPrompt]:
    """Prompts whose last token, the relation, is where an edit acts."""
    return [EditedPrompt(tokens, len(tokens) - 1) for tokens in prompts]


@torch.no_grad()
def answers_after(network: Network, prompts: list[Int[Tensor, " pos"]]) -> Float[Tensor, "prompt d_vocab"]:
    """Probabilities of what comes after each prompt, float64."""
    padded = torch.nn.utils.rnn.pad_sequence(prompts, batch_first=True)
    last = torch.tensor([len(tokens) - 1 for tokens in prompts])
    logits = network.model(padded, return_type="logits")
    return logits[torch.arange(len(prompts)), last].double().softmax(-1)
