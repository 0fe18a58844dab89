"""What a configuration takes at least, told without making any of it, and whether this machine has so much."""

from __future__ import annotations

import os

from mcinterp.config import RunConfig, TaskSection
from mcinterp.errors import InputError

COPIES = 4
"""What training keeps of every weight: itself, its gradient, and the two means of Adam."""


def weight_bytes(config: RunConfig) -> int:
    """Bytes that the weights of the run's model take at least, with the objects that hold them."""
    return config.model.weight_bytes(config.task)


def batch_bytes(task: TaskSection, n: int) -> int:
    """Bytes that inputs and targets of `n` samples take at least."""
    return n * task.sample_bytes()


def refuse_untrainable(config: RunConfig) -> None:
    """Refuse a training that this machine cannot hold, before anything of it is made.

    Raises:
        InputError: if its model or its batches are too large.
    """
    refuse_too_large(COPIES * weight_bytes(config), "training the configuration's model")
    size = config.training.batch_size
    a_sample = config.task.sample_bytes() + config.model.kept_bytes(config.task)
    refuse_too_large(size * a_sample, f"a step of training.batch_size {size}")


def refuse_too_large(n_bytes: int, what: str) -> None:
    """Refuse what takes more memory than the machine has.

    Raises:
        InputError: if it does; never where the system does not say how much it has.
    """
    there = _memory()
    if there is not None and n_bytes > there:
        raise InputError(f"{what} takes at least {_written(n_bytes)} of memory; this machine has {_written(there)}")


def _memory() -> int | None:
    """Bytes of memory that the machine has; None where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def _written(n_bytes: int) -> str:
    return f"{n_bytes / 2**30:,.1f} GiB" if n_bytes < 2**60 else "more than 1,000,000,000 GiB"
