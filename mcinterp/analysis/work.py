"""Pieces of work, one after the other or side by side, that say what they do and what failed."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from multiprocessing.connection import Client, Listener
from threading import Thread

import torch

from mcinterp.runs.fanout import processes_without_signals

Report = Callable[[str], None]
Failures = list[str]
"""What failed, a line each."""
Work = Callable[[Report | None], Failures]


def counted(progress: Report | None, total: int) -> Report | None:
    """Say with every line how much is done."""
    done = itertools.count(1)
    return (lambda line: progress(f"{next(done)}/{total} {line}")) if progress else None


def all_done(work: Sequence[Work], jobs: int, progress: Report | None, slight: Sequence[Work] = ()) -> Failures:
    """Do all of it, `jobs` pieces at the same time, each in a process of its own; what failed.

    Lines come when they are said. Whatever ends this early, such as Ctrl-C, ends the processes.

    Args:
        work: what takes long enough for a process of its own.
        jobs: how many processes; 1 is this very one.
        progress: told every line.
        slight: what is done here and first, such as pieces whose results stand.
    """
    failures = [failure for each in slight for failure in each(progress)]
    if jobs == 1 or len(work) <= 1:
        return failures + [failure for each in work for failure in each(progress)]
    return failures + _in_parallel(work, jobs, progress)


def _in_parallel(work: Sequence[Work], jobs: int, progress: Report | None) -> Failures:
    from joblib import Parallel, delayed

    threads = max(1, (os.cpu_count() or 1) // jobs)
    # What waits in the queue of processes that are ended would be told of as a mistake, so that none waits there.
    how = {"return_as": "generator_unordered", "batch_size": 1, "pre_dispatch": "n_jobs"}
    parallel = Parallel(n_jobs=min(jobs, len(work)), **how)
    with _listening(progress) as address:
        with processes_without_signals():
            finished = parallel(delayed(_told)(each, threads, address) for each in work)
        with closing(finished):
            return [failure for failures in finished for failure in failures]


def _told(work: Work, threads: int, address: str | None) -> Failures:
    """Do a piece of work in a process of its own, and tell its lines to the one that listens; what failed."""
    torch.set_num_threads(threads)
    return work(partial(_tell, address) if address else None)


def _tell(address: str, line: str) -> None:
    with Client(address) as listener:
        listener.send(line)


@contextmanager
def _listening(progress: Report | None) -> Iterator[str | None]:
    """An address where other processes tell lines, which are passed on; all have been when this ends."""
    if progress is None:
        yield None
        return
    with Listener() as listener:
        thread = Thread(target=_pass_on, args=(listener, progress), daemon=True)
        thread.start()
        try:
            yield str(listener.address)
        finally:
            with Client(listener.address) as end:
                end.send(None)
            thread.join()


def _pass_on(listener: Listener, progress: Report) -> None:
    """Pass on what is told, until nothing is."""
    line: str | None = ""
    while line is not None:
        with suppress(EOFError, ConnectionError), listener.accept() as told:  # of a process that died
            line = told.recv()
            if line is not None:
                progress(line)
