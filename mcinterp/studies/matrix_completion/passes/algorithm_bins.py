"""Where the candidates agree with the model: entries binned by how much is observed of them, and how well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcinterp.analysis.compare.agreement import mean_square, unexplained
from mcinterp.analysis.statistics import Floats, interval_columns

QUANTILES = 4

COLUMNS = {
    "bin": "which masked entries",
    "low": "smallest value of what the entries are binned by",
    "high": "largest value",
    "entries": "masked entries in the bin",
    "n": "matrices that have such an entry",
    "seed": "seed of the batch",
    **interval_columns("model_mse", "MSE of the model to the truth at these entries"),
    "candidate": "see the table of candidates",
    **interval_columns("to_model", "MSE of the candidate to the model"),
    **interval_columns("unexplained", "to_model over the mean square of the model's predictions at these entries"),
    **interval_columns("to_truth", "MSE of the candidate to the truth"),
    "best": "whether no other candidate is nearer to the model at these entries",
}


@dataclass(frozen=True)
class Bin:
    """Entries that are looked at together.

    Attributes:
        name: as tables write it.
        low, high: smallest and largest value of what the entries are binned by.
        where: (n, pos), whether an entry is in the bin.
    """

    name: str
    low: float
    high: float
    where: NDArray[np.bool_]


def observed_bins(observed: NDArray[np.bool_]) -> list[Bin]:
    """Masked entries by how many entries of their row and of their column are observed, together.

    Args:
        observed: (n, rows, cols).

    Returns:
        one bin for each number that occurs, in order.
    """
    counts = (observed.sum(2)[:, :, None] + observed.sum(1)[:, None, :]).reshape(len(observed), -1)
    masked = ~observed.reshape(len(observed), -1)
    return [Bin(str(k), float(k), float(k), masked & (counts == k)) for k in np.unique(counts[masked]).tolist()]


def pivot_bins(pivots: Floats, observed: NDArray[np.bool_]) -> list[Bin]:
    """Masked entries by the size of their largest pivot: those without one, then equally many in each bin.

    Args:
        pivots: (n, pos), `minors.largest_pivot`.
        observed: (n, rows, cols).
    """
    masked = ~observed.reshape(len(observed), -1)
    without, given = masked & (pivots == 0), masked & (pivots > 0)
    bins = [Bin("no minor", 0.0, 0.0, without)] if without.any() else []
    if not given.any():
        return bins
    edges = np.unique(np.quantile(pivots[given], np.linspace(0, 1, QUANTILES + 1)))
    which = np.clip(np.searchsorted(edges, pivots, side="right") - 1, 0, max(len(edges) - 2, 0))
    for index in range(max(len(edges) - 1, 1)):
        where = given & (which == index)
        low, high = float(pivots[where].min()), float(pivots[where].max())
        bins.append(Bin(f"{low:.3g} to {high:.3g}", low, high, where))
    return bins


def bin_rows(
    names: tuple[str, ...], bins: list[Bin], predictions: Floats, answers: Floats, truth: Floats, seed: int
) -> list[dict[str, Any]]:
    """Rows of `COLUMNS`, one for each bin and candidate.

    Args:
        names: of the candidates.
        bins: of entries.
        predictions: (n, pos), the model's.
        answers: (candidates, n, pos).
        truth: (n, pos).
        seed: of the batch, for the table.
    """
    rows = []
    for chosen in bins:
        weight = chosen.where.astype(np.float64)
        model_mse = mean_square(predictions - truth, weight)
        to_model, to_truth = mean_square(answers - predictions, weight), mean_square(answers - truth, weight)
        left = unexplained(predictions, answers, weight)
        rows += [
            {
                "bin": chosen.name,
                "low": chosen.low,
                "high": chosen.high,
                "entries": int(chosen.where.sum()),
                "n": int(chosen.where.any(1).sum()),
                "seed": seed,
                **model_mse.columns("model_mse"),
                "candidate": name,
                **to_model.columns("to_model", index),
                **left.columns("unexplained", index),
                **to_truth.columns("to_truth", index),
                "best": index == int(to_model.value.argmin()),
            }
            for index, name in enumerate(names)
        ]
    return rows
