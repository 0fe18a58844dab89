"""A run's metrics.csv as training writes it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from mcinterp.errors import DamagedError
from mcinterp.runs.files import explained, write_atomic
from mcinterp.runs.run import METRICS, Run
from mcinterp.training.loop import StepRecord


class MetricsWriter:
    """Appends one line a step; the clock goes on where an earlier session stopped."""

    def __init__(self, file: FileIO, path: Path, seconds: float) -> None:
        self._file, self._path = file, path
        self._start = time.monotonic() - seconds
        self._waiting = b""

    def add(self, record: StepRecord) -> None:
        """Make a step's line, which `write` puts into the file."""
        values = [record.loss, *record.scores.values(), record.learning_rate]
        seconds = round(time.monotonic() - self._start, 3)
        self._waiting += (",".join([str(record.step), *map(repr, values), str(seconds)]) + "\n").encode()

    def write(self) -> None:
        """Write what waits; when that fails half-way, called again it goes on from there.

        Raises:
            WriteError: if the file cannot be written.
        """
        with explained(self._path):
            while self._waiting:
                self._waiting = self._waiting[self._file.write(self._waiting) or 0 :]

    def flush(self) -> None:
        """Wait until what was written is on the disk.

        Raises:
            WriteError: if it cannot be.
        """
        with explained(self._path):
            os.fsync(self._file.fileno())


@contextmanager
def metrics_file(run: Run, step: int) -> Iterator[MetricsWriter]:
    """Open metrics.csv to append after `step`; lines beyond it, of work that was lost, are dropped.

    Raises:
        DamagedError: if lines before it are missing, or no numbers.
        WriteError: if it cannot be written.
    """
    path = run.path / METRICS
    lines = [",".join(run.measured)]
    if step:
        if len(run.metrics) < step:
            raise DamagedError(f"{path} lacks steps before step {step}, at which training goes on")
        lines = path.read_text(encoding="utf-8").splitlines()[: step + 1]
    seconds = float(lines[-1].rsplit(",", 1)[1]) if step else 0.0
    write_atomic(path, ("\n".join(lines) + "\n").encode())
    with explained(path):
        file = FileIO(path, "a")
    with file:
        yield MetricsWriter(file, path, seconds)
