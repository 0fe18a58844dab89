"""What networks write when they are asked for free strings, to unscramble, and for given parts; and their reach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from mcinterp.analysis.statistics import Estimate, Floats, pooled_estimate, share_estimate
from mcinterp.model.fused import training_forward
from mcinterp.model.generation import generate
from mcinterp.runs import Checkpoint
from mcinterp.studies.percolation.crossings import MISSING
from mcinterp.studies.percolation.drawing import END, PAD
from mcinterp.studies.percolation.parsed import Parsed, padded, parsed
from mcinterp.studies.percolation.task import CONDITIONAL, FREE, UNSCRAMBLE, TypedLanguage

GRAMMAR, TYPES, RELATIONS, UNSCRAMBLED, CONDITIONED = "grammar", "types", "relations", "unscrambled", "conditioned"
MEASURES = {
    GRAMMAR: "free strings that are grammatical",
    TYPES: "descriptors of grammatical free strings that are of their subject's class",
    RELATIONS: "relations of grammatical free strings that fit all their subjects and objects",
    UNSCRAMBLED: "strings to unscramble that are grammatical and have the tokens that were given",
    CONDITIONED: "conditional strings that are grammatical, right in types, and have the parts that were given",
}
FEWEST = 16
"""Of fewer descriptors or relations no share is told: what is nearly never grammatical has none."""


@dataclass(frozen=True)
class Written:
    """What a checkpoint writes.

    Attributes:
        free, unscrambled, conditioned: strings of each task.
        given: operands of the two, each (n, place).
        reach: of every entity.
    """

    free: Parsed
    unscrambled: Parsed
    conditioned: Parsed
    given: Mapping[str, Tensor]
    reach: Floats

    @cached_property
    def counted(self) -> dict[str, tuple[Floats, Floats]]:
        """Of every measure how many are right in each string, and of how many, (n,)."""
        free, some = self.free, np.ones(len(self.free.accepted))
        whole = self.unscrambled.accepted & _same(self.unscrambled.tokens, self.given[UNSCRAMBLED])
        has = _contain(self.conditioned.tokens, self.given[CONDITIONED])
        kept = self.conditioned.accepted & self.conditioned.typed & has
        return {
            GRAMMAR: (_floats(free.accepted), some),
            TYPES: (_floats(free.right_descriptors * free.accepted), _floats(free.descriptors * free.accepted)),
            RELATIONS: (_floats(free.right_relations * free.accepted), _floats(free.relations * free.accepted)),
            UNSCRAMBLED: (_floats(whole), some),
            CONDITIONED: (_floats(kept), some),
        }

    def share(self, measure: str, part: slice = slice(None)) -> float:
        """Of some of the strings; NaN where there are fewer than `FEWEST` things to count."""
        right, of = (each[part] for each in self.counted[measure])
        return float(right.sum() / of.sum()) if of.sum() >= FEWEST else float("nan")

    def estimate(self, measure: str) -> Estimate:
        """With its interval: exact where strings are right or not, over strings where they have several parts."""
        right, of = self.counted[measure]
        if measure in (TYPES, RELATIONS):
            return pooled_estimate(right, of) if of.sum() >= FEWEST else MISSING
        return share_estimate(int(right.sum()), len(right))


def _floats(there: Tensor) -> Floats:
    return np.asarray(there.double().numpy())


def _same(tokens: Tensor, given: Tensor) -> Tensor:
    """Whether strings have just the tokens that were given, (n,)."""
    written = torch.where(tokens == END, PAD, tokens)[:, : given.shape[1]]
    return (written.sort(1).values == given.sort(1).values).all(1)


def _contain(tokens: Tensor, given: Tensor) -> Tensor:
    """Whether strings have all that was given, (n,)."""
    return ((tokens[:, None] == given[:, :, None]).any(2) | (given == PAD)).all(1)


class Exam:
    """Prompts of every task, the same for all checkpoints of a network.

    Args:
        task: what is asked.
        n: strings of each task.
        seed: of the prompts, and of what is drawn after free ones.
    """

    def __init__(self, task: TypedLanguage, n: int, seed: int) -> None:
        self.task, self.n, self.seed = task, n, seed
        generator = torch.Generator().manual_seed(seed)
        asked = {each: task.asked(torch.full((n,), each), generator) for each in (FREE, UNSCRAMBLE, CONDITIONAL)}
        self.prompts = {each: list(batch.inputs[:, : task.begin + 1]) for each, batch in asked.items()}
        self.given = {
            name: asked[each].inputs[:, 1 : task.begin]
            for name, each in ((UNSCRAMBLED, UNSCRAMBLE), (CONDITIONED, CONDITIONAL))
        }

    def of(self, checkpoint: Checkpoint) -> Written:
        """What a checkpoint writes: free strings at temperature 1, the others most probable token by token."""
        free, unscrambled, conditioned = (self._written(checkpoint, each) for each in (FREE, UNSCRAMBLE, CONDITIONAL))
        return Written(free, unscrambled, conditioned, self.given, reach_of(checkpoint))

    def _written(self, checkpoint: Checkpoint, which: int) -> Parsed:
        generator = torch.Generator().manual_seed(self.seed + 1)
        most, temperature = self.task.config.length + 1, 1.0 if which == FREE else 0.0
        texts = generate(checkpoint.model, self.prompts[which], most, temperature, END, generator)
        return parsed(self.task, padded(texts, most))


@torch.no_grad()
def reach_of(checkpoint: Checkpoint) -> Floats:
    """Reach of every entity, asked for a descriptor, (entity,)."""
    task: TypedLanguage = checkpoint.task
    answers = training_forward(checkpoint.model)(task.queries())[:, -1].double()
    return np.asarray(task.reach(task.of_descriptors(answers), torch.arange(len(task.pairs))).numpy())
