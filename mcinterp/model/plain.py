"""What training and runs ask of any module, and models that have no more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import torch
from torch import Tensor, nn

from mcinterp.errors import CheckpointError


class PlainModel(nn.Module):
    """A module that a run may train as it is: its forward pass goes from a batch's inputs to what the task scores."""

    def weights(self) -> dict[str, Tensor]:
        """Every parameter by name, detached, contiguous, on the CPU; buffers are left out."""
        return {name: parameter.detach().cpu().contiguous() for name, parameter in self.named_parameters()}

    def move(self, device: torch.device | str) -> Self:
        """Move to a device."""
        return self.to(device)


def trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that receive gradients, by name."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def load_weights(model: nn.Module, weights: Mapping[str, Tensor], source: str) -> None:
    """Copy weights into a model of the same shape.

    Raises:
        CheckpointError: naming `source` and the parameter, if one is missing, extra, or of another shape or dtype.
    """
    parameters = dict(model.named_parameters())
    check_weights(parameters, weights, source)
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(weights[name])


def check_weights(parameters: Mapping[str, Tensor], weights: Mapping[str, Tensor], source: str) -> None:
    """Compare names, shapes and kinds of number; `parameters` may be on the meta device.

    Raises:
        CheckpointError: naming `source` and the parameter, if one is missing, extra, or of another shape or dtype.
    """
    missing, extra = parameters.keys() - weights.keys(), weights.keys() - parameters.keys()
    if missing or extra:
        what = f"lacks {sorted(missing)[0]}" if missing else f"has an unknown tensor {sorted(extra)[0]}"
        raise CheckpointError(f"{source} {what}; the configuration describes another model")
    for name, parameter in parameters.items():
        got = weights[name]
        if got.shape != parameter.shape or got.dtype != parameter.dtype:
            expected = f"expected {parameter.dtype} {tuple(parameter.shape)}"
            raise CheckpointError(f"{source}: {name} is {got.dtype} {tuple(got.shape)}, {expected}")
