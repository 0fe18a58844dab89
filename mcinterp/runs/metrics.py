"""A run's metrics.csv as training writes it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from mcinterp.errors import CheckpointError
from mcinterp.runs.files import write_atomic
from mcinterp.runs.run import METRICS, Run
from mcinterp.task import make_task
from mcinterp.training.loop import StepRecord


class MetricsWriter:
    """Appends one line a step; the clock goes on where an earlier session stopped."""

    def __init__(self, file: TextIO, seconds: float) -> None:
        self._file = file
        self._start = time.monotonic() - seconds

    def write(self, record: StepRecord) -> None:
        """Append a step's line."""
        values = [record.loss, *record.scores.values(), record.learning_rate]
        seconds = round(time.monotonic() - self._start, 3)
        self._file.write(",".join([str(record.step), *map(repr, values), str(seconds)]) + "\n")

    def flush(self) -> None:
        """Wait until what was written is on the disk."""
        os.fsync(self._file.fileno())


@contextmanager
def metrics_file(run: Run, step: int) -> Iterator[MetricsWriter]:
    """Open metrics.csv to append after `step`; lines beyond it, of work that was lost, are dropped.

    Raises:
        CheckpointError: if lines before it are missing.
    """
    path = run.path / METRICS
    scores = make_task(run.config.task).score_names
    lines = [",".join(["step", "loss", *scores, "learning_rate", "seconds"])]
    if path.exists():
        lines = path.read_text(encoding="utf-8").splitlines()[: step + 1]
    if len(lines) != step + 1:
        raise CheckpointError(f"{path} lacks steps before step {step}, at which training goes on")
    seconds = float(lines[-1].rsplit(",", 1)[1]) if len(lines) > 1 else 0.0
    write_atomic(path, ("\n".join(lines) + "\n").encode())
    with path.open("a", buffering=1, encoding="utf-8") as file:
        yield MetricsWriter(file, seconds)
