"""The equations: gradient flow and gradient descent on the exact loss, in closed form and integrated.

With A = E x xᵀ the loss of W is ½ tr((W − I) A (W − I)ᵀ), and its gradient in W is G = (W − I) A. A is diagonal with
a_p = μ_p²/s + σ_p² where the s clusters lie on the axes. Times are in units of the learning rate: the flow's t, or
updates times rate. Two layers W = U Uᵀ are integrated in U, so that W stays positive semidefinite.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcinterp.results import Result, Table
from mcinterp.studies.identity_mapping.config import IdentityConfig, LinearConfig
from mcinterp.studies.identity_mapping.model import initial_factor

Floats = NDArray[np.float64]

EQUATIONS = "equations"
STEP = 0.005
"""Of the integration (fourth-order Runge–Kutta) …"""
END = 40.0
"""… to this time, or …"""
LEARNED = 1e-9
"""… to where the loss at the test point is this share of its beginning: below, rounding decides what rises."""
DIAGONALS = (0.02, 0.1)
CORRELATIONS = (-0.9, -0.5, 0.0, 0.5, 0.9, 0.99)
KEPT = 10
"""Of so many points of a curve one is stored."""

ONE_COLUMNS = {
    "time": "learning rate × updates, of the flow",
    "concept": "which axis",
    "learned": "W_pp of the integrated flow",
    "closed_form": "1 − exp(−a_p t)",
}
TWO_COLUMNS = {
    "diagonal": "diagonal of the initial W",
    "correlation": "its other entries, as a share of the diagonal",
    "rise": "largest rise of the test point's loss after its lowest value so far, as a share of its beginning",
    "time": "when that rise is complete; empty without one",
    "training_rises": "integration steps in which the training loss rises",
    "deviation": "largest deviation from the closed form, as a share of the beginning; empty where there is none",
}
CURVE_COLUMNS = {
    "diagonal": TWO_COLUMNS["diagonal"],
    "correlation": TWO_COLUMNS["correlation"],
    "time": "learning rate × updates, of the flow",
    "ood_loss": "loss at the test point, as a share of its beginning",
    "loss": "training loss, as a share of its beginning",
}


def learned_after(rates: Sequence[float], updates: Floats, learning_rate: float) -> Floats:
    """What gradient descent on the exact loss has learned of every concept, 1 − (1 − η a_p)^k, (updates, concepts)."""
    return 1 - (1 - learning_rate * np.asarray(rates)) ** np.asarray(updates)[:, None]


def rise_of(curve: Floats) -> Floats:
    """Largest rise after the lowest value so far, along the first axis, as a share of the beginning; 0 if none."""
    return (curve - np.minimum.accumulate(curve)).max(0) / curve[0]


def descended(task: IdentityConfig, model: LinearConfig, learning_rate: float, updates: int) -> Floats:
    """The test point's loss along gradient descent on the exact loss in U, from before the first update on."""
    moment, point = np.diag(task.rates), np.asarray(task.signals)
    factor = initial_factor(model, task.d).numpy()
    losses = []
    for _ in range(updates):
        losses.append(_losses(factor, moment, point)[0])
        factor = factor + learning_rate * _downhill(factor, moment)
    return np.array(losses)


def equations(task: IdentityConfig) -> Result:
    """The flow of one layer and of two, from several beginnings, against the closed forms."""
    one = _one_layer(task)
    two, curves = _two_layers(task)
    tables = {
        "one_layer": Table.of(ONE_COLUMNS, one),
        "two_layers": Table.of(TWO_COLUMNS, two),
        "curves": Table.of(CURVE_COLUMNS, curves),
    }
    deviation = max(abs(row["learned"] - row["closed_form"]) for row in one)
    facts = {"rates": list(task.rates), "signals": list(task.signals), "one_layer_deviation": deviation}
    return Result(EQUATIONS, "The equations", {"step": STEP, "end": END}, facts, tables)


def _one_layer(task: IdentityConfig) -> list[dict[str, Any]]:
    moment, identity = np.diag(task.rates), np.eye(task.d)
    times, states = _integrated(np.zeros((task.d, task.d)), lambda weights: (identity - weights) @ moment, 10.0)
    return [
        {
            "time": time,
            "concept": concept + 1,
            "learned": state[concept, concept],
            "closed_form": 1 - np.exp(-task.rates[concept] * time),
        }
        for time, state in zip(times[::KEPT].tolist(), states[::KEPT], strict=True)
        for concept in range(task.d)
    ]


def _two_layers(task: IdentityConfig) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    moment, point = np.diag(task.rates), np.asarray(task.signals)
    # Below −1/(d − 1) nothing is positive semidefinite, so that there is no U.
    starts = [(d, c) for d in DIAGONALS for c in CORRELATIONS if c > -1 / max(1, task.d - 1)]
    factors = np.stack([_root(diagonal, correlation, task.d) for diagonal, correlation in starts])
    times, states = _integrated(factors, lambda factor: _downhill(factor, moment), END)
    ood, loss = _losses(states, moment, point)
    rows, curves = [], []
    for at, (diagonal, correlation) in enumerate(starts):
        about = {"diagonal": diagonal, "correlation": correlation}
        last = int(np.argmax(ood[:, at] < LEARNED * ood[0, at])) or len(times)
        exact = _logistic(task, diagonal, times) if correlation == 0 else None
        rows.append(about | _swing(times[:last], ood[:last, at], loss[:last, at], exact))
        shares = zip(times, ood[:, at] / ood[0, at], loss[:, at] / loss[0, at], strict=True)
        names = ("time", "ood_loss", "loss")
        curves += [about | dict(zip(names, map(float, row), strict=True)) for row in list(shares)[:last:KEPT]]
    return rows, curves


def _swing(times: Floats, ood: Floats, loss: Floats, exact: Floats | None) -> dict[str, Any]:
    above = ood - np.minimum.accumulate(ood)
    return {
        "rise": float(rise_of(ood)),
        "time": float(times[np.argmax(above)]) if above.any() else np.nan,
        "training_rises": int((np.diff(loss) > 0).sum()),
        "deviation": np.nan if exact is None else float(np.abs(ood - exact[: len(ood)]).max() / ood[0]),
    }


def _logistic(task: IdentityConfig, diagonal: float, times: Floats) -> Floats:
    """The test point's loss in closed form where W stays diagonal: w' = 4 a (1 − w) w."""
    learned = 1 / (1 + (1 / diagonal - 1) * np.exp(-4 * np.asarray(task.rates) * times[:, None]))
    return 0.5 * np.square(np.asarray(task.signals) * (1 - learned)).sum(1)


def _root(diagonal: float, correlation: float, d: int) -> Floats:
    model = LinearConfig(layers=2, symmetric=True, diagonal=diagonal, correlation=correlation)
    return initial_factor(model, d).numpy()


def _downhill(factor: Floats, moment: Floats) -> Floats:
    """−(G + Gᵀ) U."""
    gradient = (factor @ np.swapaxes(factor, -1, -2) - np.eye(factor.shape[-1])) @ moment
    return -(gradient + np.swapaxes(gradient, -1, -2)) @ factor


def _losses(factor: Floats, moment: Floats, point: Floats) -> tuple[Floats, Floats]:
    """The loss at the test point and the training loss of W = U Uᵀ."""
    error = factor @ np.swapaxes(factor, -1, -2) - np.eye(factor.shape[-1])
    ood = 0.5 * np.square(error @ point).sum(-1)
    return ood, 0.5 * np.einsum("...ij,jk,...ik->...", error, moment, error)


def _integrated(start: Floats, field: Callable[[Floats], Floats], end: float) -> tuple[Floats, Floats]:
    """Times, and states (times, …), by fourth-order Runge–Kutta in steps of `STEP`."""
    states, state = [start], start
    times: Floats = STEP * np.arange(round(end / STEP) + 1, dtype=np.float64)
    for _ in times[1:]:
        first = field(state)
        second = field(state + STEP / 2 * first)
        third = field(state + STEP / 2 * second)
        fourth = field(state + STEP * third)
        state = state + STEP / 6 * (first + 2 * second + 2 * third + fourth)
        states.append(state)
    return times, np.stack(states)
