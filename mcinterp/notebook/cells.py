"""What the last line of a cell shows, by what it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mcinterp.notebook.cards import checkpoint_card, run_card, transition_card
from mcinterp.notebook.section import show
from mcinterp.results import Result
from mcinterp.runs import Checkpoint, Run
from mcinterp.training import Transition

SHOWN: Mapping[type, Callable[[Any], str]] = {
    Result: lambda result: show(result)._repr_html_(),
    Run: run_card,
    Checkpoint: checkpoint_card,
    Transition: transition_card,
}


def cell(value: Any) -> str:
    """A result, a run, a checkpoint or a transition as HTML."""
    return next(draw for kind, draw in SHOWN.items() if isinstance(value, kind))(value)
