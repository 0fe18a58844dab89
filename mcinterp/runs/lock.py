"""One writer a run: an advisory lock that the operating system releases when its holder ends, however it ends."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mcinterp.errors import CheckpointError, RunBusyError, reason
from mcinterp.runs.files import tidy

LOCK = ".lock"
TIME = "%Y-%m-%d %H:%M:%S"

log = logging.getLogger(__name__)


@contextmanager
def sole_writer(folder: Path, *parts: str) -> Iterator[None]:
    """Hold a run's folder for writing; `.lock` names host, process and beginning of the holder meanwhile.

    A process that dies, even by SIGKILL, holds nothing any more. Between machines the lock is as good as the file
    system's `flock` (NFS version 4 has one); where there is none, a warning says so and the work goes on.

    Args:
        folder: of the run. What killed processes left half-written there is removed.
        parts: folders in it that will be written to.

    Raises:
        RunBusyError: if another process or thread holds it.
        CheckpointError: if the folder cannot be written to, or one of `parts` leads out of it.
    """
    if os.name != "posix":
        tidy(folder, *parts)
        yield
        return
    import fcntl

    try:
        # Not through a link: what it points to would be emptied.
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        raise CheckpointError(f"a run cannot be written to {folder}: {reason(error)}") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip() or "unknown"
            raise RunBusyError(f"another process is training run {folder.name} ({holder})") from None
        except OSError as error:
            log.warning(f"{folder} cannot be locked here ({error.strerror}): let no other process train it")
        tidy(folder, *parts)
        _say_who(descriptor)
        yield
        os.ftruncate(descriptor, 0)
    finally:
        # Closing releases the lock; the file stays, because removing it would let two holders see different files.
        os.close(descriptor)


def _say_who(descriptor: int) -> None:
    who = f"{socket.gethostname()}, since {time.strftime(TIME)}, process {os.getpid()}\n"
    os.ftruncate(descriptor, 0)
    try:
        os.pwrite(descriptor, who.encode(), 0)
    except OSError:  # a full disk: the lock holds without a name
        os.ftruncate(descriptor, 0)
