"""Two checkpoints side by side: errors, answers, and heads paired by what they attend to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mcinterp.analysis.agreement import correlation
from mcinterp.analysis.errors_by_entry import ENTRIES, EntryErrors
from mcinterp.analysis.head_comparison import compare_heads, untrained_like
from mcinterp.analysis.sections import matrix_task, transformer
from mcinterp.analysis.statistics import Estimate, Floats, interval_columns, pooled_estimate
from mcinterp.analysis.taxonomy import head_taxonomy
from mcinterp.config import RunConfig, check_same_kind
from mcinterp.errors import InputError
from mcinterp.model.blocks import Blocks
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint
from mcinterp.task import MatrixBatch

SAME_INPUTS = ("kind", "rows", "cols", "sizes", "v_min", "v_max", "decimals", "tokens")
"""Fields of the task that two models must share to be given the same inputs."""
ERROR_COLUMNS = {
    "entries": "masked (L_mask), observed (L_obs) or total",
    "n": "matrices",
    "seed": "seed of the matrices",
    **interval_columns("a_mse", "A's mean squared error"),
    **interval_columns("b_mse", "B's"),
    **interval_columns("difference", "b_mse − a_mse, paired over matrices; empty where the two see different ones"),
    "a_zero": "mean squared error of answering 0 on A's matrices",
    "b_zero": "the same on B's; the two are the same matrices, unless their tasks have different inputs",
}
ANSWER_COLUMNS = {
    "entries": "masked, observed or total",
    "n": "matrices",
    "seed": "seed of the matrices",
    **interval_columns("correlation", "Pearson's correlation of the two models' answers to the same entries"),
    **interval_columns("other_matrices", "control: the same with B's answers to another matrix of the batch"),
    **interval_columns("untrained", "control: the same with an untrained model of B's shape"),
    **interval_columns("error_correlation", "Pearson's correlation of the two models' errors, answer − truth"),
    **interval_columns("mean_abs_difference", "mean |B's answer − A's|"),
}
CLASS_COLUMNS = {
    "kind": "family or group",
    "class": "class of the head taxonomy, or none of its kind",
    "a_heads": "A's heads of this class; a count, without an interval",
    "b_heads": "B's",
    "a_share": "of A's heads",
    "b_share": "of B's",
    "n": "matrices a mask that a head's class was decided with",
    "seed": "seed of these matrices",
}
FIELD_COLUMNS = {"field": "of the configuration, where the two differ", "a": "A's value", "b": "B's value"}
TAXONOMY_SAMPLES = 128


def compare_checkpoints(
    a: Checkpoint, b: Checkpoint, samples: int = 256, seed: int = 0, labels: tuple[str, str] | None = None
) -> Result:
    """Put two checkpoints side by side, of one run or of two.

    Both are given the same matrices, drawn from A's task. Heads are paired whatever their index and layer: the
    assignment that is best on the first half of the matrices is scored on the second half, so that picking the best
    does not raise the scores (`mcinterp.analysis.head_matching`). Two models whose tasks have different inputs (sizes
    or vocabularies) are not given each other's: their errors, each on its own matrices, and how many heads are of each
    class are then all that is compared.

    Args:
        a: a checkpoint.
        b: another; its model may be of another shape.
        samples: matrices, at least 4.
        seed: of the matrices.
        labels: what the two are called; by default run@step.

    Returns:
        tables `errors`, `classes` (but for sequences), `fields` and, where both can be given the same inputs,
        `answers`, `matches` (a row a pair of heads), `controls` and `similarity` (all pairs); arrays `similarity`
        (head of A, head of B), `maps_a` and `maps_b` (head, query, key).

    Raises:
        InputError: for fewer samples, a task or a model that has no matrices or no heads, or tasks of two kinds.
    """
    if samples < 4:
        raise InputError(f"compare_checkpoints: samples must be at least 4, got {samples}")
    pair = _Pair(a, b, labels or _labels(a, b))
    taxonomies = [_taxonomy(checkpoint, samples, seed) for checkpoint in (a, b)]
    facts, arrays = pair.facts(), {}
    tables = {"errors": Table.of(ERROR_COLUMNS, pair.error_rows(samples, seed))}
    if pair.shared:
        tables["answers"] = Table.of(ANSWER_COLUMNS, pair.answer_rows(samples, seed))
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
            matrix_task(checkpoint.config)
            transformer(checkpoint.config)
        check_same_kind(dict(zip(self.labels, (self.a.config, self.b.config), strict=True)))

    @property
    def unlike(self) -> dict[str, tuple[Any, Any]]:
        """Fields of the task that keep one model from the other's inputs, with both values."""
        tasks = [checkpoint.config.task.model_dump(mode="json") for checkpoint in (self.a, self.b)]
        return {name: (tasks[0][name], tasks[1][name]) for name in SAME_INPUTS if tasks[0][name] != tasks[1][name]}

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
        """A row for each kind of entries."""
        batches = [self.a.sample(samples, seed)]
        batches.append(batches[0] if self.shared else self.b.sample(samples, seed))
        own, other = (_errors(model, batch) for model, batch in zip((self.a, self.b), batches, strict=True))
        zeros = [EntryErrors.of(batch.targets * 0, batch.targets, batch) for batch in batches]
        return [
            {
                "entries": entries,
                "n": samples,
                "seed": seed,
                **own.mse(entries).columns("a_mse"),
                **other.mse(entries).columns("b_mse"),
                **(other.minus(own, entries) if self.shared else _NOTHING).columns("difference"),
                "a_zero": float(zeros[0].mse(entries).value),
                "b_zero": float(zeros[1].mse(entries).value),
            }
            for entries in ENTRIES
        ]

    def answer_rows(self, samples: int, seed: int) -> list[dict[str, Any]]:
        """A row for each kind of entries."""
        batch = self.a.sample(samples, seed)
        a, b, fresh = (_answers(model, batch) for model in (self.a, self.b, untrained_like(self.b)))
        truth = batch.targets.double().cpu().numpy()
        masked, observed = (part.cpu().numpy().astype(np.float64) for part in (batch.masked, batch.observed))
        weights = {"masked": masked, "observed": observed, "total": masked + observed}
        return [
            {
                "entries": entries,
                "n": samples,
                "seed": seed,
                **_correlation(a, b, weights[entries]).columns("correlation"),
                **_correlation(a, np.roll(b, 1, 0), weights[entries]).columns("other_matrices"),
                **_correlation(a, fresh, weights[entries]).columns("untrained"),
                **_correlation(a - truth, b - truth, weights[entries]).columns("error_correlation"),
                **_mean(np.abs(b - a), weights[entries]).columns("mean_abs_difference"),
            }
            for entries in ENTRIES
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


def _answers(checkpoint: Checkpoint, batch: MatrixBatch) -> Floats:
    """(n, entries), float64."""
    return np.asarray(_output(checkpoint, batch).double().cpu().numpy())


def _errors(checkpoint: Checkpoint, batch: MatrixBatch) -> EntryErrors:
    return EntryErrors.of(_output(checkpoint, batch), batch.targets, batch)


@torch.no_grad()
def _output(checkpoint: Checkpoint, batch: MatrixBatch) -> Tensor:
    return Blocks(checkpoint.model).complete(batch.inputs)


def _correlation(x: Floats, y: Floats, weight: Floats) -> Estimate:
    """As `agreement.correlation`; NaN where there is nothing to correlate."""
    return correlation(x, y, weight) if weight.any() else _NOTHING


def _mean(values: Floats, weight: Floats) -> Estimate:
    return pooled_estimate((values * weight).sum(1), weight.sum(1))


def _taxonomy(checkpoint: Checkpoint, samples: int, seed: int) -> Result | None:
    """Classes of the heads, where they are defined."""
    if checkpoint.config.task.kind != "matrix-completion":
        return None
    return head_taxonomy(checkpoint, min(samples, TAXONOMY_SAMPLES), seed)


def _class_rows(a: Result, b: Result) -> list[dict[str, Any]]:
    """How many heads of each model are of each class."""
    heads, others = a.table("heads"), b.table("heads")
    names = {"family": [*a.facts["families"], "none"], "group": [*a.facts["groups"], "none"]}
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
