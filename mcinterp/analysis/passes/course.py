"""How a run goes, checkpoint by checkpoint: its errors, what attention is worth, and which known answers it gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mcinterp.analysis.registry import check_offered
from mcinterp.analysis.sample_scores import SampleScores, main_score, score_facts, side_by_side
from mcinterp.analysis.statistics import interval_columns, pooled_estimate, ratio_estimate
from mcinterp.errors import InputError
from mcinterp.model import HeadSet
from mcinterp.model.head_sweep import HeadChange, HeadSweep
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint, Run
from mcinterp.task.offers import WithKnownAnswers


def columns(task: Any) -> dict[str, dict[str, str]]:
    """Columns of the tables `scores`, `uniform` and `known`, for a task."""
    about = {"n": f"{task.sample_names[1]}, the same at every step", "seed": "seed of the batch"}
    main = task.sample_score_kinds[main_score(task)].meaning
    return {
        "scores": {
            "step": "checkpoint",
            "score": "which score of the task",
            **about,
            **interval_columns("value", "the score"),
            "zero": f"control: the same of {task.zero_words}",
            **interval_columns("gained", "zero minus value, paired: above 0 where the model is better than that"),
            **interval_columns("of_zero", "value over zero"),
        },
        "uniform": {
            "step": "checkpoint",
            **about,
            **interval_columns("clean", main),
            **interval_columns("uniform", "the same with the attention of all heads made uniform"),
            **interval_columns("change", "uniform minus clean, paired"),
            **interval_columns("ratio", "uniform over clean"),
        },
        "known": {
            "step": "checkpoint",
            "answers": "a known way to answer",
            **about,
            **interval_columns("distance", f"{main}, with these answers in the place of the right ones"),
            **interval_columns("behind", "distance minus that of the nearest, paired"),
            **interval_columns(
                "control", f"control: distance of the model's answers to another {task.sample_names[0]}"
            ),
            "untrained": "control: distance of an untrained model with another seed",
        },
    }


def run_course(run: Run, steps: Sequence[int] | None = None, samples: int = 256, seed: int = 0) -> Result:
    """Follow a run from checkpoint to checkpoint with a few cheap measurements, on the same samples at each.

    Args:
        run: whose checkpoints.
        steps: which, at least one; None for all.
        samples: at least 2.
        seed: of the batch and of the untrained control (seed + 1).

    Returns:
        tables `scores` (every score, beside that of answers that know nothing), `uniform` (the main score without the
        choice that attention makes) and, where the task knows ways to answer, `known` (how far the answers are from
        each).

    Raises:
        InputError: with too few samples, or if the task has no scores sample by sample or the model no heads.
    """
    if samples < 2:
        raise InputError(f"run_course: samples must be at least 2, got {samples}")
    check_offered("course", run.config)
    steps = run.steps if steps is None else sorted(steps)
    last = run.checkpoint(steps[-1])
    bench = _Bench.of(last, last.sample(samples, seed), seed)
    untrained = bench.answers(Checkpoint.untrained(run.config, seed + 1, run.device))[0] if bench.known else None
    found = {step: bench.answers(run.checkpoint(step)) for step in steps}
    declared = columns(last.task)
    rows = {
        "scores": [row for step, (clean, _) in found.items() for row in bench.scores(step, clean)],
        "uniform": [bench.uniform(step, *both) for step, both in found.items()],
    }
    if untrained is not None:
        rows["known"] = [row for step, (clean, _) in found.items() for row in bench.distances(step, clean, untrained)]
    return Result(
        "course",
        "The course of the training",
        {"steps": steps, "samples": samples, "seed": seed},
        {"known": bench.meanings, **score_facts(last.task)},
        {name: Table.of(declared[name], own) for name, own in rows.items()},
    )


@dataclass(frozen=True)
class _Bench:
    """One batch, as every checkpoint meets it.

    Attributes:
        zero: the scores of answers that know nothing.
        known: the batch with what each known way answers as its targets, by name; none where the task knows none.
        meanings: what each does.
    """

    task: Any
    batch: Any
    seed: int
    zero: SampleScores
    known: Mapping[str, Any]
    meanings: Mapping[str, str]

    @classmethod
    def of(cls, checkpoint: Checkpoint, batch: Any, seed: int) -> _Bench:
        task = checkpoint.task
        zero = SampleScores.told(task, task.zero_answers(batch), batch)
        if not isinstance(task, WithKnownAnswers):
            return cls(task, batch, seed, zero, {}, {})
        return cls(task, batch, seed, zero, task.known_answers(batch), dict(task.known_answer_kinds))

    @property
    def about(self) -> dict[str, int]:
        return {"n": len(self.batch), "seed": self.seed}

    def answers(self, checkpoint: Checkpoint) -> tuple[Tensor, Tensor]:
        """A checkpoint's answers, and those with the attention of all heads made uniform."""
        shape, sweep = checkpoint.model.cfg, HeadSweep(checkpoint.model)
        everything = HeadChange(HeadSet.parse("all", shape.n_layers, shape.n_heads), None)
        clean, uniform = [], []
        for part in sweep.parts(self.batch.inputs):
            clean.append(part.run.answers)
            uniform += [answers for _, answers in sweep.answers(part.run, {"uniform": everything})]
        return torch.cat(clean), torch.cat(uniform)

    def scores(self, step: int, answers: Tensor) -> Iterator[dict[str, Any]]:
        """Rows of `scores` at a step."""
        own = SampleScores.told(self.task, answers, self.batch)
        for name in side_by_side(self.task):
            yield {
                "step": step,
                "score": name,
                **self.about,
                **own.mean(name).columns("value"),
                "zero": float(self.zero.mean(name).value),
                **self.zero.minus(own, name).columns("gained"),
                **ratio_estimate(own.sums[name], self.zero.sums[name]).columns("of_zero"),
            }

    def uniform(self, step: int, clean: Tensor, uniform: Tensor) -> dict[str, Any]:
        """The row of `uniform` at a step."""
        main = main_score(self.task)
        before, after = (SampleScores.told(self.task, answers, self.batch) for answers in (clean, uniform))
        return {
            "step": step,
            **self.about,
            **before.mean(main).columns("clean"),
            **after.mean(main).columns("uniform"),
            **after.minus(before, main).columns("change"),
            **ratio_estimate(after.sums[main], before.sums[main]).columns("ratio"),
        }

    def distances(self, step: int, answers: Tensor, untrained: Tensor) -> Iterator[dict[str, Any]]:
        """Rows of `known` at a step."""
        main = main_score(self.task)
        apart = {name: SampleScores.told(self.task, answers, batch) for name, batch in self.known.items()}
        nearest = min(apart.values(), key=lambda scores: float(scores.mean(main).value))
        # Samples are independent, so the neighbour in the batch is another random one.
        moved = torch.roll(answers, 1, 0)
        for name, scores in apart.items():
            other = self.task.sample_scores(moved, self.known[name])[main]
            far = SampleScores.told(self.task, untrained, self.known[name])
            yield {
                "step": step,
                "answers": name,
                **self.about,
                **scores.mean(main).columns("distance"),
                **scores.minus(nearest, main).columns("behind"),
                **pooled_estimate(*other).columns("control"),
                "untrained": float(far.mean(main).value),
            }
