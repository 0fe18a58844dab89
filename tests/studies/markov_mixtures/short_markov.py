"""What fixtures of this folder give: the shortened study, and readings of planted predictions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from mcinterp.analysis.passes.oracles import Bench
from mcinterp.studies.markov_mixtures.readings import Reading

SHORT = (
    "task.chains=8",
    "task.length=20",
    "model.d_model=8",
    "model.d_mlp=16",
    "training.steps=36",
    "training.warmup_steps=5",
    "training.batch_size=8",
    "training.checkpoints=5",
)
Carry = Callable[[Path, list[str], int], None]
Plant = Callable[[Callable[[Bench], list[Tensor]]], Reading]
