"""Where in its training a checkpoint is: before the drop, in it, or after it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from mcinterp.results import Result

Phase = Literal["before", "in", "after", "no drop", "unknown"]
WORDS: Mapping[Phase, str] = {
    "before": "on the plateau before the drop",
    "in": "within the drop",
    "after": "after the drop",
    "no drop": "of a run without a drop",
}


def phase_of(result: Result, beside: Mapping[str, Result]) -> Phase:
    """The phase of the checkpoint that a result is of, by the transition of the run's `training` result beside it."""
    step = result.provenance.get("step")
    transition = beside["training"].facts.get("transition") if "training" in beside else None
    if step is None or not transition:
        return "unknown"
    if not transition.get("found"):
        return "unknown" if transition.get("confidence") == "undecided" else "no drop"
    if step < transition["start"]:
        return "before"
    return "in" if step < transition["end"] else "after"
