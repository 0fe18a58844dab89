"""The sections of a configuration that passes are defined for."""

from __future__ import annotations

from mcinterp.config import ModelConfig, RunConfig, TaskConfig
from mcinterp.errors import InputError


def matrix_task(config: RunConfig) -> TaskConfig:
    """The task, for a pass that is defined for matrices.

    Raises:
        InputError: if it is of another kind.
    """
    if not isinstance(config.task, TaskConfig):
        raise InputError(f"this analysis is defined for matrices; the run's task is {config.task.kind}")
    return config.task


def transformer(config: RunConfig) -> ModelConfig:
    """The model's shape, for a pass that is defined for transformers.

    Raises:
        InputError: if it is another kind of model.
    """
    if not isinstance(config.model, ModelConfig):
        raise InputError(f"this analysis is defined for transformers; the run's model is {config.model.architecture}")
    return config.model
