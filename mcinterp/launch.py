"""Whether this process is one of several that train together, as `accelerate launch` and torchrun start them."""

from __future__ import annotations

import os

from mcinterp.errors import UsageError


def n_launched() -> int:
    """How many processes were started together; 1 without a launcher."""
    return _number("WORLD_SIZE", 1)


def is_main() -> bool:
    """Whether this is the one that writes and prints."""
    return _number("RANK", 0) == 0


def refuse_several(what: str) -> None:
    """Allow `what` in a single process only.

    Raises:
        UsageError: if several were started, or fewer than were asked for.
    """
    if n_launched() > 1:
        raise UsageError(f"{what} is the work of one process: accelerate launch is for train, densify and retrain")


def refuse_lost_processes() -> None:
    """Notice that `accelerate launch --cpu --num_processes N`, which leaves N to mpirun, has started one process.

    Raises:
        UsageError: if so.
    """
    on_cpu = os.environ.get("ACCELERATE_USE_CPU", "").lower() == "true"
    if on_cpu and "MASTER_ADDR" in os.environ and "WORLD_SIZE" not in os.environ:
        raise UsageError(
            "accelerate launch --cpu has started a single process; for N of them on CPUs say accelerate launch "
            "--multi_gpu --num_processes N -m mcinterp train … --device cpu"
        )


def _number(name: str, unset: int) -> int:
    """A launcher's variable; `unset` where it is not there or, being no number, is no launcher's."""
    value = os.environ.get(name, "")
    return int(value) if value.isdecimal() and len(value) <= 9 else unset
