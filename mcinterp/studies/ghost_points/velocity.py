"""The velocity field over training: its lowest point has no root while a run learns, and holds the state for long."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

from mcinterp.analysis.statistics import interval_columns, mean_estimate
from mcinterp.results import Result, Table
from mcinterp.studies.ghost_points.dynamics import Floats, critical_rate, loss, optimum, path, switch_time, zone_edge
from mcinterp.studies.ghost_points.limits import EPOCHS, TARGET, starts

RUNS = {"learns": 0.1, "dies": 1.5}
"""Two runs that are drawn: relative learning rates."""
SHARES = (0.0, 0.5, 0.8, 0.95)
"""Stages on the way to the first epoch at or below the optimum, in shares of its epochs."""
FAR = 1e4
"""Integration stops at this many √r; from there to the switch it is another 1/(FAR √r)."""
SAFE = (0.05, 0.2, 0.5, 0.99)

STAGE_COLUMNS = {
    "run": "learns: a tenth of the critical rate; dies: one and a half times it",
    "stage": "when",
    "epoch": "epoch of training",
    "r": "parameter, which is the velocity at x = 0 and its lowest",
    "lowest": "lowest velocity on the grid",
    "at": "x where that is",
    "roots": "changes of the sign of the velocity on the grid",
    "switch_time": "t*, empty where there is none",
    "loss": "|T − t*|/T, 1 in the no-learning zone",
}
PASSAGE_COLUMNS = {
    "n": "values of r, evenly from the no-learning zone's edge to 15 times the optimum",
    "seed": "of these",
    **interval_columns("switch_ratio", "switch time by numerical integration over π/(2√r)"),
    **interval_columns("ghost_share", "share of it that is spent where the velocity is at most twice its lowest"),
}
LOWEST_COLUMNS = {
    "relative": "learning rate over its critical value",
    "n": "runs",
    "seed": "of the starts",
    "epochs": "of each",
    "lowest": "lowest r at any epoch of any run, over the no-learning zone's edge",
    "roots": "runs whose velocity had a root at any epoch",
}


def velocity(n_starts: int, seed: int) -> Result:
    """The velocity field at stages of two runs, and what it does to the state.

    Args:
        n_starts: runs, and values of r, that are looked at.
        seed: of these.
    """
    x = np.linspace(-4, 4, 161) * np.sqrt(optimum(TARGET))
    rows = [row for name, relative in RUNS.items() for row in _stages(name, relative, x)]
    arrays = {"x": x, "velocity": np.array([row["r"] + x**2 for row in rows])}
    tables = {
        "stages": Table.of(STAGE_COLUMNS, rows),
        "passage": Table.of(PASSAGE_COLUMNS, [_passage(n_starts, seed)]),
        "lowest": Table.of(LOWEST_COLUMNS, [_lowest(relative, n_starts, seed) for relative in SAFE]),
    }
    facts = {
        "axes": {"x": ["x"], "velocity": ["row of stages", "x"]},
        "target": TARGET,
        "optimum": float(optimum(TARGET)),
    }
    return Result("velocity", "The velocity field", {"target": TARGET}, facts, tables, arrays)


def _stages(run: str, relative: float, x: Floats) -> list[dict[str, Any]]:
    rate, best = relative * float(critical_rate(TARGET)), float(optimum(TARGET))
    r = path(_start(run) * best, rate, TARGET, int(2 * EPOCHS / relative))
    down = int(np.flatnonzero(r <= best)[0])
    epochs = {("start" if at == 0 else f"{at:.0%} of the way"): int(at * down) for at in SHARES}
    epochs |= {"optimum passed": down, "end": len(r) - 1}
    return [_stage(run, name, epoch, float(r[epoch]), x) for name, epoch in epochs.items()]


def _start(run: str) -> float:
    """In units of the optimum: the paper's 10, or near it the one that is led furthest by its step past the optimum."""
    if run == "learns":
        return 10.0
    candidates = np.linspace(10.0, 11.0, 101)
    best, rate = float(optimum(TARGET)), RUNS[run] * float(critical_rate(TARGET))
    r = path(candidates * best, rate, TARGET, EPOCHS)
    first = r[(r <= best).argmax(0), np.arange(len(candidates))]
    return float(candidates[first.argmin()])


def _stage(run: str, stage: str, epoch: int, r: float, x: Floats) -> dict[str, Any]:
    field = r + x**2
    time = float(switch_time(r))
    return {
        "run": run,
        "stage": stage,
        "epoch": epoch,
        "r": r,
        "lowest": float(field.min()),
        "at": float(x[field.argmin()]) + 0.0,
        "roots": int((np.diff(np.sign(field)) != 0).sum()),
        "switch_time": time if np.isfinite(time) else float("nan"),
        "loss": float(loss(r, TARGET)),
    }


def _passage(n: int, seed: int) -> dict[str, Any]:
    values = np.random.default_rng(seed + 5).uniform(0.25, 15, n) * optimum(TARGET)
    times = np.array([_integrated(float(r)) for r in values])
    ratio, within = times[:, 1] / switch_time(values), times[:, 0] / times[:, 1]
    columns = mean_estimate(ratio).columns("switch_ratio") | mean_estimate(within).columns("ghost_share")
    return {"n": n, "seed": seed} | columns


def _integrated(r: float) -> tuple[float, float]:
    """When the state passes √r, where the velocity is twice its lowest, and when it has switched; from x(0) = 0."""
    ends = [_passes(level * np.sqrt(r)) for level in (1.0, FAR)]
    ends[1].terminal = True
    way = solve_ivp(lambda t, x: r + x**2, (0, 1e6), [0.0], method="DOP853", events=ends, rtol=1e-12, atol=1e-14)
    return float(way.t_events[0][0]), float(way.t_events[1][0]) + 1 / (FAR * np.sqrt(r))


def _passes(level: float) -> Any:
    def event(t: float, x: Floats) -> float:
        return float(x[0] - level)

    return event


def _lowest(relative: float, n: int, seed: int) -> dict[str, Any]:
    """Over whole runs from their starts until long after the drop."""
    epochs = int(2 * EPOCHS / relative)
    r = path(starts(seed + 6, n) * optimum(TARGET), relative * critical_rate(TARGET), TARGET, epochs)
    rooted = int((r <= 0).any(0).sum())
    lowest = float(r.min() / zone_edge(TARGET))
    return {"relative": relative, "n": n, "seed": seed, "epochs": epochs, "lowest": lowest, "roots": rooted}
