"""Processes of which nothing is left, whatever becomes of the test that started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

SECONDS = 300
"""Longer than anything here takes on a busy machine."""
LOSSY = """
import signal, sys, threading, time, weakref

class Thing:
    pass

def tick(*_):
    thing = Thing()
    watched = weakref.ref(thing, lambda _: time.sleep(0.05))
    del thing

def ticking(main):
    while True:
        time.sleep(0.1)
        signal.pthread_kill(main, signal.SIGUSR1)

signal.signal(signal.SIGUSR1, tick)
threading.Thread(target=ticking, args=(threading.main_thread().ident,), daemon=True).start()
from mcinterp.cli import main
print("begun", flush=True)
main()
"""
"""The command line, half of the time inside a weak reference's callback: what is raised there, Python drops."""


@contextmanager
def started(
    words: Sequence[str], here: Path, env: Mapping[str, str] | None = None, **how: Any
) -> Iterator[subprocess.Popen[str]]:
    """A process in a session of its own, as a terminal has it, that heeds Ctrl-C wherever the tests run."""
    how = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | how
    with subprocess.Popen(words, cwd=here, env=env, start_new_session=True, preexec_fn=_heed, **how) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def lossy(*words: str) -> list[str]:
    """The line that starts a command in which half of all interrupts come where Python drops them."""
    return [sys.executable, "-c", LOSSY, *words]


def living(group: int) -> list[int]:
    """Processes of a session that have not ended."""
    stats = {int(path.parent.name): _stat(path) for path in Path("/proc").glob("[0-9]*/stat")}
    return [process for process, stat in stats.items() if stat[2:3] == [str(group)] and stat[0] != "Z"]


def wait_until(true: Callable[[], object]) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def _stat(path: Path) -> list[str]:
    """State, parent, group, … of a process; nothing if it is gone."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return path.read_text().rpartition(")")[2].split()
    return []


def _heed() -> None:
    """What runs in the background, as tests may, passes on that interrupts are ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
