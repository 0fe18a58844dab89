"""What is trained beside the study's own run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from mcinterp.config import RunConfig
from mcinterp.config.transformer import TransformerConfig
from mcinterp.errors import TrainingError
from mcinterp.runs import Run
from mcinterp.studies.knowledge_editing.config import CyclicFactsConfig
from mcinterp.study.study import Setting
from mcinterp.study.trained import FEW, changed, train_variants

OWN, NARROW, SHUFFLED = "own", "narrow", "shuffled"
NARROWER = 2 / 3
"""Width of the narrow network over that of the own, as far as its heads go: 16 of 24, which is the paper's width."""


def variants(config: RunConfig) -> dict[str, RunConfig]:
    """Name of a run → its configuration.

    Raises:
        TrainingError: if the own run is of another task.
    """
    if not isinstance(config.task, CyclicFactsConfig):
        raise TrainingError(f"the study's run must be of cyclic-facts, got one of {config.task.kind}")
    model = cast(TransformerConfig, config.model)
    widths = {
        "model.d_model": _narrower(model.d_model, model.n_heads),
        "model.d_mlp": _narrower(model.d_mlp, 1),
    }
    return {
        NARROW: changed(config, {**FEW, **widths}),
        SHUFFLED: changed(config, {**FEW, "task.answers": "shuffled"}),
    }


def _narrower(width: int, multiple: int) -> int:
    return max(multiple, round(NARROWER * width / multiple) * multiple)


def train_all(setting: Setting, run: Run) -> dict[str, Run]:
    """Train what is missing; every run by its name, the own one first.

    Raises:
        StoppedError: if a training was stopped.
        TrainingError: if one failed.
    """
    found: Mapping[str, Any] = train_variants(setting, run, variants(run.config))
    return {OWN: run, **found}
