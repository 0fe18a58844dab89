"""The world that is told of: cyclic orders of entities, facts and compositions, and which of them are held out."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from mcinterp.studies.knowledge_editing.config import CyclicFactsConfig


@dataclass(frozen=True)
class Facts:
    """Facts (entity, relation) → entity, and compositions (entity, relation, relation) → entity.

    Attributes:
        around: the entity at each place of each order, int64, (order, place).
        place: the place of each entity in each order, (order, entity).
        answer: where each relation leads, (entity, relation).
        held_out: facts that are never shown, (entity, relation); their inverses are.
        shown_compositions: (entity, relation, relation).
        held_out_compositions: likewise; their facts are shown, and they are held out in both orders of the relations,
            because steps along one cycle commute.
    """

    around: Int[Tensor, "order place"]
    place: Int[Tensor, "order entity"]
    answer: Int[Tensor, "entity relation"]
    held_out: Bool[Tensor, "entity relation"]
    shown_compositions: Bool[Tensor, "entity relation relation"]
    held_out_compositions: Bool[Tensor, "entity relation relation"]

    @classmethod
    def of(cls, config: CyclicFactsConfig) -> Facts:
        """Draw them from the seed of the ground truth."""
        generator = torch.Generator().manual_seed(config.chain)
        n, orders = config.entities, config.orders
        around = torch.stack([torch.randperm(n, generator=generator) for _ in range(orders)])
        place = around.argsort(1)
        cyclic = torch.cat([around[c][(place[c][:, None] + steps_of(config)) % n] for c in range(orders)], 1)
        held_out = _held_out_facts(config, cyclic, generator)
        answer = cyclic
        if config.answers == "shuffled":
            answer = torch.stack([torch.randperm(n, generator=generator) for _ in range(config.relations)], 1)
        shown, held = _compositions(config, answer, held_out, generator)
        return cls(around, place, answer, held_out, shown, held)

    @property
    def composed(self) -> Int[Tensor, "entity relation relation"]:
        """Where one relation after the other leads."""
        return self.answer[self.answer]

    @property
    def source(self) -> Int[Tensor, "entity relation"]:
        """The entity from which each relation leads to an entity."""
        return self.answer.argsort(0)


def steps_of(config: CyclicFactsConfig) -> Int[Tensor, " relation"]:
    """By how many places each relation of an order leads on: 1 … reach, then −1 … −reach."""
    forwards = torch.arange(1, config.reach + 1)
    return torch.cat([forwards, -forwards])


def inverses(config: CyclicFactsConfig) -> Int[Tensor, " relation"]:
    """The relation that leads back, of each."""
    relation = torch.arange(config.relations)
    forwards = relation % (2 * config.reach) < config.reach
    return torch.where(forwards, relation + config.reach, relation - config.reach)


def orders_of(config: CyclicFactsConfig) -> Int[Tensor, " relation"]:
    """Which order each relation is of."""
    return torch.arange(config.relations) // (2 * config.reach)


def _held_out_facts(config: CyclicFactsConfig, cyclic: Tensor, generator: torch.Generator) -> Bool[Tensor, "n r"]:
    """As many of each order; of a fact and its inverse at most one."""
    held_out = torch.zeros_like(cyclic, dtype=torch.bool)
    back, order = inverses(config), orders_of(config)
    forwards = torch.arange(config.relations)[back > torch.arange(config.relations)]
    for own in (forwards[order[forwards] == c] for c in range(config.orders)):
        entity, relation = torch.cartesian_prod(torch.arange(config.entities), own).T
        n_held = round(config.held_out_facts * 2 * len(entity))
        chosen = torch.randperm(len(entity), generator=generator)[:n_held]
        inverse = torch.rand(n_held, generator=generator) < 0.5
        entity, relation = entity[chosen], relation[chosen]
        held_out[
            torch.where(inverse, cyclic[entity, relation], entity), torch.where(inverse, back[relation], relation)
        ] = True
    return held_out


def _compositions(
    config: CyclicFactsConfig, answer: Tensor, held_out: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Which are shown, and held out; those through a held-out fact, or back to their beginning, are neither."""
    n, relations = answer.shape
    through_shown = ~held_out[:, :, None] & ~held_out[answer]
    back, order = inverses(config), orders_of(config)
    asked = back[:, None] != torch.arange(relations)
    if config.compositions == "one order":
        asked &= order[:, None] == order
    chance = torch.rand(n, relations, relations, generator=generator).triu()
    either_way = chance + chance.transpose(1, 2).tril(-1)
    held = either_way < config.held_out_compositions
    allowed = through_shown & asked
    return allowed & ~held, allowed & held
