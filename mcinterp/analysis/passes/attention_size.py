"""What attention maps take, told before they are made."""

from __future__ import annotations

from typing import Any

import numpy as np

from mcinterp.analysis.sections import transformer
from mcinterp.task import make_task

MUCH = 2e8
"""Bytes from which on they are told of."""
ARRAYS = 3
"""Maps, and the ends of their intervals."""


def told_of_maps(config: Any) -> str:
    """A sentence on the memory and the room on disk that a checkpoint's maps take; empty where that is little.

    Args:
        config: of the run, whose task offers families of inputs for attention.
    """
    task: Any = make_task(config.task)
    shape = transformer(config)
    families, n_pos = len(task.inputs_for_attention()), len(task.position_labels())
    heads = shape.n_layers * shape.n_heads
    size = ARRAYS * np.dtype(np.float32).itemsize * families * heads * n_pos**2
    if size < MUCH:
        return ""
    return (
        f"attention: {families} {task.family_words.several} × {heads} heads × {n_pos} × {n_pos} positions take "
        f"{size / 1e9:.1f} GB of memory a checkpoint and up to as much on disk; --passes leaves them out, and "
        f"mcinterp.attention_maps makes those of fewer {task.family_words.several}"
    )
