"""Which known algorithm a model answers like, by step and by context, and which mixture of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mcinterp.analysis.judged import Judged
from mcinterp.analysis.passes.oracle_mixtures import MIXTURE_COLUMNS, WEIGHT_COLUMNS, mixtures
from mcinterp.analysis.registry import check_offered
from mcinterp.analysis.statistics import Floats, interval_columns, pooled_estimate
from mcinterp.errors import InputError, UnansweredError
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint, Run

CHUNK = 64
"""Samples of one forward pass."""


def columns(task: Any) -> dict[str, dict[str, str]]:
    """Columns of the tables `distances` and `nearest`, for a task."""
    about = {
        "step": "checkpoint",
        "context": "which places are averaged over, by what has been seen there",
        "n": f"{task.sample_names[1]} that have such a place, the same at every step",
        "seed": "seed of the batch",
    }
    return {
        "distances": {
            **{name: about[name] for name in ("step", "context")},
            "oracle": "the algorithm",
            "null": "whether it looks at nothing but the last token, so that nothing is learned in context",
            **{name: about[name] for name in ("n", "seed")},
            **interval_columns("distance", f"{task.divergence_words}, mean over places"),
            **interval_columns("behind", "distance minus that of the nearest algorithm, paired"),
            **interval_columns("control", f"control: distance to what it answers to another {task.sample_names[0]}"),
            "untrained": "control: distance of an untrained model with another seed",
        },
        "nearest": {
            **{name: about[name] for name in ("step", "context")},
            "nearest": "the algorithm with the least distance",
            "null": "whether it is one that looks at nothing but the last token",
            "second": "the next one",
            **{name: about[name] for name in ("n", "seed")},
            **interval_columns("margin", "distance of the second minus that of the nearest, paired"),
            "verdict": "nearest where the margin's interval is above 0, else not told apart",
        },
    }


def oracle_distances(run: Run, steps: Sequence[int] | None = None, samples: int = 256, seed: int = 0) -> Result:
    """How far a model's answers are from those of known algorithms, on the same samples at every checkpoint.

    Two controls should be far from the model: the algorithms' answers to another sample, and an untrained model. Where
    the nearest algorithm is one that looks at nothing but the last token (`null`), or is not told apart from one, the
    others explain nothing.

    Args:
        run: whose checkpoints.
        steps: which, at least one; None for all.
        samples: at least 4, of which each half is given the mixture's weights that fit the other.
        seed: of the batch and of the untrained control (seed + 1).

    Returns:
        tables `distances` (by step, context and algorithm), `nearest`, `mixtures` (how much a mixture of them leaves)
        and `weights`. The decomposition follows arXiv 2412.01003; halves, nulls and controls are this package's.

    Raises:
        InputError: with too few samples, or if the task knows no algorithms.
        UnansweredError: where no place counts.
    """
    if samples < 4:
        raise InputError(f"oracle_distances: samples must be at least 4 (two halves of 2), got {samples}")
    check_offered("oracles", run.config)
    steps = run.steps if steps is None else sorted(steps)
    last = run.checkpoint(steps[-1])
    bench = Bench.of(last.task, last.sample(samples, seed))
    untrained = Checkpoint.untrained(run.config, seed + 1, run.device)
    answers = {step: bench.points(run.checkpoint(step)) for step in steps}
    return compared(bench, answers, bench.points(untrained), seed)


def compared(bench: Bench, answers: Mapping[int, Tensor], untrained: Tensor, seed: int) -> Result:
    """The result for any answers.

    Args:
        bench: the batch they are to.
        answers: step → points, (n, place, k).
        untrained: points that no algorithm should be near to.
        seed: of the batch, for the tables.
    """
    null = bench.distances(untrained)
    about = {"seed": seed}
    distances = [row for step, points in answers.items() for row in bench.rows(step, points, null, about)]
    found = mixtures(bench, answers, untrained, about)
    declared, task = columns(bench.task), bench.task
    return Result(
        "oracles",
        "Which algorithm does it answer like?",
        {"steps": list(answers), "samples": bench.n, "seed": seed},
        {
            "oracles": {name: kind.meaning for name, kind in task.oracle_kinds.items()},
            "nulls": [name for name, kind in task.oracle_kinds.items() if kind.null],
            "contexts": list(bench.contexts),
            "divergence": task.divergence_words,
            "sample_names": list(task.sample_names),
        },
        {
            "distances": Table.of(declared["distances"], distances),
            "nearest": Table.of(declared["nearest"], [row for step in answers for row in _nearest(distances, step)]),
            "mixtures": Table.of(MIXTURE_COLUMNS, found.rows),
            "weights": Table.of(WEIGHT_COLUMNS, found.weights),
        },
    )


@dataclass(frozen=True)
class Bench:
    """One batch with what the algorithms answer, as every checkpoint meets it.

    Attributes:
        oracles: by name, points (n, place, k).
        others: the same, each sample's for another one.
        contexts: by name, 0 or 1, (n, place), the main one first.
    """

    task: Any
    batch: Any
    oracles: Mapping[str, Tensor]
    others: Mapping[str, Tensor]
    contexts: Mapping[str, Floats]

    @classmethod
    def of(cls, task: Any, batch: Any) -> Bench:
        """Ask every algorithm.

        Raises:
            UnansweredError: where no place counts.
        """
        oracles = {name: points.double().cpu() for name, points in task.oracles(batch).items()}
        contexts = {name: np.asarray(where.double().cpu().numpy()) for name, where in task.contexts(batch).items()}
        contexts = {name: where for name, where in contexts.items() if where.any()}
        if not contexts:
            raise UnansweredError(f"oracle_distances: no place of {len(batch)} {task.sample_names[1]} counts")
        others = {name: points.roll(len(batch) // 2, 0) for name, points in oracles.items()}
        return cls(task, batch, oracles, others, contexts)

    @property
    def n(self) -> int:
        """Samples."""
        return len(self.batch)

    @property
    def main(self) -> Floats:
        """The places of the context that is looked at first."""
        return next(iter(self.contexts.values()))

    @torch.no_grad()
    def points(self, checkpoint: Checkpoint) -> Tensor:
        """A checkpoint's answers."""
        parts = [checkpoint.model.complete(inputs) for inputs in torch.split(self.batch.inputs, CHUNK)]
        return self.task.answer_points(torch.cat(parts), self.batch).double().cpu()

    def apart(self, wanted: Tensor, given: Tensor) -> Floats:
        """The divergence at each place, (n, place); 0 where no context looks."""
        looked = sum(self.contexts.values()) > 0
        return np.where(looked, self.task.divergence(wanted, given).numpy(), 0.0)

    def distances(self, points: Tensor) -> dict[str, Floats]:
        """By algorithm, at each place."""
        return {name: self.apart(wanted, points) for name, wanted in self.oracles.items()}

    def rows(
        self, step: int, points: Tensor, untrained: Mapping[str, Floats], about: Mapping[str, int]
    ) -> Iterator[dict[str, Any]]:
        """Rows of `distances` at a step."""
        own, other = self.distances(points), {name: self.apart(each, points) for name, each in self.others.items()}
        for context, where in self.contexts.items():
            counts = where.sum(1)
            sums = {name: (distance * where).sum(1) for name, distance in own.items()}
            best = min(sums, key=lambda name: float(sums[name].sum()))
            for name, kind in self.task.oracle_kinds.items():
                yield {
                    "step": step,
                    "context": context,
                    "oracle": name,
                    "null": kind.null,
                    "n": int((counts > 0).sum()),
                    **about,
                    **pooled_estimate(sums[name], counts).columns("distance"),
                    **pooled_estimate(sums[name] - sums[best], counts).columns("behind"),
                    **pooled_estimate((other[name] * where).sum(1), counts).columns("control"),
                    "untrained": float((untrained[name] * where).sum() / counts.sum()),
                }


def _nearest(distances: Sequence[Mapping[str, Any]], step: int) -> Iterator[dict[str, Any]]:
    """Rows of `nearest` at a step: the algorithm that no other is before, and the one behind it."""
    rows = [row for row in distances if row["step"] == step]
    for context in dict.fromkeys(row["context"] for row in rows):
        first, second, *_ = sorted((row for row in rows if row["context"] == context), key=lambda row: row["distance"])
        margin = {end: second[f"behind{end}"] for end in ("", "_low", "_high")}
        yield {
            **{name: first[name] for name in ("step", "context")},
            "nearest": first["oracle"],
            "null": first["null"],
            "second": second["oracle"],
            **{name: first[name] for name in ("n", "seed")},
            **{f"margin{end}": value for end, value in margin.items()},
            "verdict": Judged.of(second, "behind").say("nearest", "not told apart", "not told apart"),
        }
