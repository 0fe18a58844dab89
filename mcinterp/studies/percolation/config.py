"""The typed language: how many classes, entities and descriptors there are, and which of their pairs are said."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, field_validator

from mcinterp.config.base import TaskSection

TASKS = ("FREE", "UNSCRAMBLE", "CONDITIONAL")
"""Signs that begin a sample and say what is asked."""
SIGNS = (*TASKS, "OUT", "END", "PAD")
DESCRIBING, RELATING, JOINING = ("is", "has"), ("on", "in", "to"), ("and", "or")
WORDS = (*DESCRIBING, *RELATING, *JOINING)
PAIR = 3
"""Symbols of a string that says a single pair: an entity, `is`, a descriptor."""


class LanguageConfig(TaskSection):
    """Strings of a formal language whose entities have types (arXiv 2408.12578).

    Entities and descriptors lie in classes; every entity is said to have some of the descriptors, always the same,
    which are drawn once. A sample is `task operands OUT string END`.
    """

    draws_chain: ClassVar[bool] = True

    kind: Literal["typed-language"] = Field("typed-language", description="Which task the model is asked.")
    language: Literal["full", "pairs"] = Field(
        "full",
        description="'full' has all of the grammar and three tasks; 'pairs' only strings `entity is descriptor`, so "
        "that nothing but its pairs tells the class of a descriptor.",
    )
    graph: Literal["typed", "class-free"] = Field(
        "typed",
        description="Whose descriptors an entity has: its own class's, or those of all classes alike, a control.",
    )
    classes: int = Field(
        4,
        ge=2,
        description="Classes, an even number; subjects of relations are of the first half, objects of the other.",
    )
    entities: int = Field(15, ge=1, description="Entities of a class.")
    descriptors: int = Field(40, ge=1, description="K: descriptors of a class.")
    relations: int = Field(5, ge=1, description="Relations of each pair of a subjects' class and its objects' class.")
    share: float = Field(
        0.3,
        gt=0.0,
        le=1.0,
        description="Share of its class's descriptors that an entity is said to have, rounded to one at least.",
    )
    longest: int = Field(7, ge=3, le=16, description="Symbols of the longest string, in the full language.")

    @field_validator("classes")
    @classmethod
    def _in_pairs(cls, classes: int) -> int:
        if classes % 2:
            raise ValueError(f"classes come in pairs of subjects and objects: an even number is needed, got {classes}")
        return classes

    @property
    def degree(self) -> int:
        """Descriptors that an entity is said to have."""
        return max(1, round(self.share * self.descriptors))

    @property
    def length(self) -> int:
        """Symbols of the longest string."""
        return self.longest if self.language == "full" else PAIR

    @property
    def operands(self) -> int:
        """Places of operands, between the task and OUT."""
        return self.longest if self.language == "full" else 0

    @property
    def d_vocab(self) -> int:
        """Signs, words, relations, entities and descriptors."""
        content = self.classes * (self.entities + self.descriptors) + self.classes // 2 * self.relations
        return len(SIGNS) + len(WORDS) + content

    @property
    def n_positions(self) -> int:
        """Tokens of an input: task, operands, OUT and the string; END is only predicted."""
        return self.operands + 2 + self.length

    def sample_bytes(self) -> int:
        """Bytes of tokens, targets and weights."""
        return 20 * self.n_positions
