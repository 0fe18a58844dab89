"""Where a number that is none, NaN or infinite, first appears: in the weights, or on the way through a model."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from mcinterp.errors import CheckpointError
from mcinterp.task.finite import not_finite

HOOK = "hook_"
"""What is in the names of the places of a model that have one; where none has, the model is told as a whole."""
SCORES = "hook_attn_scores"
"""Where −∞ is meant: it is the score of a key that is not to be seen."""


def check_finite(weights: Mapping[str, Tensor], source: str) -> None:
    """See that all weights are numbers.

    Raises:
        CheckpointError: naming `source` and the first parameter that holds another.
    """
    for name, weight in weights.items():
        if problem := not_finite(weight):
            raise CheckpointError(f"{source}: {name} holds {problem}, so that nothing can be computed from it")


def check_answers(model: nn.Module, inputs: Tensor, source: str) -> None:
    """See that a model of finite weights also answers in numbers.

    Raises:
        CheckpointError: naming `source` and the first part of the model whose output holds another.
    """
    if problem := first_not_finite(model, inputs):
        raise CheckpointError(f"{source}: {problem}, so that nothing can be computed from it")


@torch.no_grad()
def first_not_finite(model: nn.Module, inputs: Tensor) -> str | None:
    """Where a forward pass first leaves the numbers.

    Args:
        model: any module; one with hook points is told to the hook point.
        inputs: of a batch.

    Returns:
        the first parameter that holds NaN or an infinity or, in the order in which they run, the first part of the
        model that gives one, with how many and the first sample; None if the output is finite.
    """
    for name, parameter in model.named_parameters():
        if problem := not_finite(parameter):
            return f"{name} holds {problem}"
    if not_finite(model(inputs)) is None:
        return None
    found: list[str] = []
    with ExitStack() as hooks:
        for name, part in model.named_modules():
            if name and HOOK not in name:
                continue
            hook = part.register_forward_hook(partial(_note, found, name or "its output"))
            hooks.callback(hook.remove)
        model(inputs)
    return found[0]


def _note(found: list[str], name: str, part: nn.Module, inputs: Any, output: Any) -> None:
    """A forward hook that writes down what its part gives, if it is the first that gives no numbers."""
    meant = -torch.inf if name.endswith(SCORES) else None
    if not found and isinstance(output, Tensor) and (problem := not_finite(output, meant)):
        found.append(f"{name} is {problem.replace('first in row', 'first in sample')}")
