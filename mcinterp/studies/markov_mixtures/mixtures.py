"""Which mixture of the four algorithms each network is, how much that leaves, and what it predicts of unseen chains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mcinterp.analysis.statistics import Floats, interval_columns, mean_estimate, ratio_estimate
from mcinterp.results import Result, Table
from mcinterp.studies.markov_mixtures.networks import ABOUT_COLUMNS
from mcinterp.studies.markov_mixtures.oracles import FOUR, NULLS
from mcinterp.studies.markov_mixtures.phases import BATCH
from mcinterp.studies.markov_mixtures.readings import FAMILIES, FAMILY_MEANING, Reading, Sequences
from mcinterp.studies.markov_mixtures.weights import RESAMPLES, Products

MIXTURES = "mixtures"
ALL_FOUR, SIX, SINGLE, WITHOUT, OTHERS = "the four", "all six", "the best one", "without context", "of other sequences"
BASES: Mapping[str, tuple[str, ...]] = {ALL_FOUR: FOUR, SIX: (*FOUR, *NULLS), WITHOUT: NULLS, OTHERS: FOUR}
"""What is mixed; the last are what the four predict for another sequence."""

WEIGHT_COLUMNS = {
    **ABOUT_COLUMNS,
    "step": "checkpoint",
    "family": FAMILY_MEANING,
    "oracle": "one of the four algorithms",
    **BATCH,
    **interval_columns(
        "weight",
        f"in the mixture of the four, weights at least 0 and 1 together, that is nearest to the probabilities at late "
        f"places by least squares (percentiles of {RESAMPLES} resamples of the sequences); algorithms that agree share "
        "theirs arbitrarily",
    ),
}
LEFT_COLUMNS = {
    **ABOUT_COLUMNS,
    "step": "checkpoint",
    "base": f"what is mixed. {SINGLE}: of the four, the nearest on the other half; controls: {WITHOUT}, uniform and "
    f"prior row; {OTHERS}, what the four predict for another sequence",
    **BATCH,
    **interval_columns(
        "left", "KL(model ‖ mixture) at late places of one half of the sequences, weights fitted on the other, nats"
    ),
    **interval_columns("ratio", f"left by {ALL_FOUR} over it, paired"),
}
PREDICTED_COLUMNS = {
    **ABOUT_COLUMNS,
    "step": "checkpoint",
    **BATCH,
    **interval_columns("predicted", "KL(truth ‖ mixture) on OOD sequences, with the weights of the ID ones, nats"),
    **interval_columns("measured", "KL(truth ‖ model) there"),
    **interval_columns("ratio", "predicted over measured, paired"),
}

COLUMNS = {"weights": WEIGHT_COLUMNS, "left": LEFT_COLUMNS, "predicted": PREDICTED_COLUMNS}


def mixture_rows(reading: Reading) -> dict[str, list[dict[str, Any]]]:
    """Rows of the tables, of one network."""
    return {
        "weights": [row for family in FAMILIES for row in _weight_rows(reading, family)],
        "left": list(_left_rows(reading)),
        "predicted": list(_predicted_rows(reading)),
    }


def mixtures(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> Result:
    """Weights, what they leave and what they predict, at every checkpoint, of the rows of all networks."""
    tables = {name: Table.of(columns, rows[name]) for name, columns in COLUMNS.items()}
    return Result(MIXTURES, "Which mixture of algorithms is it?", {"resamples": RESAMPLES}, {}, tables)


def _weight_rows(reading: Reading, family: str) -> Iterator[dict[str, Any]]:
    weights = reading.of[family].weights
    low, high = np.percentile(weights.resampled, [2.5, 97.5], axis=0)
    for at, step in enumerate(reading.steps):
        for which, name in enumerate(FOUR):
            ends = {"weight_low": float(low[at, which]), "weight_high": float(high[at, which])}
            yield {
                **reading.about(step=step, family=family, oracle=name),
                "weight": float(weights.fitted[at, which]),
                **ends,
            }


def left_of(reading: Reading) -> dict[str, Floats]:
    """What each base leaves, (step, n), weights fitted on the other half of the sequences."""
    own = reading.trained
    halves = np.arange(own.bench.n) < own.bench.n // 2
    found = {}
    for base, names in BASES.items():
        oracles = own.bench.others if base == OTHERS else own.bench.oracles
        products = Products(own.points, [oracles[name] for name in names], own.bench.main)
        weights = [products.fitted((~half).astype(np.float64)) for half in (halves, ~halves)]
        found[base] = _left(own, [oracles[name] for name in names], halves, weights)
    distances = own.distances[:, [list(own.bench.oracles).index(name) for name in FOUR]]
    best = [np.eye(len(FOUR))[distances[:, :, ~half].mean(-1).argmin(1)] for half in (halves, ~halves)]
    found[SINGLE] = _left(own, [own.bench.oracles[name] for name in FOUR], halves, best)
    return found


def _left(own: Sequences, oracles: Sequence[Tensor], halves: NDArray[np.bool_], weights: Sequence[Floats]) -> Floats:
    """KL(model ‖ mixture), (step, n), with weights (step, oracle) for each half."""
    mixed, found = torch.stack(list(oracles)), []
    for at, points in enumerate(own.points):
        each = np.where(halves[:, None], weights[0][at], weights[1][at])
        found.append(own.divergence(points, torch.einsum("na,anpk->npk", torch.from_numpy(each), mixed)))
    return np.stack(found)


def _left_rows(reading: Reading) -> Iterator[dict[str, Any]]:
    left = left_of(reading)
    for at, step in enumerate(reading.steps):
        for base in left:
            yield {
                **reading.about(step=step, base=base),
                **mean_estimate(left[base][at]).columns("left"),
                **ratio_estimate(left[ALL_FOUR][at], left[base][at]).columns("ratio"),
            }


def predicted_by(own: Sequences, weights: Floats) -> Floats:
    """KL(truth ‖ mixture) of each sequence, (step, n), with weights (step, oracle)."""
    mixed = torch.stack([own.bench.oracles[name] for name in FOUR])
    of_steps = (torch.einsum("a,anpk->npk", torch.from_numpy(each), mixed) for each in weights)
    return np.stack([own.divergence(own.truth, each) for each in of_steps])


def _predicted_rows(reading: Reading) -> Iterator[dict[str, Any]]:
    predicted, measured = predicted_by(reading.unseen, reading.trained.weights.fitted), reading.unseen.from_truth
    for at, step in enumerate(reading.steps):
        yield {
            **reading.about(step=step),
            **mean_estimate(predicted[at]).columns("predicted"),
            **mean_estimate(measured[at]).columns("measured"),
            **ratio_estimate(predicted[at], measured[at]).columns("ratio"),
        }
