"""Whether a network grows worse on unseen chains while it learns its own, and whether its mixture foretells that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mcinterp.analysis.statistics import Floats, interval_columns, mean_estimate
from mcinterp.results import Result, Table
from mcinterp.studies.markov_mixtures.mixtures import predicted_by
from mcinterp.studies.markov_mixtures.networks import ABOUT_COLUMNS, FEW, MANY, MIDDLE
from mcinterp.studies.markov_mixtures.oracles import BI_INF, BI_RET, FOUR
from mcinterp.studies.markov_mixtures.phases import BATCH
from mcinterp.studies.markov_mixtures.readings import Reading, Sequences
from mcinterp.studies.markov_mixtures.weights import RESAMPLES

COMPETITION = "competition"
OF_WEIGHTS = f"(percentiles of {RESAMPLES} resamples of the sequences)"

RISE_COLUMNS = {
    **ABOUT_COLUMNS,
    "least": "checkpoint at which KL(truth ‖ model) on OOD sequences is least",
    **BATCH,
    **interval_columns(
        "rise",
        "KL(truth ‖ model) on OOD sequences at the last checkpoint minus that at the least, which is chosen on the "
        "other half of the sequences, paired, nats",
    ),
    **interval_columns("learned", "the same on ID sequences, between the last checkpoint and `least`"),
    **interval_columns("control", "the rise on ID sequences, from their own least, chosen likewise"),
    **interval_columns(
        "predicted", "rise of KL(truth ‖ mixture) on OOD sequences between `least` and the last, paired"
    ),
    **interval_columns("retrieval", f"change of the weight of {BI_RET} between the two {OF_WEIGHTS}"),
    **interval_columns("inference", f"change of the weight of {BI_INF} likewise"),
    **interval_columns("second", f"second largest of the four weights at `least` {OF_WEIGHTS}"),
    **interval_columns("largest", f"largest of the four weights at the last checkpoint {OF_WEIGHTS}"),
    "correlation": "Pearson's, of predicted and measured KL on OOD sequences, over the checkpoints from the first on "
    "at which a bigram algorithm is nearest",
    "checkpoints": "of the correlation",
}
OTHER_COLUMNS = {
    **ABOUT_COLUMNS,
    "weights": "of which network the weights are, at its last checkpoint",
    **BATCH,
    **interval_columns(
        "predicted", "KL(truth ‖ mixture) on the OOD sequences of this network with these weights, nats"
    ),
    **interval_columns(
        "further", "how much further that is from the measured KL than what the network's own weights predict, paired"
    ),
}
COLUMNS = {"rises": RISE_COLUMNS, "others": OTHER_COLUMNS}


@dataclass(frozen=True)
class Ending:
    """What a network ends with.

    Attributes:
        about: its columns.
        weights: of the four, on ID sequences.
        unseen: OOD sequences with the predictions of the last checkpoint alone.
    """

    about: Mapping[str, Any]
    weights: Floats
    unseen: Sequences

    @classmethod
    def of(cls, reading: Reading) -> Ending:
        """Of a reading, without what is large."""
        last = replace(reading.unseen, points=reading.unseen.points[-1:])
        return cls(reading.about(), reading.trained.weights.fitted[-1], last)


def competition_rows(reading: Reading, onset: float) -> dict[str, list[dict[str, Any]]]:
    """Rows of the table `rises`, of one network.

    Args:
        reading: of it.
        onset: first step at which a bigram algorithm is nearest; NaN where none ever is.
    """
    unseen, trained, weights = reading.unseen.from_truth, reading.trained.from_truth, reading.trained.weights
    predicted = predicted_by(reading.unseen, weights.fitted)
    least = int(unseen.mean(1).argmin())
    changes = weights.resampled[:, -1] - weights.resampled[:, least]
    change = dict(zip(FOUR, weights.fitted[-1] - weights.fitted[least], strict=True))
    sorted_at = np.sort(weights.resampled, axis=-1)
    after = np.array(reading.steps) >= onset
    row = {
        **reading.about(least=reading.steps[least]),
        **mean_estimate(rise_of(unseen)).columns("rise"),
        **mean_estimate(trained[-1] - trained[least]).columns("learned"),
        **mean_estimate(rise_of(trained)).columns("control"),
        **mean_estimate(predicted[-1] - predicted[least]).columns("predicted"),
        **_resampled("retrieval", change[BI_RET], changes[:, FOUR.index(BI_RET)]),
        **_resampled("inference", change[BI_INF], changes[:, FOUR.index(BI_INF)]),
        **_resampled("second", np.sort(weights.fitted[least])[-2], sorted_at[:, least, -2]),
        **_resampled("largest", weights.fitted[-1].max(), sorted_at[:, -1, -1]),
        "correlation": _correlation(predicted[after].mean(1), unseen[after].mean(1)),
        "checkpoints": int(after.sum()),
    }
    return {"rises": [row]}


def competition(rows: Mapping[str, Sequence[Mapping[str, Any]]], endings: Sequence[Ending]) -> Result:
    """Rises and predictions of the rows of all networks, and what other networks' weights predict."""
    others = [row for own in endings if own.about["role"] == MIDDLE for row in _others(own, endings)]
    tables = {"rises": Table.of(RISE_COLUMNS, rows["rises"]), "others": Table.of(OTHER_COLUMNS, others)}
    return Result(COMPETITION, "Do retrieval and inference compete?", {"resamples": RESAMPLES}, {}, tables)


def rise_of(values: Floats) -> Floats:
    """The last value minus that at the step whose mean over the other half is least, (n,), of values (step, n)."""
    half = np.arange(values.shape[1]) < values.shape[1] // 2
    chosen = np.where(half, values[:, ~half].mean(1).argmin(), values[:, half].mean(1).argmin())
    return np.asarray(values[-1] - values[chosen, np.arange(values.shape[1])])


def _resampled(name: str, value: float, resamples: Floats) -> dict[str, float]:
    low, high = np.percentile(resamples, [2.5, 97.5])
    return {name: float(value), f"{name}_low": float(low), f"{name}_high": float(high)}


def _correlation(first: Floats, second: Floats) -> float:
    return float(np.corrcoef(first, second)[0, 1]) if len(first) > 2 else np.nan


def _others(own: Ending, endings: Sequence[Ending]) -> Iterator[dict[str, Any]]:
    """A network's unseen chains as the mixtures of networks of few and of many chains predict them."""
    measured = own.unseen.from_truth[0]
    error = _error(predicted_by(own.unseen, own.weights[None])[0], measured)
    for other in endings:
        if other.about["role"] in (FEW, MANY):
            predicted = predicted_by(own.unseen, other.weights[None])[0]
            yield {
                **own.about,
                "weights": other.about["network"],
                **mean_estimate(predicted).columns("predicted"),
                **mean_estimate(_error(predicted, measured) - error).columns("further"),
            }


def _error(predicted: Floats, measured: Floats) -> Floats:
    """What each sequence adds to the size of the mean error, (n,)."""
    return np.asarray((predicted - measured) * np.sign((predicted - measured).mean()))
