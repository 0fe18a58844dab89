"""Stored results, and whether they were made from the same as a fresh one would be."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mcinterp.errors import CheckpointError
from mcinterp.results import Result

KEPT, LEFT_OUT = "kept", "left out"


def stands(folder: Path, identity: Mapping[str, Any]) -> bool:
    """Whether a result was made from the same, by what it says of itself, or says that there was nothing to answer.

    Its numbers are not read for this. Whether there still is nothing to answer is asked again, which takes no time.
    """
    try:
        stored = Result.load(folder, numbers=False)
    except CheckpointError:
        return False
    if stored.why_unanswered:
        return stored.why_unanswered.startswith(LEFT_OUT)
    return all(stored.provenance.get(name) == value for name, value in identity.items())


def standing_result(folder: Path, identity: Mapping[str, Any]) -> tuple[Result | None, str]:
    """The stored result if it was made from the same; and `KEPT`, or why it does not do."""
    stored = stored_result(folder)
    if stored is None or stored.why_unanswered:
        return None, ""
    changed = [name for name, value in identity.items() if stored.provenance.get(name) != value]
    return (None, f" (again: other {', '.join(changed)})") if changed else (stored, KEPT)


def stored_result(folder: Path) -> Result | None:
    """What is stored there; None where there is nothing, or it is damaged."""
    try:
        return Result.load(folder)
    except CheckpointError:
        return None
