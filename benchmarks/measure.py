"""What the benchmarks share: timing in turns, ratios over rounds, and tables that say where they come from."""

from __future__ import annotations

import csv
import gc
import multiprocessing
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

import torch
from tabulate import tabulate

from mcinterp.runs.device import machine

RESULTS = Path(__file__).parent / "results"
Step = Callable[[], object]


def interleaved(candidates: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of every candidate in every round; all take their turn in each, after one warm-up of each."""
    for run in candidates.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, run in candidates.items():
            gc.collect()
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return seconds


@contextmanager
def apart(candidates: Mapping[str, Callable[[], Callable[[], object]]], threads: int) -> Iterator[dict[str, Step]]:
    """The candidates that the functions make, each in a process of its own that waits for its turn."""
    context = multiprocessing.get_context("spawn")
    ends = {}
    for name, make in candidates.items():
        ends[name], theirs = context.Pipe()
        context.Process(target=_serve, args=(make, threads, theirs), daemon=True).start()
    try:
        yield {name: partial(_turn, end) for name, end in ends.items()}
    finally:
        for end in ends.values():
            end.send(False)


def _serve(make: Callable[[], Callable[[], object]], threads: int, end: Connection) -> None:
    torch.set_num_threads(threads)
    run = make()
    while end.recv():
        run()
        end.send(None)


def _turn(end: Connection) -> None:
    end.send(True)
    end.recv()


def ratio(a: Sequence[float], b: Sequence[float]) -> tuple[float, float, float]:
    """How many times b is a, round by round: median, lowest, highest."""
    ratios = [one / other for one, other in zip(a, b, strict=True)]
    return median(ratios), min(ratios), max(ratios)


def store(name: str, rows: Sequence[Mapping[str, object]], folder: Path | None = None) -> None:
    """Print rows as a table and write them to results/<name>.csv, or elsewhere, with machine, versions and date."""
    print(tabulate([dict(row) for row in rows], headers="keys", floatfmt=".3g"))
    folder = folder or RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    columns = list(dict.fromkeys(column for row in rows for column in row))
    origin = provenance()
    with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*columns, *origin])
        writer.writeheader()
        writer.writerows({**row, **origin} for row in rows)


def provenance() -> dict[str, str]:
    """Machine, versions and date."""
    return {
        "machine": machine("auto"),
        "torch": version("torch"),
        "transformers": version("transformers"),
        "date": datetime.now(UTC).date().isoformat(),
    }
