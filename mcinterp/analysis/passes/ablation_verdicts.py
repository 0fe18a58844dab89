"""The verdicts of a page of ablations, with the false ones among them held down over all its sets and methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcinterp.analysis.judged import NEGLIGIBLE, Judged
from mcinterp.analysis.passes.ablation_controls import Beside, Controls
from mcinterp.analysis.statistics import false_discovery

SIGNIFICANT = 0.05
"""Share of false ones that is allowed among the verdicts of a page."""


@dataclass(frozen=True)
class Verdict:
    """What is said of one set under one method.

    Attributes:
        q_value: that its ablation changes the score, among all of the page.
        excess_q: that it stands out from its controls, among all of the page; NaN where that cannot be told.
        words: the verdict.
    """

    q_value: float
    excess_q: float
    words: str


def verdicts(sets: Sequence[tuple[Controls, Beside]], clean: float) -> list[Verdict]:
    """The verdicts of all sets and methods of a page; `clean` is the score of the model as it is."""
    changed = false_discovery(
        np.array([float(beside.delta.p_value) if controls.sizes else np.nan for controls, beside in sets])
    )
    outstanding = false_discovery(np.array([beside.p_value for _, beside in sets]))
    return [
        Verdict(float(q), float(excess_q), _words(controls, beside, float(q), float(excess_q), clean))
        for (controls, beside), q, excess_q in zip(sets, changed, outstanding, strict=True)
    ]


def _words(controls: Controls, beside: Beside, q_value: float, excess_q: float, clean: float) -> str:
    if controls.why_none:
        return controls.why_none
    if np.isnan(beside.delta.value):
        return "no verdict: nothing was scored"
    if np.isnan(excess_q):
        return "no verdict: too few other heads"
    others = "its layer's other heads" if controls.of_one_head else "random groups"
    if not beside.above and not beside.below:
        return f"within the range of {others}"
    said = _outstanding(beside, q_value < SIGNIFICANT) if excess_q < SIGNIFICANT else ""
    if not said:
        return f"beyond the range of {others}, undecided"
    value, low, high = (float(end) for end in (beside.excess.value, beside.excess.low, beside.excess.high))
    excess = Judged(value, low, high, negligible=NEGLIGIBLE * clean)
    return f"{said}, by less than {100 * NEGLIGIBLE:g} %" if excess.side == "equal" else said


def _outstanding(beside: Beside, changed: bool) -> str:
    """How a set stands out; empty where it is not decided whether it hurts or helps."""
    if beside.above:
        if beside.delta.value > 0 and changed:
            return "hurts more than every control"
        return "helps less than every control" if beside.controls.max() < 0 else ""
    if beside.delta.value < 0 and changed:
        return "helps more than every control"
    return "hurts less than every control" if beside.controls.min() > 0 else ""
