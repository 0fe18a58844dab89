"""Which heads carry the one number a matrix: its slope on the best symmetric answer without each, and put into −X."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mcinterp.analysis.intraclass import intraclass_correlation
from mcinterp.analysis.statistics import Floats, interval_columns, ratio_estimate
from mcinterp.model import Head, HeadSet
from mcinterp.model.head_sweep import HeadChange, HeadSweep, Part
from mcinterp.runs import Checkpoint
from mcinterp.studies.matrix_completion.passes.shelf_answers import Shown, of_others
from mcinterp.studies.matrix_completion.task.batch import double

PATCH = "patch"
METHODS = ("uniform", "zero", "mean", PATCH)
HEAD_COLUMNS = {
    "step": "checkpoint",
    "group": "all heads, none, those of a layer, or one",
    "heads": "which these are, layer and head from 0",
    "method": "uniform: their attention made equal; zero, mean: their z, the output before W_O, 0 or its mean over "
    "matrices; patch: their z of X put into the run on −X",
    "n": "matrices",
    "seed": "seed of the batch",
    **interval_columns(
        "share",
        "share of the answers' slope on the best symmetric answer that goes with them: 1 − slope without them over "
        "slope; of a patch the slope it moves over the distance from −X to X",
    ),
    **interval_columns(
        "other_share", "control: the same with the slope on the best symmetric answer to other matrices"
    ),
    **interval_columns("between", "share of the changed answers' variance between matrices"),
}
Key = tuple[str, str]
_CLEAN, _BASE = ("clean", ""), ("base", "")


def head_rows(checkpoint: Checkpoint, shown: Shown, about: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    """Rows of `heads` of a checkpoint."""
    shape = checkpoint.model.model_config
    sets = list(head_sets(shape.n_layers, shape.n_heads))
    sums = _Sums.of(checkpoint, shown, sets)
    for method, heads in product(METHODS, sets):
        own, (first, second) = sums.products[method, heads.name], sums.moments[method, heads.name].T
        start, end = (sums.products[key] for key in ((_BASE, _CLEAN) if method == PATCH else (_CLEAN, _CLEAN)))
        moved, way = (own - start, end - start) if method == PATCH else (start - own, start)
        yield {
            "step": about["step"],
            "group": heads.name,
            "heads": str(heads),
            "method": method,
            "n": about["n"],
            "seed": about["seed"],
            **ratio_estimate(moved[:, 0], way[:, 0]).columns("share"),
            **ratio_estimate(moved[:, 1], way[:, 0]).columns("other_share"),
            **intraclass_correlation(first, second, shown.counts).columns("between"),
        }


def head_sets(n_layers: int, n_heads: int) -> Iterator[HeadSet]:
    """All heads, none, each layer, each head."""
    names = ["all", "none", *(f"layer:{layer}" for layer in range(n_layers))]
    names += [str(Head(*pair)) for pair in product(range(n_layers), range(n_heads))]
    return (HeadSet.parse(name, n_layers, n_heads) for name in names)


@dataclass(frozen=True)
class _Sums:
    """Sums over each matrix's masked entries, by method and set of heads.

    Attributes:
        products: of the answers times the best symmetric answer, to the matrix and to another, (n, 2).
        moments: of the answers and their squares, (n, 2).
    """

    products: Mapping[Key, Floats]
    moments: Mapping[Key, Floats]

    @classmethod
    def of(cls, checkpoint: Checkpoint, shown: Shown, sets: Sequence[HeadSet]) -> _Sums:
        """Run the model on X and on −X, under every change."""
        best, sweep = shown.best_answers, HeadSweep(checkpoint.model)
        inputs, mean = shown.batch.inputs, sweep.mean_z(shown.batch.inputs)
        negated = checkpoint.task.counterpart(shown.batch).inputs
        parts: dict[Key, list[Floats]] = defaultdict(list)
        for part, other in zip(sweep.parts(inputs), sweep.parts(negated), strict=True):
            for key, answers in _changed(sweep, part, other, mean, sets):
                parts[key].append(double(answers))
        weights = shown.masked * best, shown.masked * of_others(best)
        whole = {key: np.concatenate(own) for key, own in parts.items()}
        return cls(
            {key: np.stack([(own * weight).sum(1) for weight in weights], 1) for key, own in whole.items()},
            {key: np.stack([(own**power * shown.masked).sum(1) for power in (1, 2)], 1) for key, own in whole.items()},
        )


def _changed(
    sweep: HeadSweep, part: Part, other: Part, mean: Sequence[Tensor], sets: Sequence[HeadSet]
) -> Iterator[tuple[Key, Tensor]]:
    """The answers to X and −X as they are, and under every method on every set."""
    yield _CLEAN, part.run.answers
    yield _BASE, other.run.answers
    z = {"uniform": None, "zero": [torch.zeros_like(own[:1, :1]) for own in part.run.z], "mean": mean}
    changes = {(method, heads.name): HeadChange(heads, z[method]) for method, heads in product(z, sets)}
    yield from sweep.answers(part.run, changes)
    yield from sweep.answers(other.run, {(PATCH, heads.name): HeadChange(heads, part.run.z) for heads in sets})
