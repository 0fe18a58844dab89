"""Cyclic facts: walks that tell facts and compositions, of which only the answers are scored."""

from __future__ import annotations

from string import ascii_lowercase

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mcinterp.errors import InputError
from mcinterp.studies.knowledge_editing.config import LONGEST_MOVE, CyclicFactsConfig
from mcinterp.studies.knowledge_editing.facts import Facts, orders_of, steps_of
from mcinterp.task.next_token import NextToken, TokenBatch


class CyclicFacts(NextToken):
    """Walk from entity to entity: `x r y`, and where two relations are composed, `x r r′ z`.

    The walk begins anywhere. A move is a composition with probability `composed`, else a fact, uniform among those of
    the entity that are not held out. Relations cannot be foreseen: loss and scores are over entities after relations.

    Attributes:
        facts: the orders, facts and compositions, drawn once.
        moves: P(move) from each entity, float64, (entity, move); first the facts, by relation, then the compositions,
            by both relations.
        spelled: the tokens of each move, (entity, move, 3); of a fact the third is −1.
    """

    same_inputs = (
        *("kind", "entities", "orders", "reach", "held_out_facts", "held_out_compositions"),
        *("composed", "compositions", "answers", "length"),
    )

    def __init__(self, config: CyclicFactsConfig) -> None:
        super().__init__(config.d_vocab, config.n_positions)
        self.config, self.facts = config, Facts.of(config)
        self.moves = _move_law(config, self.facts)
        self.spelled = _spelled(config, self.facts)
        self._cumulative = self.moves.cumsum(1)

    def draw(self, n: int, generator: torch.Generator) -> TokenBatch:
        """Draw `n` walks."""
        n_moves = self.n_positions // 2 + 1
        tokens = torch.zeros(n, 1 + LONGEST_MOVE * n_moves, dtype=torch.int64)
        answers, each = torch.zeros(tokens.shape), torch.arange(n)
        entity = torch.randint(self.config.entities, (n,), generator=generator)
        chance = torch.rand(n_moves, n, generator=generator, dtype=torch.float64)
        tokens[:, 0], end = entity, torch.zeros(n, dtype=torch.int64)
        for luck in chance:
            move = torch.searchsorted(
                self._cumulative[entity], luck[:, None] * self._cumulative[entity, -1:], right=True
            )
            spelled = self.spelled[entity, move[:, 0]]
            for at in range(LONGEST_MOVE):
                tokens[each, end + 1 + at] = spelled[:, at]
            end = end + (spelled >= 0).sum(1)
            answers[each, end] = 1.0
            entity = tokens[each, end]
        shown = self.n_positions + 1
        return TokenBatch.of(tokens[:, :shown], answers[:, 1:shown])

    def traced(self, batch: TokenBatch) -> tuple[Int[Tensor, " n"], Int[Tensor, " n"]]:
        """The last answer to a single relation, or of any where there is none; and its position."""
        single = batch.weights.clone()
        single[:, 1:] *= (batch.inputs[:, :-1] < self.config.entities).to(single)
        weights = torch.where(single.any(1, keepdim=True), single, batch.weights)
        return super().traced(TokenBatch(batch.inputs, batch.targets, weights))

    def content_tokens(self) -> Int[Tensor, " entity"]:
        """The entities."""
        return torch.arange(self.config.entities)

    def token_labels(self) -> list[str]:
        """Entities by number; relations by order and steps, such as `a+1`."""
        order, steps = orders_of(self.config), steps_of(self.config).repeat(self.config.orders)
        relations = [f"{_letter(int(c))}{int(k):+d}" for c, k in zip(order, steps, strict=True)]
        return [*map(str, range(self.config.entities)), *relations]


def _letter(order: int) -> str:
    return ascii_lowercase[order] if order < len(ascii_lowercase) else f"order{order}"


def _move_law(config: CyclicFactsConfig, facts: Facts) -> Float[Tensor, "entity move"]:
    shown, compositions = (~facts.held_out).double(), facts.shown_compositions.flatten(1).double()
    if not shown.any(1).all():
        raise InputError(
            "cyclic-facts: an entity has all its facts held out, so that no walk could go on; hold out fewer"
        )
    each = [
        share * kind / kind.sum(1, keepdim=True).clamp_min(1)
        for share, kind in ((1 - config.composed, shown), (config.composed, compositions))
    ]
    law = torch.cat(each, 1)
    return law / law.sum(1, keepdim=True)


def _spelled(config: CyclicFactsConfig, facts: Facts) -> Int[Tensor, "entity move three"]:
    n, relations = facts.answer.shape
    relation = config.entities + torch.arange(relations)
    single = torch.stack([relation.expand(n, -1), facts.answer, torch.full((n, relations), -1)], 2)
    first, second = (each.flatten().expand(n, -1) for each in torch.meshgrid(relation, relation, indexing="ij"))
    return torch.cat([single, torch.stack([first, second, facts.composed.flatten(1)], 2)], 1)
