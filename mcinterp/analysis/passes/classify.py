"""The head taxonomy of attention patterns that are made up: what would a head be called that looks there?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from mcinterp.analysis.passes.head_patterns import Measured, Patterns
from mcinterp.analysis.passes.taxonomy import position_groups, taxonomy_result
from mcinterp.errors import InputError
from mcinterp.results import Result
from mcinterp.task.batch import Batch
from mcinterp.task.inside import Classified, HeadClasses

PatternFunction = Callable[[Any], ArrayLike]
"""From what a task shows of a sample, an array, to a pattern (query, key)."""
TOLERANCE = 1e-4
"""How far the attention of a query may be from 1 in total."""


def classify_patterns(heads: Mapping[str, PatternFunction], task: Any, samples: int = 64, seed: int = 0) -> Result:
    """Sort heads that are given as functions into the classes of a task, as `head_taxonomy` does those of a model.

    Args:
        heads: name → function. It takes what the task shows of a sample, the tokens (pos,) of next-token tasks, of
            others what `task.head_classes().shown_words` says, and gives the attention pattern (query, key): not
            negative, each query's attention 1 in total. It is called once a sample and condition, so it may be random.
        task: one whose heads have classes, such as `make_task(load_preset("tiny").task)`.
        samples: of each condition, at least 2.
        seed: of the samples.

    Returns:
        The result of `head_taxonomy`, with the names in the column `head`. There is no untrained model to compare with:
        the threshold is `THRESHOLD`, and the columns of that control are empty.

    Raises:
        InputError: if the task has no classes of heads, there is no head, or a function gives what is no pattern.
    """
    if not isinstance(task, Classified):
        raise InputError(f"classify_patterns: a task with head_classes is needed, got {type(task).__name__}")
    if not heads:
        raise InputError("classify_patterns: at least one head is needed, name → function, got none")
    if samples < 2:
        raise InputError(f"classify_patterns: samples must be at least 2, got {samples}")
    classes, groups = task.head_classes(), position_groups(task)
    patterns = _patterns_of(heads, classes, _batches(task, classes, samples, seed))
    return taxonomy_result(
        list(heads),
        task,
        classes,
        Measured.of(patterns, classes, groups),
        uniform=Measured.of(Patterns.of_uniform_head(patterns.inputs, classes.causal), classes, groups),
        untrained=None,
        settings={"samples": samples, "seed": seed},
    )


def _batches(task: Any, classes: HeadClasses, samples: int, seed: int) -> list[Batch]:
    """The same samples under each condition, as far as the task can."""
    chosen = classes.conditions.values()
    return [task.examples(samples, torch.Generator().manual_seed(seed), **choice) for choice in chosen]


def _patterns_of(heads: Mapping[str, PatternFunction], classes: HeadClasses, batches: Sequence[Batch]) -> Patterns:
    """Every head as a layer of its own, so that the patterns of one are there at a time."""
    shown = {name: classes.shown(batch) for name, batch in zip(classes.conditions, batches, strict=True)}
    n, n_pos = batches[0].inputs.shape
    layout = _Layout(n_pos, classes.causal, classes.shown_words)

    def layers(part: slice) -> Iterator[list[Tensor]]:
        for head, function in heads.items():
            yield [
                torch.stack([layout.pattern(head, function, sample, where) for sample in samples])[:, None]
                for where, samples in shown.items()
            ]

    return Patterns([batch.inputs for batch in batches], layers, [slice(0, n)])


@dataclass(frozen=True)
class _Layout:
    """What a pattern has to look like.

    Attributes:
        n_pos: positions.
        causal: whether queries see no later keys.
        shown_words: what a function is given.
    """

    n_pos: int
    causal: bool
    shown_words: str

    def pattern(self, head: str, function: PatternFunction, shown: Any, where: str) -> Tensor:
        """What a function gives for one sample, (query, key), checked."""
        given = np.asarray(function(shown.copy()))
        if problem := self._problem(given):
            raise InputError(
                f"classify_patterns: the function of {head!r:.80} must give a pattern (query, key) of {self.n_pos} × "
                f"{self.n_pos} for {self.shown_words}; under {where} it gave {problem}"
            )
        return torch.from_numpy(given.astype(np.float32))

    def _problem(self, given: NDArray[Any]) -> str:
        """What is wrong with it; empty where nothing is."""
        if given.shape != (self.n_pos, self.n_pos):
            return f"an array of shape {given.shape}"
        if given.dtype.kind not in "biuf":
            return f"an array of {given.dtype}"
        if not np.isfinite(given).all():
            return "attention that is not finite"
        if (given < 0).any():
            return f"attention of {given.min():.4g}, which is negative"
        if self.causal and np.triu(given, 1).any():
            return "attention to later positions, which these models do not see"
        totals = given.sum(1, dtype=np.float64)
        worst = int(np.abs(totals - 1).argmax())
        if abs(totals[worst] - 1) > TOLERANCE:
            return f"a query ({worst}) whose attention is {totals[worst]:.4g} in total, not 1"
        return ""
