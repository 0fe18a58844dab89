"""What the model is asked: batches, tokens, matrices and masks."""

from mcinterp.config import TaskConfig
from mcinterp.task.batch import Batch, ScoreKind, Task
from mcinterp.task.completion import MatrixBatch, MatrixCompletion
from mcinterp.task.sequence import MatrixSequence

__all__ = ["Batch", "MatrixBatch", "MatrixCompletion", "MatrixSequence", "ScoreKind", "Task", "make_task"]

_TASKS = {"matrix-completion": MatrixCompletion, "matrix-sequence": MatrixSequence}


def make_task(config: TaskConfig) -> MatrixCompletion:
    """The task that a configuration describes."""
    return _TASKS[config.kind](config)
