"""Paired differences between edits of the same facts, and what goes with the recall that is lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mcinterp.analysis.passes.geometry import rank_correlation
from mcinterp.analysis.statistics import Estimate, interval_columns, mean_estimate
from mcinterp.studies.knowledge_editing.distortion import DISTORTIONS, LOSSES

Floats = NDArray[np.float64]
RESAMPLES = 999
ENDS = (2.5, 97.5)
FARTHER, PRESENT_LESS, PRESENT_THIRD = (
    "farthest less nearest",
    "present answer less nearest",
    "present answer less a third",
)
KEY_LESS, VALUE_LESS, TUNED_LESS = "edit less random key", "edit less random value", "edit less fine-tuned"
CONTRASTS = {
    FARTHER: "edits to the farthest answer less edits to the nearest",
    PRESENT_LESS: "edits to the present answer less edits to the nearest other one",
    PRESENT_THIRD: "edits to the present answer less a third of edits to the farthest",
    KEY_LESS: "edits to the farthest answer less a random key of the same mean square effect",
    VALUE_LESS: "the same less a random value of the same length",
    TUNED_LESS: "the same less gradient descent on the same weights",
}
CONTRAST_COLUMNS = {
    "network": "own, or of another width",
    "contrast": "; ".join(f"{name}: {meaning}" for name, meaning in CONTRASTS.items()),
    "measure": "R or loss, as in the table of edits",
    "n": "facts that have both",
    **interval_columns("difference", "mean over facts, paired"),
    "permuted": f"control: share of {RESAMPLES} random exchanges of the two within facts, the own one counted, whose "
    "difference is as large or larger",
}
EXPLAINED_COLUMNS = {
    "network": "own, or of another width",
    "n": "edits of all distances",
    **interval_columns(
        "correlation", "Spearman's ρ of R of the edited order and recall lost there, bootstrap over facts"
    ),
    "explained": "r² of the same two",
    **interval_columns(
        "shuffled", f"control: ρ with R of other edits, mean of {RESAMPLES} random pairings and where 95 % of them lie"
    ),
    "at_equal_length": "partial correlation of distance and recall lost, at equal log ‖δ‖ / ‖v‖",
    "length": "correlation of distance and log ‖δ‖ / ‖v‖",
}


def contrasts(frame: pd.DataFrame, distances: Sequence[int], seed: int) -> Iterator[dict[str, Any]]:
    """Every contrast of every network, by measure.

    Args:
        frame: the table `edits`.
        distances: nearest first.
        seed: of the permutations.
    """
    near, far = ("edit", distances[0]), ("edit", distances[-1])
    sides = {
        FARTHER: (far, near, 1.0),
        PRESENT_LESS: (("present answer", 0), near, 1.0),
        PRESENT_THIRD: (("present answer", 0), far, 1 / 3),
        KEY_LESS: (far, ("random key", distances[-1]), 1.0),
        VALUE_LESS: (far, ("random value", distances[-1]), 1.0),
        TUNED_LESS: (far, ("fine-tuned", distances[-1]), 1.0),
    }
    for network, rows in frame.groupby("network", sort=False):
        for name, (one, other, share) in sides.items():
            first, second = (_of(rows, *side) for side in (one, other))
            for measure in (*DISTORTIONS, *LOSSES):
                values = np.asarray(first[measure] - share * second[measure], dtype=np.float64)
                found = mean_estimate(values).columns("difference")
                about = {"network": network, "contrast": name, "measure": measure, "n": int((~np.isnan(values)).sum())}
                yield {**about, **found, "permuted": exchanged(values, seed)}


def _of(rows: pd.DataFrame, method: str, distance: int) -> pd.DataFrame:
    own = rows[(rows["method"] == method) & (rows["distance"] == distance)]
    return own.set_index(["entity", "relation"])


def exchanged(values: Floats, seed: int) -> float:
    """Share of random signs of paired differences whose sum is as large or larger, the own signs counted."""
    values = values[~np.isnan(values)]
    if not len(values):
        return float("nan")
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (RESAMPLES, len(values)))
    return float((1 + ((signs @ values) >= values.sum() - 1e-12).sum()) / (1 + RESAMPLES))


def explained(frame: pd.DataFrame, seed: int) -> Iterator[dict[str, Any]]:
    """Of each network, what goes with the recall that edits of all distances lose."""
    for network, rows in frame[frame["method"] == "edit"].groupby("network", sort=False):
        bent, lost = (np.asarray(rows[name], dtype=np.float64) for name in ("r_edited", "recall_edited"))
        distance, moved = np.asarray(rows["distance"], dtype=np.float64), np.log(np.asarray(rows["moved"]))
        pairings = _shuffled(bent, lost, seed)
        found = _with_ends(rank_correlation(bent, lost), _over_facts(rows, seed))
        null = _with_ends(float(np.mean(pairings)), np.percentile(pairings, ENDS))
        yield {
            "network": network,
            "n": len(rows),
            **found.columns("correlation"),
            "explained": _correlation(bent, lost) ** 2,
            **null.columns("shuffled"),
            "at_equal_length": partial(distance, lost, moved),
            "length": _correlation(distance, moved),
        }


def _with_ends(value: float, ends: Floats) -> Estimate:
    low, high = ends
    return Estimate(*(np.asarray(each) for each in (value, low, high, np.nan)))


def _over_facts(rows: pd.DataFrame, seed: int) -> Floats:
    """Percentiles of Spearman's ρ over resampled facts, each with its edits of all distances."""
    by_fact = [np.asarray(own[["r_edited", "recall_edited"]]) for _, own in rows.groupby(["entity", "relation"])]
    chance = np.random.default_rng(seed)
    drawn = [
        np.concatenate([by_fact[i] for i in chance.integers(len(by_fact), size=len(by_fact))]) for _ in range(RESAMPLES)
    ]
    values = [rank_correlation(*each.T) for each in drawn]
    return np.nanpercentile(values, ENDS) if np.isfinite(values).any() else np.full(2, np.nan)


def _shuffled(bent: Floats, lost: Floats, seed: int) -> list[float]:
    chance = np.random.default_rng(seed)
    return [rank_correlation(chance.permutation(bent), lost) for _ in range(RESAMPLES)]


def _correlation(x: Floats, y: Floats) -> float:
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])


def partial(x: Floats, y: Floats, given: Floats) -> float:
    """The correlation of what of x and of y a straight line through `given` leaves."""
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        # What a line leaves of a constant is rounding, which goes with anything.
        return float("nan")
    design = np.stack([np.ones_like(given), given], 1)
    left = [each - design @ np.linalg.lstsq(design, each, rcond=None)[0] for each in (x, y)]
    return _correlation(left[0], left[1])
