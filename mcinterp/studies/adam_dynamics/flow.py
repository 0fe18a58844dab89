"""Adam beside its flow in continuous time, on a quadratic: how far the two part, over the way they go."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from mcinterp.analysis.statistics import interval_columns, mean_estimate
from mcinterp.results import Result, Table
from mcinterp.studies.adam_dynamics.laws import Floats, correction, rates

FLOW = "flow"
CURVATURES: Floats = np.geomspace(0.1, 10.0, 10)
DECAYS = ((0.9, 0.999), (0.9, 0.99), (0.8, 0.95), (0.95, 0.999))
RATES = (0.001, 0.003, 0.01, 0.03)
SMALL, SMALLEST = 0.01, 0.001
"""The largest learning rate that is taken for small, and the one that it is compared with."""
WAY = 2.0
"""Learning rate × updates, the same at every rate."""
STARTS = 20
SUBSTEPS = 2
"""Runge–Kutta steps an update."""
BEGIN, FIRST = 1e-6, 40
"""The flow begins at this time, with means as a constant gradient leaves them: at 0 they are 0/0. So many steps, each
longer than the one before by the same share, lead to the first update."""

FLOW_COLUMNS = {
    "beta1": "decay of the mean gradient",
    "beta2": "decay of the squared gradient",
    "rate": "learning rate",
    "updates": "of Adam; times the learning rate they are the same everywhere",
    "n": "starts",
    "seed": "of the starts",
    **interval_columns("distance", "largest distance of Adam from its flow at any update, over the length of its way"),
    **interval_columns("exchanged", "the same from the flow with the two decays exchanged, a control"),
}
FALL_COLUMNS = {
    "beta1": "decay of the mean gradient",
    "beta2": "decay of the squared gradient",
    "n": "starts",
    "seed": "of the starts",
    **interval_columns("share", f"distance at the rate {SMALLEST:g} over that at {SMALL:g}, mean over starts"),
}


def flow(seed: int) -> Result:
    """Adam, without ε, and its flow from the same starts, normal(0, 1) in each of the dimensions.

    Args:
        seed: of the starts.
    """
    start = np.random.default_rng(seed).standard_normal((STARTS, len(CURVATURES)))
    rows, falls = [], []
    for betas in DECAYS:
        found = {rate: _distances(start, *betas, rate) for rate in RATES}
        about = {"beta1": betas[0], "beta2": betas[1]}
        rows += [about | {"rate": rate} | _row(rate, each, seed) for rate, each in found.items()]
        share = mean_estimate(found[SMALLEST][0] / found[SMALL][0]).columns("share")
        falls.append(about | {"n": STARTS, "seed": seed} | share)
    tables = {"distances": Table.of(FLOW_COLUMNS, rows), "falls": Table.of(FALL_COLUMNS, falls)}
    settings = {"curvatures": [float(CURVATURES[0]), float(CURVATURES[-1])], "dimensions": len(CURVATURES)}
    return Result(FLOW, "Adam and its flow", settings, {"small": SMALL}, tables)


def _row(rate: float, found: tuple[Floats, Floats], seed: int) -> dict[str, Any]:
    about = {"updates": round(WAY / rate), "n": STARTS, "seed": seed}
    distance, exchanged = (mean_estimate(each).columns(name) for each, name in zip(found, NAMES, strict=True))
    return about | distance | exchanged


NAMES = ("distance", "exchanged")


def _distances(start: Floats, beta1: float, beta2: float, rate: float) -> tuple[Floats, Floats]:
    """Of each start from the flow, and from the flow with exchanged decays, over Adam's way, (starts,)."""
    updates = round(WAY / rate)
    path = adam_path(start, beta1, beta2, rate, updates)
    way = np.linalg.norm(np.diff(path, axis=0), axis=-1).sum(0)
    flows = (flow_path(start, *betas, rate, updates) for betas in ((beta1, beta2), (beta2, beta1)))
    near, far = (np.linalg.norm(path - each, axis=-1).max(0) / way for each in flows)
    return near, far


def adam_path(start: Floats, beta1: float, beta2: float, rate: float, updates: int) -> Floats:
    """Where Adam without ε is after every update, (updates + 1, starts, dimensions)."""
    x, mean, square, path = start, np.zeros_like(start), np.zeros_like(start), [start]
    for n in range(1, updates + 1):
        gradient = CURVATURES * x
        mean = beta1 * mean + (1 - beta1) * gradient
        square = beta2 * square + (1 - beta2) * gradient**2
        x = x - rate * correction(beta1, beta2, n) * mean / np.sqrt(square)
        path.append(x)
    return np.array(path)


def flow_path(start: Floats, beta1: float, beta2: float, rate: float, updates: int) -> Floats:
    """The same of the flow at the times of the updates, by Runge and Kutta's fourth order.

    ẋ = −η c(t) m/√v, ṁ = a (g − m), v̇ = b (g² − v), a unit of time being an update.
    """
    a, b = map(float, rates(beta1, beta2))
    gradient = CURVATURES * start
    state = np.array([start, -np.expm1(-a * BEGIN) * gradient, -np.expm1(-b * BEGIN) * gradient**2])
    path = [start]
    for n in range(updates):
        times = np.linspace(n, n + 1, SUBSTEPS + 1) if n else np.geomspace(BEGIN, 1.0, FIRST + 1)
        for time, after in pairwise(times):
            state = _stepped(state, time, after - time, (a, b, rate))
        path.append(state[0])
    return np.array(path)


def _stepped(state: Floats, time: float, step: float, constants: tuple[float, float, float]) -> Floats:
    """One step, of m e^(at) and v e^(bt) in place of m and v: the latter then never falls, and so is never negative."""
    a, b, rate = constants

    def velocity(since: float, grown: Floats) -> Floats:
        x, mean, square = grown[0], grown[1] * np.exp(-a * since), grown[2] * np.exp(-b * since)
        gradient, now = CURVATURES * x, time + since
        corrected = np.sqrt(-np.expm1(-b * now)) / -np.expm1(-a * now)
        gained = a * np.exp(a * since) * gradient, b * np.exp(b * since) * gradient**2
        return np.array([-rate * corrected * mean / np.sqrt(square), *gained])

    one = velocity(0.0, state)
    two = velocity(step / 2, state + step / 2 * one)
    three = velocity(step / 2, state + step / 2 * two)
    four = velocity(step, state + step * three)
    x, mean, square = state + step / 6 * (one + 2 * two + 2 * three + four)
    return np.array([x, mean * np.exp(-a * step), square * np.exp(-b * step)])
