"""When a curve leaves its plateau value for its last one: the same question to any measure with a value a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcinterp.analysis.statistics import Floats
from mcinterp.errors import InputError
from mcinterp.runs import Run

SHARES = (0.1, 0.5, 0.9)
"""Shares of the way from the plateau's value to the last one whose steps are reported; the first is the onset."""

LEAD_COLUMNS = {
    "measure": "what is followed",
    "first": "its value at the first checkpoint",
    "plateau": "its value at the checkpoint nearest the middle of the plateau (the first where there is no drop)",
    "last": "its value at the last checkpoint",
    "moved": "whether the intervals at plateau and last checkpoint lie apart",
    "onset_after": "last checkpoint at which it had done less than 10 % of its way from plateau to last value",
    "onset": "first checkpoint from which on it has done at least 10 % of that way: its onset lies between the two",
    "half": "first checkpoint from which on it has done half of that way",
    "most": "first checkpoint from which on it has done 90 % of that way",
    "lead": "onset of the loss minus onset of the measure, steps; positive means that the measure moves first",
    "lead_margin": "what the spacing of the checkpoints leaves open of it, ± steps (no other interval: one run)",
    "verdict": "before, with or after the loss: whether the two onsets' gaps between checkpoints lie apart",
}


@dataclass(frozen=True)
class Crossing:
    """When a curve crosses a share of its way for good.

    Attributes:
        after: last step before it.
        step: first step from which on the curve stays beyond it.
    """

    after: int
    step: int


def crossing(steps: Sequence[int], values: Floats, start: int, share: float) -> Crossing | None:
    """When a curve has done `share` of its way from its value at `start` to its last value, and does not come back.

    Args:
        steps: increasing, (n,).
        values: the curve at `steps`, (n,).
        start: one of the steps; what lies before it is not looked at.
        share: between 0 and 1.

    Returns:
        None if there is no way to go: `start` is the last step, or the two values are the same or not finite.

    Raises:
        InputError: if `start` is not among the steps.
    """
    steps = list(steps)
    if start not in steps:
        raise InputError(f"crossing: step {start} is not one of the curve's steps")
    steps, values = steps[steps.index(start) :], np.asarray(values, dtype=np.float64)[steps.index(start) :]
    way = values[-1] - values[0]
    if len(steps) < 2 or not np.isfinite(way) or way == 0:
        return None
    short = np.flatnonzero(~((values - values[0]) / way >= share))
    at = int(short[-1])
    return Crossing(steps[at], steps[at + 1])


def plateau_step(run: Run, steps: Sequence[int]) -> int:
    """The step nearest the middle of the run's plateau; the first where there is no drop."""
    transition = run.transition
    if not transition.found:
        return min(steps)
    middle = (transition.plateau_start + transition.start) / 2
    return min(steps, key=lambda step: abs(step - middle))


@dataclass(frozen=True)
class Curve:
    """A measure by step.

    Attributes:
        value, low, high: with its interval, (n_steps,); the interval may be NaN where there is none.
    """

    value: Floats
    low: Floats
    high: Floats

    def apart(self, one: int, other: int) -> bool:
        """Whether the values at two indices differ by more than their intervals allow."""
        return bool(self.high[one] < self.low[other] or self.high[other] < self.low[one])


def lead_rows(steps: Sequence[int], start: int, loss: Curve, measures: Mapping[str, Curve]) -> list[dict[str, Any]]:
    """For every measure, and the loss itself first, when it moves and whether that is before the loss does.

    Args:
        steps: of the checkpoints, increasing.
        start: where the plateau is; changes before it are not looked at.
        loss: what the others are compared with, at the same checkpoints.
        measures: the others, by name.
    """
    own = _crossings(steps, start, loss)[SHARES[0]]
    curves = {"loss": loss, **measures}
    return [_lead_row(name, curve, steps, start, own) for name, curve in curves.items()]


def _crossings(steps: Sequence[int], start: int, curve: Curve) -> dict[float, Crossing | None]:
    """No crossing for a curve that did not move: what it crosses is its noise."""
    moved = curve.apart(list(steps).index(start), -1)
    return {share: crossing(steps, curve.value, start, share) if moved else None for share in SHARES}


def _lead_row(name: str, curve: Curve, steps: Sequence[int], start: int, loss: Crossing | None) -> dict[str, Any]:
    at = list(steps).index(start)
    found = _crossings(steps, start, curve)
    onset = found[SHARES[0]]
    lead, margin = np.nan, np.nan
    if onset is not None and loss is not None:
        lead, margin = loss.step - onset.step, max(loss.step - loss.after, onset.step - onset.after)
    return {
        "measure": name,
        "first": float(curve.value[0]),
        "plateau": float(curve.value[at]),
        "last": float(curve.value[-1]),
        "moved": onset is not None,
        "onset_after": np.nan if onset is None else onset.after,
        **{
            column: np.nan if cross is None else cross.step
            for column, cross in zip(("onset", "half", "most"), found.values(), strict=True)
        },
        "lead": lead,
        "lead_margin": margin,
        "verdict": "the loss" if name == "loss" else _verdict(onset, loss),
    }


def _verdict(onset: Crossing | None, loss: Crossing | None) -> str:
    if onset is None:
        return "does not move"
    if loss is None:
        return "moves, the loss does not"
    if onset.step <= loss.after:
        return "before"
    return "after" if loss.step <= onset.after else "with"
