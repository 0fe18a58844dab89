"""What the model is asked: batches, tokens, matrices and masks."""

from mcinterp.task.batch import Batch, Task
from mcinterp.task.completion import MatrixBatch, MatrixCompletion

__all__ = ["Batch", "MatrixBatch", "MatrixCompletion", "Task"]
