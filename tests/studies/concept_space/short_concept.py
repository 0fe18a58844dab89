"""What fixtures of this folder give: the shortened study, and courses of planted values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mcinterp.studies.concept_space.courses import Course

SHORT = (
    "task.pixels=4",
    "model.width=12",
    "model.embedding=6",
    "training.steps=40",
    "training.warmup_steps=2",
    "training.batch_size=8",
    "training.checkpoints=6",
)
Carry = Callable[[Path, list[str], int], None]
Plant = Callable[..., Course]
