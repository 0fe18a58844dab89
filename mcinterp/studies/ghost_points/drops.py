"""The loss curves of the training of r, whose drop has a closed form, as a test of the detector of drops."""

from __future__ import annotations

from typing import Any

import numpy as np

from mcinterp.analysis.statistics import interval_columns, mean_estimate
from mcinterp.results import Result, Table
from mcinterp.studies.ghost_points.dynamics import (
    Floats,
    critical_rate,
    epochs_between,
    loss,
    optimum,
    path,
    r_of_loss,
    switch_time,
)
from mcinterp.studies.ghost_points.limits import TARGET, share
from mcinterp.training.transition import Transition, find_transition

RATES = (0.05, 0.1, 0.2, 0.5)
WATCHED = (1.5, 2.0, 4.0, 12.0)
"""A run is watched for so many times the epochs that the closed form takes to the optimum."""
TYPICAL = 2.0
AROUND = (8.0, 12.0)
"""Starts are drawn evenly from this range, in units of the optimum; the paper's is 10."""
STARTS = (2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 20.0)
"""The nearer to the optimum a run starts, the shorter is its plateau; these ask where the detector sees one no more."""
DRAWN = (10.0, 0.1)
"""Start in units of the optimum, and relative rate, of the runs that are drawn."""
LEFT = 0.95
"""The detector takes the plateau to be left where the curve has fallen to this share of it."""
N_DRAWN = 300

DROP_COLUMNS = {
    "relative": "learning rate over its critical value",
    "watched": "length of the curve, in epochs that the closed form takes to the optimum",
    "n": "runs",
    "seed": "of the starts",
    **interval_columns("found", "share of runs in which a drop was found (exact binomial interval)"),
    **interval_columns(
        "control_found",
        "the same with the switch time itself as parameter: no ghost, the loss is a straight line to the target",
    ),
    "n_found": "runs that the following are averages of",
    **interval_columns(
        "start",
        "start of the drop as found, less that of the closed form (down to 95 % of the plateau), over the latter",
    ),
    **interval_columns("steepest", "steepest fall as found, less the closed form's epoch at the optimum, likewise"),
    **interval_columns("end", "end of the drop as found, less the closed form's epoch at the optimum, likewise"),
}
START_COLUMNS = {
    "start": "start in units of the optimum",
    "plateau_share": "closed form: share of the epochs to the optimum before the loss is 95 % of its first value",
    "found": "whether the detector found a drop",
    "statement": "what it says",
}
MARK_COLUMNS = {
    "curve": "learned: below the critical rate; without a ghost: the switch time itself as parameter",
    "found": "whether the detector found a drop",
    "optimum": "closed form: epoch at the optimum",
    "closed_start": "closed form: epoch at which the loss is 95 % of the plateau found",
    "plateau": "its level, as found",
    "start": "start of the drop, as found",
    "steepest": "steepest fall, as found",
    "end": "end of the drop, as found",
    "statement": "what the detector says",
}


def drops(n_starts: int, seed: int) -> Result:
    """What the detector says of the loss curves of runs below the critical rate, beside the closed form.

    Args:
        n_starts: runs at each learning rate.
        seed: of the starts.
    """
    start = np.random.default_rng(seed + 4).uniform(*AROUND, n_starts)
    rows = [row for relative in RATES for row in _rows(relative, start, seed)]
    marks, arrays = _drawn()
    tables = {
        "drops": Table.of(DROP_COLUMNS, rows),
        "starts": Table.of(START_COLUMNS, [_from(one) for one in STARTS]),
        "marks": Table.of(MARK_COLUMNS, marks),
    }
    facts = {
        "axes": {name: ["epoch"] for name in arrays},
        "drawn": dict(zip(("start", "relative"), DRAWN, strict=True)),
    }
    return Result("drops", "The drop of the loss and its detector", {"target": TARGET}, facts, tables, arrays)


def _rows(relative: float, start: Floats, seed: int) -> list[dict[str, Any]]:
    best, rate = float(optimum(TARGET)), relative * float(critical_rate(TARGET))
    down = epochs_between(start * best, best, rate)
    r = path(start * best, rate, TARGET, int(max(WATCHED) * down.max()) + 1)
    curves, straight = loss(r, TARGET), _straight(start, down, len(r))
    return [
        {"relative": relative, "watched": watched, "n": len(start), "seed": seed}
        | _compared(curves, straight, (watched * down).astype(int), start * best, rate)
        for watched in WATCHED
    ]


def _straight(start: Floats, down: Floats, length: int) -> Floats:
    """The loss when the switch time is the parameter: constant steps to the target, and about it; (length, starts)."""
    first = loss(start * optimum(TARGET), TARGET)
    step = first / down
    fallen = first - step * np.arange(length)[:, None]
    # About the target such a run goes to and fro between two losses that add up to a step.
    rest = first - step * np.floor(first / step)
    odd = np.arange(length)[:, None] % 2 == np.floor(first / step) % 2
    return np.where(fallen > 0, fallen, np.where(odd, rest, step - rest)) + 1e-12


def _compared(curves: Floats, straight: Floats, lengths: Any, r: Floats, rate: float) -> dict[str, Any]:
    found = [_detected(curve[:n]) for curve, n in zip(curves.T, lengths, strict=True)]
    control = [_detected(curve[:n]).found for curve, n in zip(straight.T, lengths, strict=True)]
    there = [i for i, transition in enumerate(found) if transition.found]
    errors = np.array([_errors(found[i], float(r[i]), rate) for i in there]).reshape(-1, 3)
    columns = share(len(there), len(found), "found") | share(sum(control), len(control), "control_found")
    columns |= {"n_found": len(there)}
    for name, values in zip(("start", "steepest", "end"), errors.T, strict=True):
        estimate = mean_estimate(values if len(values) else np.array([np.nan]))
        columns |= estimate.columns(name)
    return columns


def _errors(found: Transition, r: float, rate: float) -> tuple[float, float, float]:
    start, down = _closed(found.plateau, r, rate)
    return found.start / start - 1, found.steepest / down - 1, found.end / down - 1


def _closed(plateau: float, r: float, rate: float) -> tuple[float, float]:
    """The closed form's epochs at which the plateau is left and the optimum reached."""
    left = float(epochs_between(r, r_of_loss(LEFT * plateau, TARGET), rate))
    return left, float(epochs_between(r, optimum(TARGET), rate))


def _detected(curve: Floats) -> Transition:
    return find_transition(np.arange(len(curve)), curve, axis="epoch", quantity="the loss")


def _from(start: float) -> dict[str, Any]:
    """One run from further or nearer, at the learning rate of the one that is drawn."""
    r, rate = start * float(optimum(TARGET)), DRAWN[1] * float(critical_rate(TARGET))
    left, down = _closed(float(loss(r, TARGET)), r, rate)
    found = _detected(loss(path(r, rate, TARGET, int(TYPICAL * down)), TARGET))
    return {"start": start, "plateau_share": left / down, "found": found.found, "statement": found.statement}


def _drawn() -> tuple[list[dict[str, Any]], dict[str, Floats]]:
    """One run as it is drawn, with the closed form and the control beside it."""
    start, relative = DRAWN
    best, rate = float(optimum(TARGET)), relative * float(critical_rate(TARGET))
    down = epochs_between([start * best], best, rate)
    epochs = np.unique(np.linspace(0, TYPICAL * down[0], N_DRAWN).astype(int))
    learned = loss(path(start * best, rate, TARGET, epochs[-1]), TARGET)
    straight = _straight(np.array([start]), down, epochs[-1] + 1)[:, 0]
    before = epochs[epochs <= down[0]]
    r = ((start * best) ** 2.5 - 5 * np.pi / 8 * rate * before) ** 0.4
    arrays = {
        "epoch": epochs.astype(np.float64),
        "learned": learned[epochs],
        "without_ghost": straight[epochs],
        "closed_form_epoch": before.astype(np.float64),
        "closed_form": 1 - switch_time(r) / TARGET,
    }
    curves = {"learned": learned, "without a ghost": straight}
    return [_mark(name, curve, start * best, rate) for name, curve in curves.items()], arrays


def _mark(name: str, curve: Floats, r: float, rate: float) -> dict[str, Any]:
    found = _detected(curve)
    left, down = _closed(found.plateau, r, rate)
    return {
        "curve": name,
        "found": found.found,
        "optimum": down,
        "closed_start": left if found.found else float("nan"),
        "plateau": found.plateau,
        "start": found.start,
        "steepest": found.steepest,
        "end": found.end,
        "statement": found.statement,
    }
