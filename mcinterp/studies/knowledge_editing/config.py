"""What is asked: the entity that a relation leads to, on cyclic orders of all entities."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from mcinterp.config.base import TaskSection

LONGEST_MOVE = 3
"""Tokens of a composition: two relations and the answer."""


class CyclicFactsConfig(TaskSection):
    """Walks from entity to entity along the relations of several random cyclic orders (arXiv 2410.17194).

    The orders, and which facts and compositions are held out, are drawn once.
    """

    draws_chain: ClassVar[bool] = True

    kind: Literal["cyclic-facts"] = Field("cyclic-facts", description="Which task the model is asked.")
    entities: int = Field(48, ge=8, description="Entities, all of which are in every order.")
    orders: int = Field(2, ge=2, description="Random cyclic orders; facts of the first are edited.")
    reach: int = Field(4, ge=1, description="Relations lead 1 to so many steps forwards or backwards.")
    held_out_facts: float = Field(
        0.1, ge=0.0, lt=0.5, description="Share of each order's facts that is never shown, while their inverses are."
    )
    held_out_compositions: float = Field(
        0.1, ge=0.0, lt=1.0, description="Share of the compositions of shown facts that is never shown."
    )
    composed: float = Field(0.35, ge=0.0, lt=1.0, description="Probability that a move is by two relations at once.")
    compositions: Literal["all", "one order"] = Field(
        "all", description="Whether the relations of a composition may be of two orders."
    )
    answers: Literal["cyclic", "shuffled"] = Field(
        "cyclic", description="'shuffled' gives each relation a random permutation of all entities: facts alone."
    )
    length: int = Field(16, ge=4, description="Length of every input.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if 2 * self.reach >= self.entities:
            raise ValueError(f"reach {self.reach} must be less than half of the {self.entities} entities")
        return self

    def sample_bytes(self) -> int:
        """Bytes of tokens, targets and weights."""
        return 20 * self.length

    @property
    def relations(self) -> int:
        """Relations of all orders."""
        return 2 * self.reach * self.orders

    @property
    def d_vocab(self) -> int:
        """Entities, then relations."""
        return self.entities + self.relations

    @property
    def n_positions(self) -> int:
        """Length of every input."""
        return self.length
