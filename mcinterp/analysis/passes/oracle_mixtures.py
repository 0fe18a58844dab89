"""How much of a model's answers mixtures of known algorithms leave, fitted on one half and judged on the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from mcinterp.analysis.mixture import mixture_weights
from mcinterp.analysis.statistics import Floats, interval_columns, pooled_estimate

if TYPE_CHECKING:
    from mcinterp.analysis.passes.oracles import Bench

ALL, SINGLE, NULLS, OTHERS = "all", "the best one", "those without context", "of other samples"
UNTRAINED = "all, of an untrained model"

MIXTURE_COLUMNS = {
    "step": "checkpoint",
    "base": f"what is mixed, weights at least 0 and 1 together. {ALL}: every algorithm; {SINGLE}: the one that is "
    f"nearest on the other half; controls: {NULLS}; {OTHERS}: what all of them answer to another sample; {UNTRAINED}: "
    "every algorithm, to explain the answers of an untrained model",
    "n": "samples; the weights of each half are fitted on the other, by least squares over the main context's places",
    "seed": "seed of the batch",
    **interval_columns("left", "divergence of the model from the mixture, mean over the main context's places"),
    **interval_columns("gain", f"left by {SINGLE} minus this, paired"),
}
WEIGHT_COLUMNS = {
    "step": "checkpoint",
    "oracle": "the algorithm",
    "weight": f"in the mixture of {ALL}: mean of the two halves'; algorithms that agree share theirs arbitrarily",
    "first_half": "as fitted on the first half of the samples",
    "second_half": "as fitted on the other",
    "n": "samples",
    "seed": "seed of the batch",
}


@dataclass(frozen=True)
class Mixtures:
    """Rows of the two tables."""

    rows: list[dict[str, Any]]
    weights: list[dict[str, Any]]


def mixtures(bench: Bench, answers: Mapping[int, Tensor], untrained: Tensor, about: Mapping[str, int]) -> Mixtures:
    """Of every step's answers, (n, place, k)."""
    found = Mixtures([], [])
    names = list(bench.oracles)
    nulls = [name for name in names if bench.task.oracle_kinds[name].null]
    given, other = list(bench.oracles.values()), list(bench.others.values())
    spare = _left(bench, untrained, given, _fitted(bench, untrained, given))
    for step, points in answers.items():
        fitted = _fitted(bench, points, given)
        sums = {
            SINGLE: _left(bench, points, given, _singles(bench, points)),
            ALL: _left(bench, points, given, fitted),
            OTHERS: _left(bench, points, other, _fitted(bench, points, other)),
        }
        if nulls:
            known = [bench.oracles[name] for name in nulls]
            sums[NULLS] = _left(bench, points, known, _fitted(bench, points, known))
        sums[UNTRAINED] = spare
        found.rows.extend(_row(bench, step, base, left, sums[SINGLE], about) for base, left in sums.items())
        found.weights.extend(
            {
                "step": step,
                "oracle": name,
                "weight": float(fitted[:, at].mean()),
                "first_half": float(fitted[0, at]),
                "second_half": float(fitted[1, at]),
                "n": bench.n,
                **about,
            }
            for at, name in enumerate(names)
        )
    return found


def _row(bench: Bench, step: int, base: str, left: Floats, single: Floats, about: Mapping[str, int]) -> dict[str, Any]:
    counts = bench.main.sum(1)
    gain = np.full_like(left, np.nan) if base == UNTRAINED else single - left
    return {
        "step": step,
        "base": base,
        "n": bench.n,
        **about,
        **pooled_estimate(left, counts).columns("left"),
        **pooled_estimate(gain, counts).columns("gain"),
    }


def _halves(bench: Bench) -> tuple[slice, slice]:
    return slice(None, bench.n // 2), slice(bench.n // 2, None)


def _fitted(bench: Bench, points: Tensor, given: Sequence[Tensor]) -> Floats:
    """Weights that fit each half, (half, algorithm)."""
    return np.stack([_weights(bench, points, given, half) for half in _halves(bench)])


def _weights(bench: Bench, points: Tensor, given: Sequence[Tensor], half: slice) -> Floats:
    places = torch.from_numpy(bench.main[half] > 0)
    return mixture_weights(
        points[half][places].flatten().numpy(), np.stack([each[half][places].flatten().numpy() for each in given])
    )


def _singles(bench: Bench, points: Tensor) -> Floats:
    """1 for the algorithm that is nearest on each half, (half, algorithm)."""
    distances = np.stack([(each * bench.main).sum(1) for each in bench.distances(points).values()])
    chosen = [int(distances[:, half].sum(1).argmin()) for half in _halves(bench)]
    return np.eye(len(distances))[chosen]


def _left(bench: Bench, points: Tensor, given: Sequence[Tensor], weights: Floats) -> Floats:
    """Sums over each sample's places of what the mixture leaves, (n,), each half with the other's weights."""
    first, second = _halves(bench)
    mixed = torch.empty_like(points)
    for half, own in ((first, weights[1]), (second, weights[0])):
        mixed[half] = sum(float(weight) * each[half] for weight, each in zip(own, given, strict=True))
    return np.asarray((bench.apart(mixed, points) * bench.main).sum(1))
