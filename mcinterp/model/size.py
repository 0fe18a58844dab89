"""What a configuration takes at least, told without making any of it, and whether this machine has so much."""

from __future__ import annotations

import os

from mcinterp.config import IdentityConfig, LinearConfig, ModelConfig, RunConfig, SwitchConfig, TaskConfig, TaskSection
from mcinterp.errors import InputError

LAYER_OBJECTS = 50_000
"""Bytes that the modules of a layer take beside its weights."""
COPIES = 4
"""What training keeps of every weight: itself, its gradient, and the two means of Adam."""


def least_size(config: ModelConfig) -> int:
    """Bytes that the weights of a transformer's blocks take, told without making it."""
    return 4 * config.n_layers * config.d_model * (4 * config.d_model + 2 * config.d_mlp)


def weight_bytes(config: RunConfig) -> int:
    """Bytes that the weights of the run's model take at least, with the objects that hold them."""
    model, task = config.model, config.task
    if isinstance(model, ModelConfig) and isinstance(task, TaskConfig):
        embeddings = 4 * model.d_model * (task.d_vocab + task.n_positions - 1)
        return least_size(model) + embeddings + LAYER_OBJECTS * (model.n_layers - 1)
    if isinstance(model, LinearConfig) and isinstance(task, IdentityConfig):
        return model.layers * (4 * task.d**2 + 500)
    if not isinstance(model, LinearConfig | ModelConfig) and isinstance(task, SwitchConfig):
        return 8 * task.networks * model.units * model.rank
    return 0


def batch_bytes(task: TaskSection, n: int) -> int:
    """Bytes that inputs and targets of `n` samples take at least."""
    if isinstance(task, TaskConfig):
        return n * (8 * task.n_positions + 4 * task.n_entries)
    return n * 4 * (task.d if isinstance(task, IdentityConfig) else 4 * task.target)


def refuse_untrainable(config: RunConfig) -> None:
    """Refuse a training that this machine cannot hold, before anything of it is made.

    Raises:
        InputError: if its model or its batches are too large.
    """
    refuse_too_large(COPIES * weight_bytes(config), "training the configuration's model")
    model, task, size = config.model, config.task, config.training.batch_size
    per_sample = batch_bytes(task, 1)
    if isinstance(model, ModelConfig) and isinstance(task, TaskConfig):
        # A block's input and its heads' patterns are kept for the gradient.
        kept = model.d_model + model.n_heads * task.n_positions
        per_sample += 4 * model.n_layers * task.n_positions * kept
    refuse_too_large(size * per_sample, f"a step of training.batch_size {size}")


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
