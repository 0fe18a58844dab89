"""Scores of a batch's answers, kept sample by sample so that comparisons can be paired."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from torch import Tensor

from mcinterp.analysis.statistics import Estimate, Floats, pooled_estimate


@dataclass(frozen=True)
class SampleScores:
    """Sums of each score over each sample, and what they are divided by.

    Attributes:
        sums: by name of the score, (n,).
        counts: likewise; 0 for a sample that has nothing of what the score is over.
    """

    sums: Mapping[str, Floats]
    counts: Mapping[str, Floats]

    @classmethod
    def told(cls, task: Any, answers: Tensor, batch: Any) -> Self:
        """What a task that offers `sample_scores` says of a model's answers to a batch."""
        scores = task.sample_scores(answers, batch)
        return cls({name: one[0] for name, one in scores.items()}, {name: one[1] for name, one in scores.items()})

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The scores of a batch from those of its parts, in order."""
        names = parts[0].sums
        return cls(
            {name: np.concatenate([part.sums[name] for part in parts]) for name in names},
            {name: np.concatenate([part.counts[name] for part in parts]) for name in names},
        )

    def each(self, name: str) -> Floats:
        """A score of every sample, (n,); NaN where there is nothing to score."""
        sums, counts = self.sums[name], self.counts[name]
        return np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)

    def mean(self, name: str) -> Estimate:
        """A score over all samples, pooled: Σ sums / Σ counts."""
        return pooled_estimate(self.sums[name], self.counts[name])

    def minus(self, other: SampleScores, name: str) -> Estimate:
        """This score minus `other`'s on the same batch, paired sample by sample."""
        return pooled_estimate(self.sums[name] - other.sums[name], self.counts[name])


def main_score(task: Any) -> str:
    """The score that a task's passes are about."""
    return next(iter(task.sample_score_kinds))


def parts_of(task: Any) -> list[str]:
    """The scores that are over parts of a sample, the main one first."""
    return [name for name, kind in task.sample_score_kinds.items() if not kind.whole]


def side_by_side(task: Any) -> list[str]:
    """All scores in the order of columns: parts, the main one last, then those over everything."""
    parts = parts_of(task)
    return [*reversed(parts), *(name for name in task.sample_score_kinds if name not in parts)]


def score_facts(task: Any) -> dict[str, Any]:
    """What a page has to know of the scores to show them, and to write of them."""
    kinds = task.sample_score_kinds
    return {
        "main_score": main_score(task),
        "score_parts": parts_of(task),
        "scores": {name: kind.meaning for name, kind in kinds.items()},
        "score_words": {name: kind.words or kind.meaning for name, kind in kinds.items()},
        "score_spelled": {name: kind.spelled for name, kind in kinds.items() if kind.spelled},
        "score_places": {name: kind.where for name, kind in kinds.items()},
        "score_absent": kinds[main_score(task)].absent,
        "score_unit": task.score_unit,
        "unit_words": list(task.unit_words),
        "zero_words": task.zero_words,
        "sample_names": list(task.sample_names),
    }
