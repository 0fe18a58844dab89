"""One writer a run: an advisory lock that the operating system releases when its holder ends, however it ends."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mcinterp.errors import CheckpointError, RunBusyError

LOCK = ".lock"


@contextmanager
def sole_writer(folder: Path) -> Iterator[None]:
    """Hold a run's folder for writing; `.lock` names host and process of the holder meanwhile.

    A process that dies, even by SIGKILL, holds nothing any more. Between machines the lock is as good as the file
    system's `flock` (NFS version 4 has one).

    Raises:
        RunBusyError: if another process or thread holds it.
        CheckpointError: if the folder cannot be written to.
    """
    if os.name != "posix":
        yield
        return
    import fcntl

    try:
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise CheckpointError(f"a run cannot be written to {folder}: {error}") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip() or "unknown"
            raise RunBusyError(f"another process is training run {folder.name} ({holder})") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{socket.gethostname()}, process {os.getpid()}\n".encode(), 0)
        yield
        os.ftruncate(descriptor, 0)
    finally:
        # Closing releases the lock; the file stays, because removing it would let two holders see different files.
        os.close(descriptor)
