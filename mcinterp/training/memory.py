"""Memory that a training step gives back and the next one asks for again."""

from __future__ import annotations

import ctypes

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's `mallopt`."""
LARGEST = 2**30
"""Blocks up to this many bytes are kept."""


def keep_freed_memory() -> bool:
    """Have this process keep freed memory instead of handing it back to the system after every step.

    By default glibc returns large blocks at once, and a step of a small model then takes thousands of page faults to
    get the same memory again: about a tenth of its time.

    Returns:
        whether it took effect: not without glibc, where nothing is changed.
    """
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(MMAP_THRESHOLD, LARGEST) and mallopt(TRIM_THRESHOLD, 2**31 - 1))
