"""A configuration that trains in a second, and a Ctrl-C for its training."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from mcinterp.config import RunConfig, TrainConfig
from mcinterp.studies.matrix_completion.config import ModelConfig, TaskConfig
from mcinterp.training.loop import StepRecord


def small_config(**sections: dict[str, object]) -> RunConfig:
    """5 × 5 rank 1, 2 layers of 2 heads at width 16, 40 steps; keyword sections override single fields."""
    task = {"rows": 5, "cols": 5, "rank": 1, "v_min": -2.0, "v_max": 2.0}
    model = {"n_layers": 2, "n_heads": 2, "d_model": 16, "d_mlp": 32, "init_std": "width"}
    training = {"steps": 40, "batch_size": 8, "learning_rate": 1e-3, "checkpoints": 6, "replay_states": 4}
    return RunConfig(
        task=TaskConfig(**task | sections.get("task", {})),
        model=ModelConfig(**model | sections.get("model", {})),
        training=TrainConfig(**training | sections.get("training", {})),
    )


def interrupt_at(*steps: int) -> Callable[[StepRecord], None]:
    """A progress callback that presses Ctrl-C after each of `steps` was written; the step after it is the last."""

    def progress(record: StepRecord) -> None:
        if record.step in steps:
            os.kill(os.getpid(), signal.SIGINT)

    return progress
