"""What the model is asked: a `Task` by its kind; batches, tokens, matrices and masks."""

from collections.abc import Callable, Mapping
from typing import Any

from mcinterp.config import TaskSection
from mcinterp.task.batch import Batch, ScoreKind, Task
from mcinterp.task.completion import MatrixBatch, MatrixCompletion
from mcinterp.task.identity import IdentityBatch, IdentityMapping
from mcinterp.task.sequence import MatrixSequence
from mcinterp.task.switch import DelayedSwitch, SwitchBatch

__all__ = [
    "Batch",
    "DelayedSwitch",
    "IdentityBatch",
    "IdentityMapping",
    "MatrixBatch",
    "MatrixCompletion",
    "MatrixSequence",
    "ScoreKind",
    "SwitchBatch",
    "Task",
    "make_task",
]

_TASKS: Mapping[str, Callable[[Any], Task[Any]]] = {
    "matrix-completion": MatrixCompletion,
    "matrix-sequence": MatrixSequence,
    "identity-mapping": IdentityMapping,
    "delayed-switch": DelayedSwitch,
}


def make_task(config: TaskSection) -> Task[Any]:
    """The task that a configuration describes."""
    return _TASKS[config.kind](config)
