"""Pieces of work, one after the other or side by side, that say what they do and what failed."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence

import torch

Report = Callable[[str], None]
Failures = list[str]
"""What failed, a line each."""
Work = Callable[[Report | None], Failures]


def counted(progress: Report | None, total: int) -> Report | None:
    """Say with every line how much is done."""
    done = itertools.count(1)
    return (lambda line: progress(f"{next(done)}/{total} {line}")) if progress else None


def all_done(work: Sequence[Work], jobs: int, progress: Report | None) -> Failures:
    """Do all of it, `jobs` pieces at the same time, each in a process of its own; what failed."""
    if jobs == 1 or len(work) <= 1:
        return [failure for each in work for failure in each(progress)]
    return _in_parallel(work, jobs, progress)


def _in_parallel(work: Sequence[Work], jobs: int, progress: Report | None) -> Failures:
    from joblib import Parallel, delayed

    threads = max(1, (os.cpu_count() or 1) // jobs)
    finished = Parallel(n_jobs=min(jobs, len(work)), return_as="generator_unordered", batch_size=1)(
        delayed(_collected)(each, threads) for each in work
    )
    failures: Failures = []
    for lines, failed in finished:
        failures += failed
        for line in lines:
            if progress:
                progress(line)
    return failures


def _collected(work: Work, threads: int) -> tuple[list[str], Failures]:
    """The lines that a piece of work reports, from a process of its own, and what failed."""
    torch.set_num_threads(threads)
    lines: list[str] = []
    failures = work(lines.append)
    return lines, failures
