"""What was written, judged by the grammar and by types."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from mcinterp.studies.percolation.drawing import PAD
from mcinterp.studies.percolation.grammar import END, OBJECT, START, SUBJECT, transitions
from mcinterp.studies.percolation.task import TypedLanguage


@dataclass(frozen=True)
class Parsed:
    """Strings as a task's automaton reads them.

    Attributes:
        tokens: of strings, PAD after their end, (n, place).
        accepted: which are whole strings of the grammar, (n,).
        descriptors, right_descriptors: how many each has, and how many of them are of the class of the last subject
            before them, (n,).
        relations, right_relations: likewise; one is right whose subjects and objects are all of its classes.
    """

    tokens: Int[Tensor, "n place"]
    accepted: Bool[Tensor, " n"]
    descriptors: Int[Tensor, " n"]
    right_descriptors: Int[Tensor, " n"]
    relations: Int[Tensor, " n"]
    right_relations: Int[Tensor, " n"]

    @property
    def typed(self) -> Bool[Tensor, " n"]:
        """Which have no descriptor and no relation that is wrong."""
        return (self.descriptors == self.right_descriptors) & (self.relations == self.right_relations)


def parsed(task: TypedLanguage, tokens: Int[Tensor, "n place"]) -> Parsed:
    """Read strings.

    Args:
        task: whose language it is.
        tokens: what was written after OUT, END included; PAD after it.
    """
    words, halves = task.vocabulary, task.config.classes // 2
    category, of_class = words.category[tokens], words.of_class[tokens]
    states = _states(category)
    accepted = (states == END).any(1)
    subjects, objects = states == SUBJECT, (states == OBJECT)
    is_descriptor, is_relation = tokens >= words.descriptor, (tokens >= words.relation) & (tokens < words.entity)
    right = is_descriptor & (of_class == _last(of_class, subjects))
    fits = torch.ones_like(is_relation)
    for entities, shift in ((subjects, 0), (objects, halves)):
        # Of each relation at its place: no entity of the string is of another class.
        other = entities[:, None] & (of_class[:, None] != of_class[:, :, None] + shift)
        fits &= ~other.any(2)
    fits &= is_relation
    counts = (each.sum(1) for each in (is_descriptor, right, is_relation, fits))
    return Parsed(tokens, accepted, *counts)


def _states(category: Int[Tensor, "n place"]) -> Int[Tensor, "n place"]:
    """The automaton's state after each token."""
    table, state, states = transitions(), torch.full_like(category[:, 0], START), []
    for column in category.T:
        state = table[state, column]
        states.append(state)
    return torch.stack(states, 1)


def _last(of_class: Int[Tensor, "n place"], subjects: Bool[Tensor, "n place"]) -> Int[Tensor, "n place"]:
    """The class of the last subject up to each place; −1 before the first."""
    places = torch.arange(of_class.shape[1]).expand_as(of_class)
    at = torch.where(subjects, places, -1).cummax(1).values
    return torch.where(at < 0, -1, of_class.gather(1, at.clamp_min(0)))


def padded(written: list[Tensor], length: int) -> Int[Tensor, "n place"]:
    """Texts of up to `length` tokens side by side."""
    rows = torch.full((len(written), length), PAD)
    for row, text in zip(rows, written, strict=True):
        row[: len(text)] = text
    return rows
