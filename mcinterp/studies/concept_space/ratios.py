"""Ratios of times, some of which are only known to be later than the end of training, and their means over networks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcinterp.analysis.statistics import interval_columns, mean_estimate
from mcinterp.studies.concept_space.courses import Time

NAN = float("nan")


@dataclass(frozen=True)
class Ratio:
    """The logarithm of how many times as late one thing is as another.

    Attributes:
        value: it; NaN where nothing is known of it but an upper bound, or nothing.
        bounded: whether it is at least that, the later thing having come by the end of training in no checkpoint.
    """

    value: float
    bounded: bool = False

    def minus(self, other: Ratio) -> Ratio:
        """This less another; of another that may be larger nothing is known."""
        return Ratio(NAN if other.bounded else self.value - other.value, self.bounded)


def log_ratio(later: Time, earlier: Time) -> Ratio:
    """ln(later / earlier); unknown where the earlier one never came."""
    return Ratio(math.log(later.step / earlier.step) if earlier.reached else NAN, not later.reached)


def ratio_columns(name: str, meaning: str) -> dict[str, str]:
    """The declaration of what `mean_ratio` gives."""
    bounded = f"networks of which {name} is a lower bound: the end of training stands for a time that had not come"
    return {
        **interval_columns(name, f"{meaning}; mean over networks, without an upper end where some are lower bounds"),
        "bounded": bounded,
    }


def mean_ratio(name: str, ratios: Sequence[Ratio]) -> dict[str, Any]:
    """Mean over networks with its interval; NaN where one has no value, so that failures are not averaged away."""
    bounded = sum(ratio.bounded for ratio in ratios)
    columns = over_networks(name, [ratio.value for ratio in ratios])
    if bounded and columns[name] == columns[name]:
        columns[f"{name}_high"] = math.inf
    return {**columns, "bounded": bounded}


def over_networks(name: str, values: Sequence[float]) -> dict[str, float]:
    """Mean and interval over networks; NaN where one has no value."""
    if not np.isfinite(values).all():
        return dict.fromkeys((name, f"{name}_low", f"{name}_high"), NAN)
    return mean_estimate(np.asarray(values)).columns(name)
