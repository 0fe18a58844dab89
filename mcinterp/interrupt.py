"""Ctrl-C and SIGTERM: asked for at each step, or raised; lost in neither way.

Python raises KeyboardInterrupt wherever it happens to be. In a weak reference's callback or a finaliser, which any
library may run at any moment, nobody catches it: Python prints "Exception ignored" and goes on. A handler that only
takes note cannot be lost so; where there is no step to ask at, what was raised in vain is raised again.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

STOPPING = (signal.SIGINT, signal.SIGTERM)
AGAIN_SECONDS = 0.05
"""After this time an interrupt is raised again that was raised where nobody could catch it."""


@contextmanager
def stop_signal() -> Iterator[Callable[[], bool]]:
    """Turn Ctrl-C and SIGTERM into a question to ask at each step, so that no step is cut in half."""
    asked = False

    def ask(_signal: int, _frame: FrameType | None) -> None:
        nonlocal asked
        asked = True

    with handling(STOPPING, ask):
        yield lambda: asked


@contextmanager
def interrupts() -> Iterator[Callable[[], bool]]:
    """Raise KeyboardInterrupt on Ctrl-C and SIGTERM, again where it was raised in vain.

    What this process was started to ignore, as shells have it ignore Ctrl-C in the background, it ignores. Gives a
    question whether there was an interrupt: one that meets a library while it loads may come out as any error.
    """
    told, interrupted = sys.unraisablehook, False

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal interrupted
        interrupted = True
        signal.default_int_handler(number, frame)

    def again(ignored: UnraisableHookArgs) -> None:
        if issubclass(ignored.exc_type, KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS)
        else:
            told(ignored)

    heeded = [number for number in STOPPING if signal.getsignal(number) != signal.SIG_IGN]
    with handling([*heeded, signal.SIGALRM], interrupt):
        sys.unraisablehook = again
        try:
            yield lambda: interrupted
        finally:
            sys.unraisablehook = told
            signal.setitimer(signal.ITIMER_REAL, 0)


@contextmanager
def waiting_signals() -> Iterator[None]:
    """Have Ctrl-C and SIGTERM wait until this ends; processes that are started meanwhile never get them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def handling(numbers: Iterable[signal.Signals], handler: Any) -> Iterator[None]:
    """Have signals handled so, then as before; in other threads than the main one, which get none, nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, before in previous.items():
            signal.signal(number, before)
