"""Words that choose among a run's checkpoints, read before anything heavy is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mcinterp.errors import CheckpointError, UsageError

AUTO = "auto"
"""The choice that depends on where the run's drop is."""


def saved_steps(run: Path) -> list[int]:
    """Steps of the run in this folder that have a checkpoint, in order."""
    found = (folder.name.removeprefix("step-") for folder in run.glob("step-*") if folder.is_dir())
    return sorted(int(number) for number in found if number.isdecimal())


def chosen_steps(selection: str, steps: Sequence[int], run: str) -> list[int] | None:
    """The steps that `all`, `first`, `last`, or steps such as `0,4000` mean, in order; None for `auto`.

    Args:
        selection: the words.
        steps: those that have a checkpoint, in order.
        run: name of the run, for errors.

    Raises:
        UsageError: if it is none of these.
        CheckpointError: if a step has no checkpoint.
    """
    if not steps:
        raise CheckpointError(f"run {run} has no checkpoint yet")
    if selection.strip() in (AUTO, "all"):
        return None if selection.strip() == AUTO else list(steps)
    chosen = {_step(word.strip(), selection, steps) for word in selection.split(",")}
    absent = next((step for step in sorted(chosen) if step not in steps), None)
    if absent is not None:
        raise CheckpointError(f"run {run} has no checkpoint at step {absent}; {nearest_step(absent, steps)}")
    return sorted(chosen)


def nearest_step(step: int, steps: Sequence[int]) -> str:
    """What an error says of the checkpoint that is nearest to a step that has none."""
    return f"the nearest is {min(steps, key=lambda other: abs(other - step))}"


def _step(word: str, selection: str, steps: Sequence[int]) -> int:
    if word in (AUTO, "all"):
        raise UsageError(f"steps {selection!r:.80}: {word} stands alone, not among other steps")
    if word in ("first", "last"):
        return steps[0] if word == "first" else steps[-1]
    if not word.isdecimal() or len(word) > 18:
        raise UsageError(f"steps {selection!r:.80}: {word!r:.80} is neither a step nor auto, all, first or last")
    return int(word)
