"""Which learning rates lead into the no-learning zone, what happens there, and how runs settle that stay out of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from mcinterp.analysis.statistics import interval_columns, mean_estimate, share_estimate
from mcinterp.results import Result, Table
from mcinterp.studies.ghost_points.dynamics import (
    Floats,
    critical_rate,
    gradient,
    loss,
    optimum,
    path,
    switch_time,
    trained,
    zone_edge,
)

TARGETS = (50.0, 100.0, 200.0)
TARGET = 100.0
"""T where one is enough: in units of the optimum and the critical rate all T are the same."""
STARTS = (5.0, 15.0)
"""Starts are drawn evenly from this range, in units of the optimum, about the paper's 10."""
GROUPS = 10
EPOCHS = 600
"""From 15 times the optimum a run at the critical rate comes down in about 460 epochs."""
HALVINGS = 14
BELOW = 0.99
LONG = 10_000
SWEPT = (0.1, 0.3, 0.5, 0.8, 0.9, 0.99, 1.003, 1.01, 1.02, 1.05, 1.1, 1.5, 2.0, 3.0, 10.0)
SETTLING = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.9, 0.99)
SMALL_RATE = 0.1
"""Up to this share of the critical rate the updates are small enough for the closed form of the oscillation."""

CRITICAL_COLUMNS = {
    "target": "T, when the output has to switch",
    "n": "groups of starts",
    "starts": "starts a group",
    "seed": "of the starts",
    **interval_columns("rate", "lowest learning rate, by bisection, at which a start of a group ends in the zone"),
    "closed_form": "3π⁴/(32 T⁵)",
    **interval_columns("ratio", "rate over the closed form"),
    "dead_below": f"runs that ended in the zone at {BELOW} of the closed form",
    "runs_below": "of so many runs",
}
SLOPE_COLUMNS = {
    "n": "groups of starts, or starts",
    "seed": "of the starts",
    **interval_columns("slope", "of the least-squares line, both logarithmic"),
}
SWEEP_COLUMNS = {
    "relative": "learning rate over its critical value",
    "rate": "learning rate",
    "n": "runs",
    "seed": "of the starts",
    **interval_columns("dead", f"share of runs in the zone after {LONG:,} epochs (exact binomial interval)"),
    **interval_columns("without_switch", "share of runs at r ≤ 0 then, where the velocity has a root: no switch ever"),
}
ZONE_COLUMNS = {
    "target": "T, when the output has to switch",
    "n": "values of r in the zone, from −10 times the optimum to the last number below its edge",
    "largest_gradient": "largest |gradient| at these",
    "lowest_loss": "lowest loss at these",
    "edge_ratio": "lowest r with a gradient, by bisection, over π²/(16 T²)",
    "edge_gradient": "|gradient| there, times r^(3/2); π/4 in the closed form",
    "landed": "runs at twice the critical rate that ended in the zone",
    "left": f"of these, those that were not there {LONG:,} epochs later",
    "moved": "largest change of r in these epochs",
    "seed": "of the starts",
}
OSCILLATION_COLUMNS = {
    "relative": "learning rate over its critical value",
    "rate": "learning rate",
    "n": "starts",
    "seed": "of the starts",
    **interval_columns("size", "mean |r − optimum| of the settled run, over the optimum"),
    "closed_form": "⅜ of the relative rate: half of the step at the optimum, 2ηT³/π², over the optimum",
    **interval_columns("ratio", "size over the closed form"),
    "unmoved": "largest change of r with the same starts at rate 0",
}


def starts(seed: int, *shape: int) -> Floats:
    """Starts in units of the optimum."""
    return np.random.default_rng(seed).uniform(*STARTS, shape)


def dead(r: Floats, target: Floats | float) -> Any:
    """Whether r is in the no-learning zone."""
    return switch_time(r) > 2 * target


def share(count: int, n: int, name: str) -> dict[str, float]:
    """A share with its exact binomial interval, as columns."""
    return share_estimate(count, n).columns(name)


def critical(n_starts: int, seed: int) -> Result:
    """The lowest learning rate that leads into the zone, by bisection, for three target times.

    Args:
        n_starts: starts in each of the groups.
        seed: of the starts.
    """
    relative = starts(seed, len(TARGETS), GROUPS, n_starts)
    targets = np.reshape(TARGETS, (-1, 1, 1))
    found = _bisected(relative * optimum(targets), targets)
    rates = found * critical_rate(targets[..., 0])
    rows = [
        {"target": target, "n": GROUPS, "starts": n_starts, "seed": seed}
        | mean_estimate(rates[i]).columns("rate")
        | {"closed_form": float(critical_rate(target))}
        | mean_estimate(found[i]).columns("ratio")
        | _below(relative[i].ravel(), target)
        for i, target in enumerate(TARGETS)
    ]
    slopes = np.polyfit(np.log(TARGETS), np.log(rates), 1)[0]
    scaling = [{"n": GROUPS, "seed": seed} | mean_estimate(slopes).columns("slope")]
    tables = {"critical": Table.of(CRITICAL_COLUMNS, rows), "scaling": Table.of(SLOPE_COLUMNS, scaling)}
    settings = {"epochs": EPOCHS, "starts": list(STARTS), "halvings": HALVINGS}
    return Result("critical", "The critical learning rate", settings, {}, tables)


def _bisected(r: Floats, targets: Floats) -> Floats:
    """For every group the lowest relative rate, from ½ to 2, at which a start ends in the zone; (targets, groups)."""
    low, high = np.full((*r.shape[:2], 1), 0.5), np.full((*r.shape[:2], 1), 2.0)
    for _ in range(HALVINGS):
        middle = np.sqrt(low * high)
        ends = trained(r, middle * critical_rate(targets), targets, EPOCHS)
        any_dead = dead(ends, targets).any(-1, keepdims=True)
        low, high = np.where(any_dead, low, middle), np.where(any_dead, middle, high)
    return high[..., 0]


def _below(relative: Floats, target: float) -> dict[str, int]:
    """How many of the starts end in the zone a little below the closed form."""
    ends = trained(relative * optimum(target), BELOW * critical_rate(target), target, 2 * EPOCHS)
    return {"dead_below": int(dead(ends, target).sum()), "runs_below": len(relative)}


def sweep(n_starts: int, seed: int) -> Result:
    """What share of runs ends in the zone at each learning rate."""
    relative = np.reshape(SWEPT, (-1, 1))
    rates = relative * critical_rate(TARGET)
    ends = trained(starts(seed + 1, 1, n_starts) * optimum(TARGET) + 0 * rates, rates, TARGET, LONG)
    rows = [
        {"relative": one, "rate": float(rate[0]), "n": n_starts, "seed": seed}
        | share(int(dead(r, TARGET).sum()), n_starts, "dead")
        | share(int((r <= 0).sum()), n_starts, "without_switch")
        for one, rate, r in zip(SWEPT, rates, ends, strict=True)
    ]
    settings = {"epochs": LONG, "target": TARGET, "starts": list(STARTS)}
    return Result("rates", "Learning rates", settings, {}, {"rates": Table.of(SWEEP_COLUMNS, rows)})


def zone(n_starts: int, seed: int) -> Result:
    """Gradient and loss in the no-learning zone, where it ends, and whether runs ever leave it."""
    rows = [_zone_row(target, n_starts, seed) for target in TARGETS]
    return Result("zone", "The no-learning zone", {"epochs": LONG}, {}, {"zone": Table.of(ZONE_COLUMNS, rows)})


def _zone_row(target: float, n_starts: int, seed: int) -> dict[str, Any]:
    edge, best = zone_edge(target), optimum(target)
    inside = np.linspace(-10 * best, np.nextafter(edge, 0), 10_001)
    lowest = _lowest_with_gradient(target)
    ended = trained(starts(seed + 2, n_starts) * best, 2 * critical_rate(target), target, EPOCHS)
    landed = ended[dead(ended, target)]
    later = trained(landed, 2 * critical_rate(target), target, LONG)
    return {
        "target": target,
        "n": len(inside),
        "largest_gradient": float(np.abs(gradient(inside, target)).max()),
        "lowest_loss": float(loss(inside, target).min()),
        "edge_ratio": float(lowest / edge),
        "edge_gradient": float(np.abs(gradient(lowest, target)) * lowest**1.5),
        "landed": len(landed),
        "left": int((~dead(later, target)).sum()),
        "moved": float(np.abs(later - landed).max(initial=0.0)),
        "seed": seed,
    }


def _lowest_with_gradient(target: float) -> float:
    """Bisected to neighbouring numbers, without knowing where the zone ends."""
    low, high = 0.0, float(optimum(target)) / 2
    while low < (middle := (low + high) / 2) < high:
        low, high = (low, middle) if gradient(middle, target) != 0 else (middle, high)
    return high


def oscillation(n_starts: int, seed: int) -> Result:
    """How far settled runs stay from the optimum, by learning rate."""
    relative = np.reshape(SETTLING, (-1, 1))
    size = np.concatenate([_settled(one, starts(seed + 3, 1, n_starts)) for one in relative])
    ratio = size / (0.375 * relative)
    still = starts(seed + 3, n_starts) * optimum(TARGET)
    unmoved = float(np.abs(path(still, 0.0, TARGET, 100) - still).max())
    rows = [
        {"relative": one, "rate": one * float(critical_rate(TARGET)), "n": n_starts, "seed": seed}
        | mean_estimate(size[i]).columns("size")
        | {"closed_form": 0.375 * one}
        | mean_estimate(ratio[i]).columns("ratio")
        | {"unmoved": unmoved}
        for i, one in enumerate(SETTLING)
    ]
    tables = {"oscillation": Table.of(OSCILLATION_COLUMNS, rows), "slope": _slope(size, relative[:, 0], n_starts, seed)}
    facts = {"small_rate": SMALL_RATE}
    return Result("oscillation", "The residual oscillation", {"target": TARGET}, facts, tables)


def _settled(relative: Floats, start: Floats) -> Floats:
    """Mean |r − optimum| over the optimum at one relative rate; (1, starts)."""
    best, rate = optimum(TARGET), relative * critical_rate(TARGET)
    # As many epochs as the furthest start needs to come down, and a fifth more.
    down = int(1.2 * STARTS[1] ** 2.5 / (2.5 * 0.75 * relative[0]))
    settled = trained(start * best, rate, TARGET, down)
    return np.abs(path(settled, rate, TARGET, 4000)[1:] / best - 1).mean(0)


def _slope(size: Floats, relative: Floats, n_starts: int, seed: int) -> Table:
    small = relative <= SMALL_RATE
    slopes = np.polyfit(np.log(relative[small]), np.log(size[small]), 1)[0]
    return Table.of(SLOPE_COLUMNS, [{"n": n_starts, "seed": seed} | mean_estimate(slopes).columns("slope")])
