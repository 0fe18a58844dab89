"""Whose updates explode in training: by decays, learning rate, normalisation, and whether gradients can vanish."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcinterp.analysis.statistics import interval_columns, mean_estimate
from mcinterp.results import Result, Table
from mcinterp.studies.adam_dynamics import SEEDS
from mcinterp.studies.adam_dynamics.bounds import DECAY1, DECAY2, PAIRS, UPDATES
from mcinterp.studies.adam_dynamics.grid import FIXED, FRESH, LAST, Trained, train
from mcinterp.studies.adam_dynamics.laws import Floats, bound, correction, growth, ratio

EXPLOSIONS = "explosions"
EVERY = 5
"""Every so many updates are drawn."""


@dataclass(frozen=True)
class Condition:
    """What networks of all pairs of decays are trained on, and how.

    Attributes:
        points: whether every update sees the same, `fixed`, or others, `fresh`.
        normalised: whether hidden layers are.
        rate: learning rate.
    """

    points: str
    normalised: bool
    rate: float


REFERENCE = Condition(FIXED, False, 0.01)
SLOWER = Condition(FIXED, False, 0.001)
UNSEEN = Condition(FRESH, False, 0.01)
LEVEL = Condition(FIXED, True, 0.01)
CONDITIONS = (
    *(Condition(FIXED, False, rate) for rate in (0.001, 0.003, 0.01, 0.03)),
    LEVEL,
    UNSEEN,
)

CONDITION_COLUMNS = {
    "points": "whether every update sees the same 128 points or fresh ones",
    "normalised": "whether hidden layers are",
    "rate": "learning rate",
    "n": "seeds, each of networks of 64 pairs of decays",
    "seed": "the first",
    "inside": "networks with r = β₁²/β₂ below 1, of all seeds",
    "inside_exploded": "of these, those whose updates have exploded",
    "outside": "networks with r above 1, of all seeds",
    "outside_exploded": "of these, those whose updates have exploded",
    **interval_columns("exploded", "share of the networks with r above 1 that have exploded, mean over seeds"),
    **interval_columns("slope", f"slope of ln‖u‖∞ over the last {LAST} updates over ½ ln r: median of those exploded"),
    "fastest": "the largest such share of ½ ln r of any that has exploded",
    **interval_columns(
        "forgetting",
        "how fast v of the largest entry falls, over ln β₂ (1: its gradients have vanished, 0: they stay): median of "
        "those exploded",
    ),
    **interval_columns("staying", "the same of the networks with r above 1 that have not exploded"),
    "largest_inside": f"largest ‖u‖∞ at update {UPDATES} with r below 1",
    "share": "largest |m|/√v over its bound, of any network at any update",
    "share_late": "the same beyond the first 10 updates",
}
NETWORK_COLUMNS = {
    "points": "fixed or fresh",
    "normalised": "whether hidden layers are",
    "rate": "learning rate",
    "seed": "of weights, points and teacher",
    "beta1": "decay of the mean gradient",
    "beta2": "decay of the squared gradient",
    "ratio": "r = β₁²/β₂",
    "growth": "½ ln r",
    "size": f"log₁₀ of ‖u‖∞ at update {UPDATES}",
    "bound": "log₁₀ of its bound, the bias corrected",
    "exploded": "whether that is more than ten times what the first 50 updates showed, and than ten",
    "slope": f"of ln‖u‖∞ over the last {LAST} updates",
    "forgetting": "how fast v of the largest entry falls over these, over ln β₂; empty where v is 0",
    "loss": "cross-entropy at the end, nats",
}


def explosions(seed: int, tell: Callable[[str], None] = lambda line: None) -> Result:
    """Train networks of every pair of decays under every condition.

    Args:
        seed: the first.
        tell: told of progress.
    """
    rows, networks, last, drawn = [], [], [], np.empty(0)
    for at, condition in enumerate(CONDITIONS, 1):
        found = [train(condition.points, condition.normalised, condition.rate, seed + i) for i in range(SEEDS)]
        rows.append(_condition(condition, found))
        networks += [row for one in found for row in _networks(one)]
        last.append(_log(found[0].sizes[-1]))
        if condition == REFERENCE:
            drawn = _log(found[0].sizes[::EVERY]).T
        tell(f"decays {at}/{len(CONDITIONS)}: {rows[-1]['outside_exploded']} of {rows[-1]['outside']} outside exploded")
    tables = {"conditions": Table.of(CONDITION_COLUMNS, rows), "networks": Table.of(NETWORK_COLUMNS, networks)}
    arrays = {"last": np.array(last), "sizes": drawn, "limits": _limits()[::EVERY].T}
    arrays["update"] = np.arange(1, UPDATES + 1)[::EVERY].astype(np.float64)
    facts = {
        "axes": {"last": ["condition", "pair"], "sizes": ["pair", "update"], "limits": ["pair", "update"]}
        | {"update": ["update"]},
        "pairs": PAIRS.tolist(),
        "reference": CONDITIONS.index(REFERENCE),
    }
    return Result(EXPLOSIONS, "Whose updates explode", {"updates": UPDATES}, facts, tables, arrays)


def _limits() -> Floats:
    """Log₁₀ of the bound of every update with the bias corrected, (updates, pairs)."""
    n = np.arange(1, UPDATES + 1)[:, None]
    return np.log10(bound(DECAY1, DECAY2, n) * correction(DECAY1, DECAY2, n))


def _log(sizes: Floats) -> Floats:
    return np.log10(np.maximum(sizes, np.finfo(np.float64).tiny))


def _condition(condition: Condition, found: list[Trained]) -> dict[str, Any]:
    outside = ratio(DECAY1, DECAY2) > 1
    exploded = np.array([one.exploded for one in found])
    n, first = len(found), found[0]
    return {
        "points": condition.points,
        "normalised": condition.normalised,
        "rate": condition.rate,
        "n": n,
        "seed": first.seed,
        "inside": n * int((~outside).sum()),
        "inside_exploded": int(exploded[:, ~outside].sum()),
        "outside": n * int(outside.sum()),
        "outside_exploded": int(exploded[:, outside].sum()),
        **mean_estimate(exploded[:, outside].mean(1)).columns("exploded"),
        **_over_seeds("slope", [_slope_shares(one) for one in found]),
        "fastest": max((float(each.max()) for each in map(_slope_shares, found) if len(each)), default=np.nan),
        **_over_seeds("forgetting", [one.forgetting[outside & one.exploded] for one in found]),
        **_over_seeds("staying", [one.forgetting[outside & ~one.exploded] for one in found]),
        "largest_inside": max(float(one.sizes[-1, ~outside].max()) for one in found),
        "share": max(float(one.share.max()) for one in found),
        "share_late": max(float(one.share_late.max()) for one in found),
    }


def _slope_shares(one: Trained) -> Floats:
    """Slope over ½ ln r of the networks with r above 1 that have exploded."""
    chosen = (ratio(DECAY1, DECAY2) > 1) & one.exploded
    return np.asarray(one.slopes[chosen] / growth(DECAY1, DECAY2)[chosen])


def _over_seeds(name: str, several: list[Floats]) -> dict[str, float]:
    """The median of each seed's networks, mean over seeds that have one."""
    medians = [np.nanmedian(each) if np.isfinite(each).any() else np.nan for each in several]
    return mean_estimate(np.array(medians)).columns(name)


def _networks(one: Trained) -> Iterator[dict[str, Any]]:
    slopes, limits, exploded = one.slopes, _limits()[-1], one.exploded
    for i, (beta1, beta2) in enumerate(PAIRS):
        yield {
            "points": one.points,
            "normalised": one.normalised,
            "rate": one.rate,
            "seed": one.seed,
            "beta1": beta1,
            "beta2": beta2,
            "ratio": float(ratio(beta1, beta2)),
            "growth": float(growth(beta1, beta2)),
            "size": float(_log(one.sizes[-1])[i]),
            "bound": float(limits[i]),
            "exploded": bool(exploded[i]),
            "slope": float(slopes[i]),
            "forgetting": float(one.forgetting[i]),
            "loss": float(one.loss[i]),
        }
