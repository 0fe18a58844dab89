"""Every error a user can meet.

All of them derive from `McinterpError`, carry one clear sentence, and reach the command line as that sentence alone
(exit code 1, or 2 for `UsageError`).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class McinterpError(Exception):
    """Root of the package's own errors."""


class ConfigError(McinterpError):
    """A configuration has an unknown field, a value of the wrong kind or values that contradict each other."""


class InputError(McinterpError):
    """Data handed to a function has the wrong shape, range or name."""


class UnansweredError(InputError):
    """A question has no answer here: there is nothing of what it asks about, such as masked entries."""


class CheckpointError(McinterpError):
    """A run or checkpoint on disk is missing, damaged or of another shape."""


class DamagedError(CheckpointError):
    """A file is not what was written: its bytes were changed, cut off or swapped, or it is gone."""


class WriteError(CheckpointError):
    """A file could not be written; what stood before stands.

    Attributes:
        full: whether the disk, or the user's share of it, is full.
    """

    full = False


class TrainingError(McinterpError):
    """Training cannot go on: the loss diverged, or the run belongs to another configuration."""


class StoppedError(TrainingError):
    """Training was asked to stop, as by Ctrl-C; the same call goes on from there."""


class InstallationError(McinterpError):
    """A library that mcinterp stands on is missing, of a version that does not have what it needs, or broken."""


class SolverError(McinterpError):
    """A numerical problem was not solved to the accuracy asked for."""


class FailedPassesError(McinterpError):
    """Some passes failed; the results of all others stand."""


class RunBusyError(TrainingError):
    """Another process is training the run; it can be continued when that one has ended."""


class PeerError(TrainingError):
    """Another of the processes that train a run together has failed, so that none of them can go on."""


class UsageError(McinterpError):
    """A command was called with words it does not understand (exit code 2)."""


def reason(error: Exception) -> str:
    """Why something failed, without the name of the file, which the sentence that this goes into has said."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def nearest_name(name: str, valid: Iterable[str]) -> str:
    """Say which valid name was probably meant.

    Returns:
        `"; did you mean 'X'?"` when one of `valid` is close to `name`, otherwise `"; valid: A, B, …"`; nothing where no
        name is valid.
    """
    options = sorted(valid)
    folded = {option.casefold(): option for option in reversed(options)}
    close = difflib.get_close_matches(name.strip().casefold(), folded, n=1)
    if close:
        return f"; did you mean {folded[close[0]]!r}?"
    return f"; valid: {', '.join(options)}" if options else ""
