"""The same few inputs at every step: what the model is told, what is right, and what it answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcinterp.analysis.passes.head_examples import COLUMNS as HEAD_COLUMNS
from mcinterp.analysis.passes.head_examples import head_examples
from mcinterp.analysis.passes.shown_samples import ANSWER, PLACE, answer_rows, input_rows
from mcinterp.analysis.registry import check_offered, missing
from mcinterp.analysis.sample_scores import SampleScores
from mcinterp.analysis.statistics import Floats
from mcinterp.errors import InputError, UnansweredError
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint, Run

CHOSEN = {
    "typical": "the error is the median (the lower one of two)",
    "best": "the smallest error",
    "worst": "the largest error",
    "structured": "the median error among structured inputs",
}
"""Every example by name, and how it is chosen: by the answers at the last step."""
_EXAMPLE = {"example": ", ".join(CHOSEN)}
COLUMNS = {
    "chosen": {
        **_EXAMPLE,
        "how": "how it was chosen among the n inputs, by the answers at the last step",
        "inputs": "which inputs it was chosen among",
        "sample": "its place in their batch, from 0",
        "n": "inputs of that batch which are scored",
        "seed": "of that batch",
        "score": "its score at the last step (see the fact `score`)",
    },
    "inputs": {**_EXAMPLE, **PLACE},
    "answers": {"step": "checkpoint", **_EXAMPLE, **ANSWER},
    "scores": {"step": "checkpoint", **_EXAMPLE, "score": "of this input alone (see the fact `score`)"},
}
"""Columns of every table, by its name."""


def examples(run: Run, steps: Sequence[int] | None = None, samples: int = 64, seed: int = 0) -> Result:
    """Follow a typical, the best, the worst and a structured input through all checkpoints.

    They are chosen once, by the answers at the last step, so that the inputs are the same at every step: of `samples`
    inputs that the task draws the one with the median, the smallest and the largest error, and of as many structured
    ones, where the task has such, the one with the median error. Among equals it is the first. One that would be shown
    twice is shown once.

    Where the model has attention heads, the inputs on which each matters most at the last step are told too.

    Args:
        run: whose checkpoints.
        steps: which, at least one; None for all.
        samples: at least 2.
        seed: of the batches.

    Returns:
        tables `chosen`, `inputs` and, by step, `answers` and `scores`; for heads `heads`, `head_inputs` and
        `head_answers`.

    Raises:
        UnansweredError: if nothing is scored in any input.
    """
    if samples < 2:
        raise InputError(f"examples: samples must be at least 2, got {samples}")
    check_offered("examples", run.config)
    steps = run.steps if steps is None else sorted(steps)
    last = run.checkpoint(steps[-1])
    drawn = _Drawn.of(last, samples, seed)
    chosen = _distinct([*_ranked(drawn), *_structured(last, samples, seed, drawn.score)])
    tables = {
        "chosen": [each.row(seed) for each in chosen],
        "inputs": [{"example": each.name, **row} for each in chosen for row in input_rows(last.task, each.batch)],
        "answers": [],
        "scores": [],
    }
    for step in steps:
        for each, answers in _answered(run.checkpoint(step), chosen):
            score = SampleScores.told(last.task, answers, each.batch)
            tables["scores"].append({"step": step, "example": each.name, "score": score.each(drawn.score)[0]})
            rows = answer_rows(last.task, answers, each.batch)
            tables["answers"] += [{"step": step, "example": each.name, **row} for row in rows]
    declared = dict(COLUMNS)
    if not missing(("heads",), run.config):
        tables |= head_examples(last, drawn.batch, seed, drawn.score)
        declared |= HEAD_COLUMNS
    return Result(
        "examples",
        "What it answers",
        {"steps": steps, "samples": samples, "seed": seed},
        _facts(last.task, drawn.score, steps[-1]),
        {name: Table.of(columns, tables[name]) for name, columns in declared.items()},
    )


def _facts(task: Any, score: str, chosen_at: int) -> dict[str, Any]:
    """What a page has to know to draw the examples."""
    form, kind = task.shown_form(), task.sample_score_kinds[score]
    return {
        "chosen_at": chosen_at,
        "score": kind.meaning,
        "score_words": kind.words or kind.meaning,
        "score_spelled": kind.spelled,
        "sample_names": list(task.sample_names),
        "shape": list(form.shape),
        "hidden": form.hidden,
        "error": form.error_words,
        "tokens": None if form.tokens is None else list(form.tokens),
    }


@dataclass(frozen=True)
class _Drawn:
    """A batch, and how well each of its inputs is answered.

    Attributes:
        score: what is told, the task's first that has a value in any input.
        values: of each input, (n,); NaN for one that has none.
    """

    batch: Any
    score: str
    values: Floats

    @classmethod
    def of(cls, checkpoint: Checkpoint, samples: int, seed: int, score: str = "", **choice: Any) -> _Drawn:
        """Draw and judge; by the score that is named, or the first that has a value."""
        task, batch = checkpoint.task, checkpoint.sample(samples, seed, **choice)
        scores = SampleScores.told(task, checkpoint.model.complete(batch.inputs), batch)
        told = [score] if score else list(task.sample_score_kinds)
        named = next((name for name in told if np.isfinite(scores.each(name)).any()), "")
        if not named:
            raise UnansweredError(f"examples: nothing is scored in any of {samples} {task.sample_names[1]}")
        return cls(batch, named, scores.each(named))


@dataclass(frozen=True)
class _Chosen:
    """One input, as a batch of one."""

    name: str
    inputs: str
    sample: int
    n: int
    score: float
    batch: Any

    @classmethod
    def of(cls, name: str, inputs: str, drawn: _Drawn, sample: int) -> _Chosen:
        n, score = int(np.isfinite(drawn.values).sum()), float(drawn.values[sample])
        return cls(name, inputs, sample, n, score, drawn.batch.part(slice(sample, sample + 1)))

    def row(self, seed: int) -> dict[str, Any]:
        """Of the table `chosen`."""
        told = {"inputs": self.inputs, "sample": self.sample, "n": self.n, "seed": seed, "score": self.score}
        return {"example": self.name, "how": CHOSEN[self.name], **told}


def _ranked(drawn: _Drawn) -> list[_Chosen]:
    """The inputs with the median, the smallest and the largest error."""
    values = drawn.values
    places = {"typical": _median(values), "best": int(np.nanargmin(values)), "worst": int(np.nanargmax(values))}
    return [_Chosen.of(name, "as in training", drawn, place) for name, place in places.items()]


def _structured(checkpoint: Checkpoint, samples: int, seed: int, score: str) -> list[_Chosen]:
    """The median one of the first family of structured inputs; none where the task has no such or scores none of it."""
    task = checkpoint.task
    families = list(task.inputs_for_attention())[1:2] if hasattr(task, "inputs_for_attention") else []
    try:
        drawn = [_Drawn.of(checkpoint, samples, seed, score, **task.attention_choice(each)) for each in families]
    except UnansweredError:
        return []
    return [_Chosen.of("structured", name, one, _median(one.values)) for name, one in zip(families, drawn, strict=True)]


def _distinct(chosen: Iterable[_Chosen]) -> list[_Chosen]:
    """Without inputs that are there already."""
    return list({(each.inputs, each.sample): each for each in reversed(list(chosen))}.values())[::-1]


def _answered(checkpoint: Checkpoint, chosen: Sequence[_Chosen]) -> list[tuple[_Chosen, Any]]:
    return [(each, checkpoint.model.complete(each.batch.inputs)) for each in chosen]


def _median(values: Floats) -> int:
    """Where the median is, the lower one of two; NaN is left out."""
    order = np.argsort(values, kind="stable")
    return int(order[(int(np.isfinite(values).sum()) - 1) // 2])
