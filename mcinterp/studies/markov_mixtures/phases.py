"""Which algorithm each network answers like, by step and by context, and how far it is from the truth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from mcinterp.analysis.judged import Judged
from mcinterp.analysis.statistics import Floats, interval_columns, mean_estimate, ratio_estimate
from mcinterp.results import Result, Table
from mcinterp.studies.markov_mixtures.networks import ABOUT_COLUMNS
from mcinterp.studies.markov_mixtures.oracles import BI_INF, BI_RET, BIGRAM, FOUR, KINDS, NULLS
from mcinterp.studies.markov_mixtures.readings import FAMILIES, FAMILY_MEANING, Reading
from mcinterp.task.oracle_tokens import LATE

PHASES = "phases"
NAMES = tuple(KINDS)
COMPARED = (*FOUR, *NULLS)
"""What may be nearest: the four, and the two that look at nothing but the last token."""
EARLY, LONG = (2, 4), 17
"""Tokens seen in the contexts that are pooled: from 2 to 4, and from 17 on."""

BATCH = {"n": "sequences, the same at every checkpoint", "seed": "seed of the sequences"}
TRUTH_COLUMNS = {
    **ABOUT_COLUMNS,
    "step": "checkpoint",
    "family": FAMILY_MEANING,
    **BATCH,
    **interval_columns("kl", "KL(truth ‖ model), nats, mean over late places"),
}
LINE_COLUMNS = {
    **ABOUT_COLUMNS,
    "oracle": "the algorithm",
    "family": FAMILY_MEANING,
    **BATCH,
    **interval_columns("kl", "KL(truth ‖ algorithm), nats, mean over late places"),
    **interval_columns("ratio", "KL(truth ‖ model) at the last checkpoint over it, paired"),
}
DISTANCE_COLUMNS = {
    **ABOUT_COLUMNS,
    "step": "checkpoint",
    "context": "which places are averaged over, by how many tokens they have seen; all but `late` at the last one only",
    "oracle": "the algorithm",
    **BATCH,
    **interval_columns("distance", "KL(algorithm ‖ model) on sequences of the training chains, nats, mean over places"),
    "untrained": "control: the same of an untrained model",
}
NEAREST_COLUMNS = {
    **ABOUT_COLUMNS,
    "step": "checkpoint",
    "context": "as of the distances",
    "nearest": "the nearest of the four algorithms and of the two that look at nothing but the last token",
    "second": "the next one",
    "four": "the nearest of the four",
    **BATCH,
    **interval_columns("margin", "distance of the second minus that of the nearest, paired"),
    "verdict": "nearest where the margin's interval is above 0, else not told apart",
}
ONSET_COLUMNS = {
    **ABOUT_COLUMNS,
    "unigram": "first step of training at which a unigram algorithm is nearest; empty where none ever is",
    "bigram": "first step at which a bigram one is",
    "middle": "checkpoint in the middle, on the logarithm of the step, of those before it at which a unigram one is",
    "last": "last step",
}
CHOICE_COLUMNS = {
    **ABOUT_COLUMNS,
    "context": f"at the last step: late places; those that have seen {EARLY[0]} to {EARLY[1]} tokens; {LONG} and more; "
    "or so many",
    **BATCH,
    **interval_columns("difference", f"distance to {BI_RET} minus that to {BI_INF}, paired"),
}


COLUMNS = {
    "nearest": NEAREST_COLUMNS,
    "truth": TRUTH_COLUMNS,
    "lines": LINE_COLUMNS,
    "distances": DISTANCE_COLUMNS,
    "onsets": ONSET_COLUMNS,
    "choices": CHOICE_COLUMNS,
}


def phase_rows(reading: Reading) -> dict[str, list[dict[str, Any]]]:
    """Rows of the tables, of one network."""
    distances = _distances(reading)
    nearest = [_nearest(reading, step, context, values) for step, context, values in distances]
    return {
        "nearest": nearest,
        "truth": list(_truth(reading)),
        "lines": list(_lines(reading)),
        "distances": [row for place in distances for row in _distance_rows(reading, *place)],
        "onsets": [_onset(reading, [row for row in nearest if row["context"] == LATE])],
        "choices": list(_choices(reading)),
    }


def phases(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> Result:
    """Distances, the nearest algorithm and the truth, of the rows of all networks."""
    tables = {name: Table.of(columns, rows[name]) for name, columns in COLUMNS.items()}
    facts = {"oracles": {name: kind.meaning for name, kind in KINDS.items()}}
    return Result(PHASES, "Which algorithm does it answer like?", {}, facts, tables)


def _distances(reading: Reading) -> list[tuple[int, str, Floats]]:
    """Step, context and the distance to every algorithm, (algorithm, n)."""
    own, last = reading.trained, reading.steps[-1]
    late = [(step, LATE, each) for step, each in zip(reading.steps, own.distances, strict=True)]
    contexts = [name for name in own.bench.contexts if name != LATE]
    return late + [(last, name, _by_context(reading, own.bench.contexts[name])) for name in contexts]


def _by_context(reading: Reading, where: Floats) -> Floats:
    """The distance of the last checkpoint to every algorithm at some places, (algorithm, n)."""
    own = reading.trained
    apart = own.bench.distances(own.points[-1])
    return np.stack([(apart[name] * where).sum(1) / where.sum(1) for name in NAMES])


def _truth(reading: Reading) -> Iterator[dict[str, Any]]:
    for family in FAMILIES:
        estimate = mean_estimate(reading.of[family].from_truth.T)
        for at, step in enumerate(reading.steps):
            yield {**reading.about(step=step, family=family), **estimate.columns("kl", at)}


def _lines(reading: Reading) -> Iterator[dict[str, Any]]:
    for family in FAMILIES:
        own = reading.of[family]
        for name in NAMES:
            line = own.divergence(own.truth, own.bench.oracles[name])
            yield {
                **reading.about(oracle=name, family=family),
                **mean_estimate(line).columns("kl"),
                **ratio_estimate(own.from_truth[-1], line).columns("ratio"),
            }


def _distance_rows(reading: Reading, step: int, context: str, values: Floats) -> Iterator[dict[str, Any]]:
    estimate = mean_estimate(values.T)
    untrained = reading.untrained_distances.mean(1) if context == LATE else np.full(len(NAMES), np.nan)
    for at, name in enumerate(NAMES):
        yield {
            **reading.about(step=step, context=context, oracle=name),
            **estimate.columns("distance", at),
            "untrained": float(untrained[at]),
        }


def _nearest(reading: Reading, step: int, context: str, values: Floats) -> dict[str, Any]:
    of = dict(zip(NAMES, values, strict=True))
    first, second, *_ = sorted(COMPARED, key=lambda name: float(of[name].mean()))
    margin = mean_estimate(of[second] - of[first]).columns("margin")
    return {
        **reading.about(step=step, context=context),
        "nearest": first,
        "second": second,
        "four": min(FOUR, key=lambda name: float(of[name].mean())),
        **margin,
        "verdict": Judged.of(margin, "margin").say("nearest", "not told apart", "not told apart"),
    }


def _onset(reading: Reading, nearest: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """When unigram and bigram algorithms first are nearest."""
    # Which algorithm is nearest before training is chance.
    own = [(row["step"], row["nearest"]) for row in nearest if row["step"] > 0]
    bigram = next((step for step, name in own if name in BIGRAM), np.nan)
    # Where no bigram algorithm ever is nearest, all steps are before it.
    unigram = [step for step, name in own if name in FOUR and name not in BIGRAM and not step >= bigram]
    middle = np.nan
    if unigram:
        at = np.sqrt(unigram[0] * unigram[-1])
        middle = min(unigram, key=lambda step: abs(np.log(step / at)))
    return {
        **reading.network.about,
        "unigram": unigram[0] if unigram else np.nan,
        "bigram": bigram,
        "middle": middle,
        "last": reading.steps[-1],
    }


def _choices(reading: Reading) -> Iterator[dict[str, Any]]:
    """Retrieval or inference at the last step, by context."""
    contexts = dict(reading.trained.bench.contexts)
    seen = np.arange(1, next(iter(contexts.values())).shape[1] + 1)
    everywhere = np.ones_like(next(iter(contexts.values())))
    contexts[f"{EARLY[0]}–{EARLY[1]}"] = everywhere * ((seen >= EARLY[0]) & (seen <= EARLY[1]))
    contexts[f"≥ {LONG}"] = everywhere * (seen >= LONG)
    for name, where in contexts.items():
        if where.any():
            of = dict(zip(NAMES, _by_context(reading, where), strict=True))
            estimate = mean_estimate(of[BI_RET] - of[BI_INF])
            yield {**reading.about(context=name), **estimate.columns("difference")}
