"""Waiting on a full disk."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from mcinterp.errors import WriteError

WAIT_SECONDS = 1.0
"""Between two tries."""

log = logging.getLogger(__name__)


def until_space(write: Callable[[], None], give_up: Callable[[], bool]) -> None:
    """Write, again and again while the disk is full.

    Raises:
        WriteError: if something else forbids it, or `give_up` says so.
    """
    told = False
    while True:
        try:
            return write()
        except WriteError as error:
            if not error.full or give_up():
                raise
            if not told:
                log.warning(f"{error}; waiting until there is space")
            told = True
            time.sleep(WAIT_SECONDS)
