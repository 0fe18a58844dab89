"""Freed memory that is kept: a step asks the system for nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

FAULTS = """
import resource, torch
from mcinterp.training.memory import keep_freed_memory

def fewest():
    faults = []
    for _ in range(6):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        blocks = [torch.ones(2**24) for _ in range(4)]
        del blocks
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    return min(faults)

given_back = fewest()
assert keep_freed_memory()
print(given_back, fewest())
"""


def faults() -> list[int]:
    """The fewest page faults, of six times, that making and freeing four blocks of 64 MB takes: before and after.

    Above 32 MB glibc gives every freed block back; below, it depends on what else lies in the heap.
    """
    done = subprocess.run([sys.executable, "-c", FAULTS], check=True, capture_output=True, text=True)
    return [int(word) for word in done.stdout.split()]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
def test_memory_is_asked_for_once() -> None:
    pages = 4 * 64 // 2  # of 2 MB, where the system takes those
    given_back, kept = faults()
    assert given_back >= pages
    assert kept < pages / 2


def test_without_glibc_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    from mcinterp.training import memory

    def missing(_name: str) -> None:
        raise OSError("libc.so.6: cannot open shared object file")

    monkeypatch.setattr(memory.ctypes, "CDLL", missing)
    assert not memory.keep_freed_memory()
