"""The velocity of trained networks of rank one over training: roots on the way to the threshold, and ghosts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from mcinterp.analysis.statistics import interval_columns, mean_estimate
from mcinterp.results import Result, Table
from mcinterp.runs import Run, densify
from mcinterp.studies.ghost_points.dynamics import Floats
from mcinterp.studies.ghost_points.limits import share
from mcinterp.studies.ghost_points.networks import losses_of, transitions
from mcinterp.study.study import Setting
from mcinterp.task import make_task
from mcinterp.training.transition import Transition

FIELDS = "fields"
THRESHOLD = 1.0
"""The overlap at which the output is ½."""
NEAR_ZERO = 0.1
"""A lowest speed below this share of the fastest on the way is near zero."""
GRID = 401
AROUND = 25
"""Checkpoints of each network across its drop."""
WIDE = (-2.0, 3.0)
"""Overlaps at which velocities are drawn."""
WINDOWS = ("untrained", "plateau", "drop", "after", "end")

WINDOW_COLUMNS = {
    "window": "checkpoints looked at: untrained; before the drop; from its start to its end; after it; the last one",
    "n": "networks with a drop",
    "seed": "of the first",
    "checkpoints": "looked at, of all networks",
    **interval_columns(
        "rootless", "share of networks with a checkpoint there whose velocity leads to the threshold, without a root"
    ),
    **interval_columns(
        "ghost",
        f"share with one that has a ghost: rootless, and inside the way a lowest speed below {NEAR_ZERO:g} of the "
        "fastest (exact binomial intervals)",
    ),
    "n_lowest": "networks with a rootless checkpoint there, which the following is the average of",
    **interval_columns(
        "lowest", "least of the lowest speeds at these, over the fastest on the way; the ends count too"
    ),
}
STAGE_COLUMNS = {
    "stage": "when",
    "step": "updates done",
    "loss": "of this network",
    "start": "overlap at the beginning of the task, where the way to the threshold 1 starts",
    "root": "the root nearest to the start, anywhere; empty where there is none",
    "roots": "changes of the sign of the velocity on the way",
    "lowest": "lowest speed on the way",
    "at": "overlap where that is",
    "fastest": "fastest speed on the way",
    "rootless": "1 where the velocity leads all the way to the threshold",
    "ghost": f"1 where it does and has inside the way a lowest speed below {NEAR_ZERO:g} of the fastest",
}


def velocity_of(weights: Mapping[str, Any], network: int, overlap: Floats) -> Floats:
    """κ̇ = −κ + n·tanh(m κ + b) of a network of rank one."""
    m, n, b = (np.asarray(weights[name][network], dtype=np.float64).reshape(-1) for name in "mnb")
    return np.tanh(overlap[..., None] * m + b) @ n - overlap


def way_of(weights: Mapping[str, Any], network: int, start: float) -> Floats:
    """Overlaps from that of the state in which every unit is at `start` to the threshold."""
    overlap = start * float(np.asarray(weights["n"][network], dtype=np.float64).sum())
    return np.linspace(overlap, THRESHOLD, GRID)


def looked_at(weights: Mapping[str, Any], network: int, start: float) -> dict[str, float]:
    """Roots and speeds on the way to the threshold.

    Returns:
        `start`, `roots`, `lowest`, `at`, `fastest`; `rootless`, 1 where the velocity leads all the way to the threshold
        and not back from the start, else 0; `ghost`, likewise 1 or 0.
    """
    way = way_of(weights, network, start)
    field = velocity_of(weights, network, way)
    speed, roots = np.abs(field), int((np.diff(np.sign(field)) != 0).sum())
    slowest = int(speed.argmin())
    inside, leads = 0 < slowest < GRID - 1, bool((field * np.sign(THRESHOLD - way[0]) > 0).all())
    lowest, fastest = float(speed.min()), float(speed.max())
    return {
        "start": float(way[0]),
        "roots": roots,
        "lowest": lowest,
        "at": float(way[slowest]),
        "fastest": fastest,
        "rootless": float(leads),
        "ghost": float(leads and inside and lowest < NEAR_ZERO * fastest),
    }


def nearest_root(weights: Mapping[str, Any], network: int, start: float) -> float:
    """The root of the velocity that is nearest to an overlap; NaN without one."""
    wide = np.linspace(-6, 6, 2401)
    field = velocity_of(weights, network, wide)
    at = np.flatnonzero(np.diff(np.sign(field)) != 0)
    return float(wide[at][np.abs(wide[at] - start).argmin()]) if len(at) else float("nan")


def dense_around(setting: Setting, run: Run) -> list[Transition]:
    """Keep checkpoints across the drop of every network of a run; what the detector says of each.

    Raises:
        TrainingError: if replaying gives other numbers than the first time.
    """
    found, last = transitions(losses_of(run)), run.config.training.steps
    for transition in found:
        if transition.found:
            first, end = int(transition.start), min(last, int(np.ceil(transition.end)) + 1)
            densify(run.path, first, end, max(1, (end - first) // (AROUND - 1)), setting.device)
    return found


def fields(run: Run, others: Run, found: Sequence[Transition]) -> Result:
    """Roots and ghosts over training, and the velocity of the preset's network at stages of it.

    Args:
        run: of one network, which is drawn.
        others: of many of the same settings, with checkpoints across their drops.
        found: where these drop.
    """
    seen = _seen(others, found)
    rows = [_window(window, found, seen, others.config.training.seed) for window in WINDOWS]
    stages, arrays = _stages(run)
    tables = {"windows": Table.of(WINDOW_COLUMNS, rows), "stages": Table.of(STAGE_COLUMNS, stages)}
    facts = {"axes": {"overlap": ["overlap"], "velocity": ["row of stages", "overlap"]}, "threshold": THRESHOLD}
    facts["transition"] = run.transition.statement
    settings = {"near_zero": NEAR_ZERO, "points": GRID}
    return Result(FIELDS, "Velocity of trained networks", settings, facts, tables, arrays)


def _seen(run: Run, found: Sequence[Transition]) -> dict[int, dict[int, dict[str, float]]]:
    """Step → network with a drop → what its velocity is like."""
    start = _start(run)
    dropping = [i for i, transition in enumerate(found) if transition.found]
    seen = {}
    for step in run.steps if dropping else []:
        weights = run.checkpoint(step).weights
        seen[step] = {i: looked_at(weights, i, start) for i in dropping}
    return seen


def _start(run: Run) -> float:
    """The state that every unit begins in, as the task gives it."""
    return float(make_task(run.config.task).draw(1, torch.Generator()).inputs[0, 0])


def _in_window(window: str, step: int, last: int, transition: Transition) -> bool:
    places = {
        "untrained": step == 0,
        "plateau": 0 < step <= transition.start,
        "drop": transition.start < step <= transition.end,
        "after": step > transition.end,
        "end": step == last,
    }
    return bool(places[window])


def _window(
    window: str, found: Sequence[Transition], seen: Mapping[int, Mapping[int, dict[str, float]]], seed: int
) -> dict[str, Any]:
    last = max(seen, default=0)
    each = [
        [seen[step][i] for step in seen if _in_window(window, step, last, transition)]
        for i, transition in enumerate(found)
        if transition.found
    ]
    n = len(each)
    free = [[one for one in looks if one["rootless"]] for looks in each]
    lowest = [min(one["lowest"] / one["fastest"] for one in looks) for looks in free if looks]
    about = {"window": window, "n": n, "seed": seed, "checkpoints": sum(map(len, each)), "n_lowest": len(lowest)}
    about |= _share(sum(map(bool, free)), n, "rootless")
    about |= _share(sum(any(one["ghost"] for one in looks) for looks in each), n, "ghost")
    return about | mean_estimate(np.array(lowest or [np.nan])).columns("lowest")


def _share(count: int, n: int, name: str) -> dict[str, float]:
    """A share; empty of nothing."""
    return share(count, n, name) if n else dict.fromkeys((name, f"{name}_low", f"{name}_high"), float("nan"))


def _stages(run: Run) -> tuple[list[dict[str, Any]], dict[str, Floats]]:
    """The velocity of a run's first network before, in and after its drop, or over training where there is none."""
    overlap = np.linspace(*WIDE, GRID)
    losses = run.metrics["switch_loss"].to_numpy(dtype=np.float64)
    rows, velocities = [], []
    for stage, step in _chosen(run).items():
        weights = run.checkpoint(step).weights
        looks = looked_at(weights, 0, _start(run))
        # A checkpoint's weights are those that the next update's loss is measured with.
        loss = float(losses[min(step, len(losses) - 1)])
        root = nearest_root(weights, 0, looks["start"])
        rows.append({"stage": stage, "step": step, "loss": loss, "root": root, **looks})
        velocities.append(velocity_of(weights, 0, overlap))
    return rows, {"overlap": overlap, "velocity": np.stack(velocities)}


def _chosen(run: Run) -> dict[str, int]:
    """Checkpoints that are drawn, by what they are."""
    steps, transition = run.steps, run.transition
    if not transition.found:
        return {"untrained": steps[0], "middle": steps[len(steps) // 2], "end": steps[-1]}
    wanted = {
        "plateau": (transition.plateau_start + transition.start) / 2,
        "drop starts": transition.start,
        "steepest": transition.steepest,
        "drop ends": transition.end,
    }
    nearest = {stage: min(steps, key=lambda step: abs(step - at)) for stage, at in wanted.items()}
    return {"untrained": steps[0], **nearest, "end": steps[-1]}
