"""When heads take up what the taxonomy calls them: their scores by step, beside the loss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import torch

from mcinterp.analysis.passes.class_labels import AMBIGUOUS, NONE, Scored, head_row, scored
from mcinterp.analysis.passes.head_patterns import Measured, Patterns
from mcinterp.analysis.passes.onset import LEAD_COLUMNS, Curve, lead_rows, plateau_step
from mcinterp.analysis.passes.taxonomy import class_members, head_taxonomy, kind_facts
from mcinterp.analysis.registry import check_offered
from mcinterp.analysis.sample_scores import SampleScores, main_score, score_facts
from mcinterp.analysis.sections import transformer
from mcinterp.analysis.statistics import Estimate, interval_columns, mean_estimate
from mcinterp.errors import InputError
from mcinterp.model import Head
from mcinterp.model.blocks import Blocks
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint, Run
from mcinterp.task.inside import HeadClasses

SCORE_COLUMNS = {
    "step": "checkpoint",
    "kind": "kind of class",
    "class": "the class",
    "head": "layer and head, from 0",
    "member": "whether the taxonomy of the last of these checkpoints, on other samples, puts the head in the class",
    "followed": "whether it is the best of its class there, whose onset is in the table `lead`",
    "n": "samples a family of inputs, the same at every step",
    "seed": "seed of the batches",
    **interval_columns("score", "0 for uniform attention, 1 for a perfect member"),
    "threshold": "what the taxonomy asks the interval to lie above: no head of an untrained model does",
}

CLASS_COLUMNS = {
    "step": "checkpoint",
    "kind": "kind of class",
    "class": f"what heads are called, as the taxonomy calls them: one of the classes, {AMBIGUOUS} or {NONE}",
    "count": "how many are called so",
    "share": "of all heads",
    "heads": "which",
    "n": "samples a family of inputs, the same at every step",
    "seed": "seed of the batches",
}


def loss_columns(task: Any) -> dict[str, str]:
    """Columns of the table `loss`, for a task."""
    return {
        "step": "checkpoint",
        "n": task.sample_names[1],
        "seed": "seed of the batch",
        **interval_columns("loss", task.sample_score_kinds[main_score(task)].meaning),
    }


def head_formation(run: Run, steps: Sequence[int] | None = None, samples: int = 64, seed: int = 0) -> Result:
    """Follow every head's score of every class over training, on the same samples at every checkpoint.

    Which heads have a class is decided at the last checkpoint on other samples (seed + 1), so that the scores that are
    followed were not chosen for being high.

    Args:
        run: whose checkpoints.
        steps: which, at least one; None for all.
        samples: of each family of inputs, at least 2.
        seed: of the batches, and + 1 of the samples that decide and of the untrained control.

    Returns:
        tables `scores` (by step, class and head), `classes` (what the heads are called at each step), `loss` (on a
        batch of its own, the same at every step) and `lead`: when the best head of each class that has one moves, and
        whether that is before the loss does.

    Raises:
        InputError: with too few samples, or if the task has no classes of heads.
    """
    if samples < 2:
        raise InputError(f"head_formation: samples must be at least 2, got {samples}")
    check_offered("formation", run.config)
    steps = run.steps if steps is None else sorted(steps)
    last = run.checkpoint(steps[-1])
    taxonomy = head_taxonomy(last, samples, seed + 1)
    members = class_members(taxonomy)
    best = {name: _best(taxonomy, name, heads) for name, heads in members.items() if heads}
    bench = _Bench.of(last, samples, seed)
    found = {step: bench.scores(run.checkpoint(step)) for step in steps}
    losses = {step: bench.loss(run.checkpoint(step)) for step in steps}
    start, about = plateau_step(run, steps), {"n": samples, "seed": seed}
    return Result(
        "formation",
        "When heads take their classes",
        {"steps": steps, "samples": samples, "seed": seed},
        {"plateau_step": start, **kind_facts(bench.classes), **score_facts(last.task)},
        {
            "scores": Table.of(
                SCORE_COLUMNS, [row for step in steps for row in bench.rows(step, found[step], members, best)]
            ),
            "classes": Table.of(CLASS_COLUMNS, [row for step in steps for row in bench.classes_of(step, found[step])]),
            "loss": Table.of(
                loss_columns(last.task),
                [{"step": step, **about, **loss.columns("loss")} for step, loss in losses.items()],
            ),
            "lead": Table.of(
                LEAD_COLUMNS, lead_rows(steps, start, _curve(list(losses.values())), bench.followed(found, best))
            ),
        },
    )


@dataclass(frozen=True)
class _Bench:
    """What every checkpoint is measured on, and controls.

    Attributes:
        heads: every head, layer by layer.
        uniform, untrained: a head that attends uniformly, and an untrained model's.
        batch: of the task's own samples.
    """

    heads: Sequence[Head]
    classes: HeadClasses
    uniform: Measured
    untrained: Measured
    batch: Any
    samples: int
    seed: int

    @classmethod
    def of(cls, checkpoint: Checkpoint, samples: int, seed: int) -> _Bench:
        """On samples of a checkpoint's task."""
        classes, config = checkpoint.task.head_classes(), checkpoint.config
        shape = transformer(config)
        heads = [Head(*pair) for pair in product(range(shape.n_layers), range(shape.n_heads))]
        fresh = Checkpoint.untrained(config, seed + 1, checkpoint.device)
        patterns = Patterns.of_checkpoint(fresh, classes, samples, seed)
        equal = Patterns.of_uniform_head(patterns.inputs, shape.causal)
        uniform, untrained = (Measured.of(each, classes, {}) for each in (equal, patterns))
        return cls(heads, classes, uniform, untrained, checkpoint.sample(samples, seed), samples, seed)

    def scores(self, checkpoint: Checkpoint) -> list[Scored]:
        """Every class's scores of all heads."""
        patterns = Patterns.of_checkpoint(checkpoint, self.classes, self.samples, self.seed)
        return scored(self.classes, Measured.of(patterns, self.classes, {}), self.uniform, self.untrained)

    @torch.no_grad()
    def loss(self, checkpoint: Checkpoint) -> Estimate:
        """The main score."""
        answers = Blocks(checkpoint.model).complete(self.batch.inputs)
        return SampleScores.told(checkpoint.task, answers, self.batch).mean(main_score(checkpoint.task))

    def rows(
        self, step: int, found: Sequence[Scored], members: Mapping[str, Sequence[Head]], best: Mapping[str, Head]
    ) -> Iterator[dict[str, Any]]:
        """The rows of a checkpoint, class by class."""
        for one in found:
            for index, head in enumerate(self.heads):
                yield {
                    "step": step,
                    "kind": one.kind,
                    "class": one.name,
                    "head": str(head),
                    "member": head in members[one.name],
                    "followed": best.get(one.name) == head,
                    "n": self.samples,
                    "seed": self.seed,
                    **one.estimate.columns("score", index),
                    "threshold": one.threshold,
                }

    def classes_of(self, step: int, found: Sequence[Scored]) -> Iterator[dict[str, Any]]:
        """How many heads of a checkpoint are called what, kind by kind."""
        labels = {str(head): head_row(index, str(head), found, {}) for index, head in enumerate(self.heads)}
        for kind in dict.fromkeys(one.kind for one in found):
            for name in (*(one.name for one in found if one.kind == kind), AMBIGUOUS, NONE):
                called = [head for head, row in labels.items() if row[kind] == name]
                yield {
                    "step": step,
                    "kind": kind,
                    "class": name,
                    "count": len(called),
                    "share": len(called) / len(labels),
                    "heads": ", ".join(called) or NONE,
                    "n": self.samples,
                    "seed": self.seed,
                }

    def followed(self, found: Mapping[int, Sequence[Scored]], best: Mapping[str, Head]) -> dict[str, Curve]:
        """The scores by step of the best head of each class that has one."""
        curves = {}
        for name, head in best.items():
            by_step = [next(one for one in classes if one.name == name).samples for classes in found.values()]
            at = self.heads.index(head)
            curves[f"{name} ({head})"] = _curve([mean_estimate(scores[:, at]) for scores in by_step])
        return curves


def _best(taxonomy: Result, name: str, heads: Sequence[Head]) -> Head:
    """The member of a class with the highest score."""
    scores = taxonomy.table("scores").query("`class` == @name").set_index("head")["score"]
    return max(heads, key=lambda head: float(scores[str(head)]))


def _curve(estimates: Sequence[Estimate]) -> Curve:
    return Curve(*(np.array([float(getattr(one, part)) for one in estimates]) for part in ("value", "low", "high")))
