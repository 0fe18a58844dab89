"""Adam's update on streams of gradients that are given: how near the bound they come, and how fast they grow."""

from __future__ import annotations

from typing import Any

import numpy as np

from mcinterp.results import Result, Table
from mcinterp.studies.adam_dynamics.laws import Floats, bound, growth, log_flow_bound, ratio, stability

BOUNDS = "bounds"
BETA1 = (0.5, 0.8, 0.9, 0.95, 0.97, 0.99, 0.995, 0.999)
BETA2 = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999)
PAIRS: Floats = np.array([(one, two) for one in BETA1 for two in BETA2])
"""Every (β₁, β₂), (64, 2)."""
DECAY1, DECAY2 = np.ascontiguousarray(PAIRS.T)
"""The same, apart."""
UPDATES = 500
EARLY = 10
"""At the first update any gradient attains the bound: the share beyond so many is told apart."""
RANDOM = 20
"""Random streams of each kind."""
BURST = 20
"""Equal gradients before nothing but zeros."""
SLOPE_FROM = 300
"""Slopes are fitted from this update on."""
NORMAL, AWAY = (0.9, 0.999), 120
"""Where the usual decays are, and points on the line through them along the gradient of C."""

PAIR_COLUMNS = {
    "beta1": "decay of the mean gradient",
    "beta2": "decay of the squared gradient",
    "ratio": "r = β₁²/β₂; the bound is finite for ever below 1",
    "stability": "C = 2(1 − β₁)/β₁ − (1 − β₂)/β₂; positive where the flow is bounded",
    "log_bound": f"log₁₀ of the largest |m|/√v over all gradients after {UPDATES} updates",
    "log_flow_bound": f"the same of the flow after a time of {UPDATES} updates",
    "growth": "½ ln r: growth of the logarithm of the bound with an update, where positive",
    "flow_growth": "−C/2: the same of the flow",
    "attained": "|m|/√v of the worst stream over the bound, that of the update at which it is furthest from 1",
    "largest": f"largest |m|/√v over the bound by any other stream, at any of {UPDATES} updates",
    "largest_late": f"the same beyond the first {EARLY} updates",
    "exchanged": "largest |m|/√v of the worst stream over the bound with the two decays exchanged; a control",
    "burst": f"slope of ln(|m|/√v) after {BURST} equal gradients and then zeros, over ½ ln r; empty where r is below 1",
    "n": "other streams",
    "seed": "of the random ones",
}
LINE_COLUMNS = {
    "beta1": "decay of the mean gradient",
    "beta2": "decay of the squared gradient",
    "stability": "C",
    "flow_growth": "−C/2",
    "growth": "½ ln r",
    "slope": "of ln(|m|/√v) after a burst, with an update",
}


def bounds(seed: int) -> Result:
    """Streams of gradients against the bound, for every pair of decays; the flow's rate beside the exact one.

    Args:
        seed: of the random streams.
    """
    tables = {
        "pairs": Table.of(PAIR_COLUMNS, _pairs(seed)),
        "line": Table.of(LINE_COLUMNS, _line()),
    }
    return Result(BOUNDS, "The bound of Adam's update", {"updates": UPDATES, "burst": BURST}, {}, tables)


def ratios(gradients: Floats, beta1: Floats, beta2: Floats) -> Floats:
    """|m|/√v after every gradient, 0 where v is.

    Args:
        gradients: (updates, …).
        beta1: decays, of a shape that broadcasts with a gradient.
        beta2: likewise.
    """
    mean = square = np.zeros(())
    found = []
    for gradient in gradients:
        mean = beta1 * mean + (1 - beta1) * gradient
        square = beta2 * square + (1 - beta2) * gradient**2
        with np.errstate(invalid="ignore", divide="ignore"):
            found.append(np.where(square > 0, np.abs(mean) / np.sqrt(square), 0.0))
    return np.array(found)


def worst(beta1: Floats, beta2: Floats, updates: int = UPDATES) -> Floats:
    """Gradients (β₂/β₁)^i, scaled so that the largest is 1, which attain the bound at every update, (updates, …)."""
    powers = np.arange(updates).reshape(-1, *[1] * np.ndim(beta1)) * np.log(beta2 / beta1)
    return np.exp(powers - powers.max(0))


def _streams(seed: int) -> Floats:
    """Random normal and Cauchy ones, one sign in turn with the other, equal ones, and a burst, (updates, streams)."""
    generator = np.random.default_rng(seed)
    at = np.arange(UPDATES)
    return np.column_stack(
        [
            generator.standard_normal((UPDATES, RANDOM)),
            generator.standard_cauchy((UPDATES, RANDOM)),
            (-1.0) ** at,
            np.ones(UPDATES),
            (at < BURST).astype(np.float64),
        ]
    )


def _pairs(seed: int) -> list[dict[str, Any]]:
    beta1, beta2 = DECAY1, DECAY2
    at = np.arange(1, UPDATES + 1)[:, None]
    limits = bound(beta1, beta2, at)
    attained = ratios(worst(beta1, beta2), beta1, beta2)
    streams = _streams(seed)
    shares = ratios(streams[:, :, None], beta1, beta2) / limits[:, None]
    slopes = _slopes(ratios(_burst(), beta1, beta2))
    rate = growth(beta1, beta2)
    columns = {
        "beta1": beta1,
        "beta2": beta2,
        "ratio": ratio(beta1, beta2),
        "stability": stability(beta1, beta2),
        "log_bound": np.log10(limits[-1]),
        "log_flow_bound": log_flow_bound(beta1, beta2, UPDATES) / np.log(10),
        "growth": rate,
        "flow_growth": -stability(beta1, beta2) / 2,
        "attained": _furthest(attained / limits),
        "largest": shares.max((0, 1)),
        "largest_late": shares[EARLY:].max((0, 1)),
        "exchanged": (attained / bound(beta2, beta1, at)).max(0),
        "burst": np.where(rate > 0, slopes / rate, np.nan),
    }
    return [
        {name: float(values[i]) for name, values in columns.items()} | {"n": streams.shape[1], "seed": seed}
        for i in range(len(PAIRS))
    ]


def _burst() -> Floats:
    return (np.arange(UPDATES) < BURST).astype(np.float64)[:, None]


def _slopes(found: Floats) -> Floats:
    """Of the logarithm of what was found at every update, by least squares, (…,)."""
    return np.asarray(np.polyfit(np.arange(SLOPE_FROM, len(found)), np.log(found[SLOPE_FROM:]), 1)[0])


def _furthest(shares: Floats) -> Floats:
    """The share of every column that is furthest from 1."""
    return np.take_along_axis(shares, np.abs(shares - 1).argmax(0)[None], 0)[0]


def _line() -> list[dict[str, float]]:
    """Where the paper measured: along the gradient of C through the usual decays, on the side where C is negative."""
    beta1, beta2 = NORMAL
    along = np.array([-2 / beta1**2, 1 / beta2**2])
    last = (0.9995 - beta1) / along[0]
    points = np.array([NORMAL + step * along for step in np.linspace(0, last, AWAY)])
    one, two = points[stability(points[:, 0], points[:, 1]) < 0].T
    columns = (one, two, stability(one, two), -stability(one, two) / 2, growth(one, two))
    rows = zip(*columns, _slopes(ratios(_burst(), one, two)), strict=True)
    return [dict(zip(LINE_COLUMNS, map(float, row), strict=True)) for row in rows]
