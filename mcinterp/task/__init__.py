"""What the model is asked: a `Task` by its kind, and its batches."""

from typing import Any

from mcinterp.config import TaskSection
from mcinterp.declared import load
from mcinterp.installed import task_kinds
from mcinterp.task.batch import Batch, ScoreKind, Task, TaskBase

__all__ = ["Batch", "ScoreKind", "Task", "TaskBase", "make_task"]


def make_task(config: TaskSection) -> Task[Any]:
    """The task that a configuration describes."""
    return load(task_kinds()[config.kind].task)(config)
