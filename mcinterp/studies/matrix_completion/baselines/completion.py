"""What every candidate shares: its settings, and how a batch is iterated until each matrix stands still."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class CompletionSettings:
    """What a candidate may know beside the observed values and the mask.

    Attributes:
        rank: of the matrices, as the task draws them.
        seed: of random starts and random subsets.
    """

    rank: int
    seed: int = 0


def zero_filled(values: Tensor, observed: Tensor) -> Tensor:
    """The observed values with 0 elsewhere, so that nothing that stands at a masked entry is ever read."""
    return torch.where(observed, values, torch.zeros_like(values))


def filled(values: Tensor, observed: Tensor, estimate: Tensor) -> Tensor:
    """The observed values with `estimate` elsewhere."""
    return torch.where(observed, values, estimate)


def until_still(
    update: Callable[..., Tensor], start: Tensor, fixed: tuple[Tensor, ...], tolerance: float, limit: int
) -> Tensor:
    """Iterate every element of a batch until it moves by no more than `tolerance`.

    Args:
        update: from the state and the rows of `fixed` of some elements to their next state.
        start: (b, …), the first state.
        fixed: tensors (b, …) that do not change.
        tolerance: largest change of any number of a state that counts as standing still.
        limit: at most so many iterations.

    Returns:
        (b, …), the last state.
    """
    state = start.clone()
    moving = torch.arange(len(start))
    for _ in range(limit):
        if not len(moving):
            break
        before = state[moving]
        after = update(before, *(tensor[moving] for tensor in fixed))
        state[moving] = after
        moving = moving[(after - before).abs().flatten(1).amax(1) > tolerance]
    return state
