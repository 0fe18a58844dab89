"""Two checkpoints side by side: errors, answers, and heads paired by what they attend to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mcinterp.analysis.compare.agreement import correlation
from mcinterp.analysis.compare.head_comparison import compare_heads, untrained_like
from mcinterp.analysis.passes.taxonomy import head_taxonomy
from mcinterp.analysis.registry import PASSES, missing, without
from mcinterp.analysis.sample_scores import SampleScores, score_facts
from mcinterp.analysis.sections import transformer
from mcinterp.analysis.statistics import Estimate, Floats, interval_columns, pooled_estimate
from mcinterp.config import RunConfig, check_same_kind
from mcinterp.errors import InputError
from mcinterp.model.blocks import Blocks
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint

ASKS = ("heads", "sample_scores", "comparable_answers", "position_labels")
"""What two checkpoints must offer to be put side by side."""
CLASS_COLUMNS = {
    "kind": "kind of class",
    "class": "class of the head taxonomy, or none of its kind",
    "a_heads": "A's heads of this class; a count, without an interval",
    "b_heads": "B's",
    "a_share": "of A's heads",
    "b_share": "of B's",
    "n": "samples of each family of inputs that a head's class was decided with",
    "seed": "seed of these samples",
}
FIELD_COLUMNS = {"field": "of the configuration, where the two differ", "a": "A's value", "b": "B's value"}
TAXONOMY_SAMPLES = 128


def error_columns(task: Any) -> dict[str, str]:
    """Columns of the table `errors`, for A's task."""
    unit, said, samples = task.score_unit, task.unit_words[1], task.sample_names[1]
    return {
        "entries": "; ".join(f"{name}: {kind.meaning}" for name, kind in task.sample_score_kinds.items()),
        "n": samples,
        "seed": f"seed of the {samples}",
        **interval_columns(f"a_{unit}", f"A's {said}"),
        **interval_columns(f"b_{unit}", "B's"),
        **interval_columns(
            "difference", f"b_{unit} − a_{unit}, paired over {samples}; empty where the two see different ones"
        ),
        "a_zero": f"{said} of answers that know nothing, on A's {samples}",
        "b_zero": "the same on B's; the two are the same, unless their tasks have different inputs",
    }


def answer_columns(task: Any) -> dict[str, str]:
    """Columns of the table `answers`, for A's task."""
    return {
        "entries": " or ".join(task.sample_score_kinds),
        "n": task.sample_names[1],
        "seed": f"seed of the {task.sample_names[1]}",
        **interval_columns("correlation", "Pearson's correlation of the two models' answers to the same questions"),
        **interval_columns("other_matrices", "control: the same with B's answers to another sample of the batch"),
        **interval_columns("untrained", "control: the same with an untrained model of B's shape"),
        **interval_columns("error_correlation", "Pearson's correlation of the two models' errors, answer − truth"),
        **interval_columns("mean_abs_difference", "mean |B's answer − A's|"),
    }


def compare_checkpoints(
    a: Checkpoint, b: Checkpoint, samples: int = 256, seed: int = 0, labels: tuple[str, str] | None = None
) -> Result:
    """Put two checkpoints side by side, of one run or of two.

    Both are given the same samples, drawn from A's task. Heads are paired whatever their index and layer: the
    assignment that is best on the first half of the samples is scored on the second half, so that picking the best
    does not raise the scores (`head_matching`). Two models whose tasks have different inputs (sizes or vocabularies)
    are not given each other's: their errors, each on its own samples, and how many heads are of each class are then all
    that is compared.

    Args:
        a: a checkpoint.
        b: another; its model may be of another shape.
        samples: at least 4.
        seed: of the samples.
        labels: what the two are called; by default run@step.

    Returns:
        tables `errors`, `classes` (where heads have classes), `fields` and, where both can be given the same inputs,
        `answers`, `matches` (a row a pair of heads), `controls` and `similarity` (all pairs); arrays `similarity`
        (head of A, head of B), `maps_a` and `maps_b` (head, query, key).

    Raises:
        InputError: for fewer samples, a run that does not offer what is compared, or tasks of two kinds.
    """
    if samples < 4:
        raise InputError(f"compare_checkpoints: samples must be at least 4, got {samples}")
    pair = _Pair(a, b, labels or _labels(a, b))
    taxonomies = [_taxonomy(checkpoint, samples, seed) for checkpoint in (a, b)]
    facts, arrays, task = pair.facts(), {}, a.task
    tables = {"errors": Table.of(error_columns(task), pair.error_rows(samples, seed))}
    if pair.shared:
        tables["answers"] = Table.of(answer_columns(task), pair.answer_rows(samples, seed))
        found = compare_heads(a, b, samples, seed, taxonomies)
        tables |= found.tables
        facts, arrays = {**facts, **found.facts}, found.arrays
    if taxonomies[0] and taxonomies[1]:
        tables["classes"] = Table.of(CLASS_COLUMNS, _class_rows(taxonomies[0], taxonomies[1]))
    tables["fields"] = Table.of(FIELD_COLUMNS, field_rows(a.config, b.config))
    return Result(
        "compared-checkpoints",
        f"{pair.labels[0]} and {pair.labels[1]}",
        {"samples": samples, "seed": seed},
        facts,
        tables,
        arrays,
    )


@dataclass(frozen=True)
class _Pair:
    """Two checkpoints with what they are called."""

    a: Checkpoint
    b: Checkpoint
    labels: tuple[str, str]

    def __post_init__(self) -> None:
        for checkpoint in (self.a, self.b):
            if why := without("comparing checkpoints", ASKS, checkpoint.config):
                raise InputError(why)
        check_same_kind(dict(zip(self.labels, (self.a.config, self.b.config), strict=True)))

    @property
    def unlike(self) -> dict[str, tuple[Any, Any]]:
        """Fields of the task that keep one model from the other's inputs, with both values."""
        tasks = [checkpoint.config.task.model_dump(mode="json") for checkpoint in (self.a, self.b)]
        return {
            name: (tasks[0][name], tasks[1][name])
            for name in self.a.task.same_inputs
            if tasks[0][name] != tasks[1][name]
        }

    @property
    def shared(self) -> bool:
        """Whether both can be given the same inputs."""
        return not self.unlike

    def facts(self) -> dict[str, Any]:
        """What is compared."""
        return {
            "a": self._about(self.a, self.labels[0]),
            "b": self._about(self.b, self.labels[1]),
            "shared": self.shared,
            "unlike": {name: list(values) for name, values in self.unlike.items()},
            "same_weights": self.a.digest == self.b.digest,
            "task": self.a.config.task.kind,
            **score_facts(self.a.task),
        }

    @staticmethod
    def _about(checkpoint: Checkpoint, label: str) -> dict[str, Any]:
        shape = transformer(checkpoint.config)
        return {
            "label": label,
            "run": checkpoint.run_name,
            "step": checkpoint.step,
            "digest": checkpoint.digest,
            "config_hash": checkpoint.config.hash,
            "seed": checkpoint.config.training.seed,
            "n_layers": shape.n_layers,
            "n_heads": shape.n_heads,
            "d_model": shape.d_model,
        }

    def error_rows(self, samples: int, seed: int) -> list[dict[str, Any]]:
        """A line for each score."""
        batches, unit = [self.a.sample(samples, seed)], self.a.task.score_unit
        batches.append(batches[0] if self.shared else self.b.sample(samples, seed))
        tasks = [checkpoint.task for checkpoint in (self.a, self.b)]
        own, other = (_scores(model, batch) for model, batch in zip((self.a, self.b), batches, strict=True))
        zeros = [
            SampleScores.told(task, task.zero_answers(batch), batch) for task, batch in zip(tasks, batches, strict=True)
        ]
        return [
            {
                "entries": name,
                "n": samples,
                "seed": seed,
                **own.mean(name).columns(f"a_{unit}"),
                **other.mean(name).columns(f"b_{unit}"),
                **(other.minus(own, name) if self.shared else _NOTHING).columns("difference"),
                "a_zero": float(zeros[0].mean(name).value),
                "b_zero": float(zeros[1].mean(name).value),
            }
            for name in self.a.task.sample_score_kinds
        ]

    def answer_rows(self, samples: int, seed: int) -> list[dict[str, Any]]:
        """A line for each score."""
        batch, task = self.a.sample(samples, seed), self.a.task
        given = (_output(model, batch) for model in (self.a, self.b, untrained_like(self.b)))
        own, other, fresh = (task.comparable_answers(answers, batch) for answers in given)
        a, b, truth = own.answers, other.answers, own.truth
        return [
            {
                "entries": name,
                "n": samples,
                "seed": seed,
                **_correlation(a, b, weight).columns("correlation"),
                **_correlation(a, np.roll(b, 1, 0), weight).columns("other_matrices"),
                **_correlation(a, fresh.answers, weight).columns("untrained"),
                **_correlation(a - truth, b - truth, weight).columns("error_correlation"),
                **_mean(np.abs(b - a), weight).columns("mean_abs_difference"),
            }
            for name, weight in own.weights.items()
        ]


_NOTHING = Estimate(*(np.asarray(np.nan) for _ in range(4)))


def field_rows(a: RunConfig, b: RunConfig) -> list[dict[str, str]]:
    """Where two configurations differ, a row a field."""
    values = {name: tuple(map(_written, both)) for name, both in a.unlike(b).items()}
    return [{"field": name, "a": here, "b": there} for name, (here, there) in values.items()]


def _written(value: Any) -> str:
    return "none" if value is None else str(value)


def _labels(a: Checkpoint, b: Checkpoint) -> tuple[str, str]:
    names = [f"{checkpoint.run_name}@{checkpoint.step}" for checkpoint in (a, b)]
    return (names[0], names[1]) if names[0] != names[1] else (f"{names[0]} (A)", f"{names[1]} (B)")


def _scores(checkpoint: Checkpoint, batch: Any) -> SampleScores:
    return SampleScores.told(checkpoint.task, _output(checkpoint, batch), batch)


@torch.no_grad()
def _output(checkpoint: Checkpoint, batch: Any) -> Tensor:
    return Blocks(checkpoint.model).complete(batch.inputs)


def _correlation(x: Floats, y: Floats, weight: Floats) -> Estimate:
    """As `agreement.correlation`; NaN where there is nothing to correlate."""
    return correlation(x, y, weight) if weight.any() else _NOTHING


def _mean(values: Floats, weight: Floats) -> Estimate:
    return pooled_estimate((values * weight).sum(1), weight.sum(1))


def _taxonomy(checkpoint: Checkpoint, samples: int, seed: int) -> Result | None:
    """Classes of the heads, where they are defined."""
    if missing(PASSES["taxonomy"].asks, checkpoint.config):
        return None
    return head_taxonomy(checkpoint, min(samples, TAXONOMY_SAMPLES), seed)


def _class_rows(a: Result, b: Result) -> list[dict[str, Any]]:
    """How many heads of each model are of each class."""
    heads, others = a.table("heads"), b.table("heads")
    names = {kind: [*classes, "none"] for kind, classes in a.facts["kinds"].items()}
    return [
        {
            "kind": kind,
            "class": name,
            "a_heads": int((heads[kind] == name).sum()),
            "b_heads": int((others[kind] == name).sum()),
            "a_share": float((heads[kind] == name).mean()),
            "b_share": float((others[kind] == name).mean()),
            "n": int(heads["n"].iloc[0]),
            "seed": int(heads["seed"].iloc[0]),
        }
        for kind, classes in names.items()
        for name in classes
    ]
