"""How the kernels of a training step are called: one by one, replayed from a recording, or fused by a compiler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from mcinterp.errors import InputError, nearest_name

Forward = Callable[[Tensor], Tensor]
EAGER, GRAPH, COMPILED = KERNELS = ("eager", "graph", "compiled")
"""Ways to call them: one after the other; recorded as a CUDA graph at the first call and replayed, the same kernels
without what each call costs; or fused by torch.compile, whose numbers are the same to rounding and which takes a minute
first."""


def check_kernels(kernels: str, device: torch.device) -> None:
    """See that kernels can be called so on a device.

    Raises:
        InputError: for another name than those of `KERNELS`, or a graph on a device that has none.
    """
    if kernels not in KERNELS:
        known = ", ".join(KERNELS)
        raise InputError(f"kernels are called as one of {known}, not {kernels!r:.40}{nearest_name(kernels, KERNELS)}")
    if kernels == GRAPH and device.type != "cuda":
        raise InputError(f"kernels are called as a {GRAPH!r} on a CUDA device only, which {str(device)!r} is not")


def called_by(kernels: str, model: nn.Module, forward: Forward) -> Forward:
    """A training forward pass whose kernels, and those of its gradients, are called in one of the ways of `KERNELS`.

    Args:
        kernels: which.
        model: whose parameters get the gradients.
        forward: its forward pass; every call has inputs of the same shape.
    """
    if kernels == GRAPH:
        return _Recorded(model, forward)
    return torch.compile(_Pass(model, forward), dynamic=False) if kernels == COMPILED else forward


class _Pass(nn.Module):
    """A forward pass as a module, which tells torch the parameters that get gradients."""

    def __init__(self, model: nn.Module, forward: Forward) -> None:
        super().__init__()
        self.model, self._forward = model, forward

    def forward(self, inputs: Tensor) -> Tensor:
        return self._forward(inputs)


class _Recorded:
    """A forward pass that is recorded at its first call, in the precision of that call, and replayed from then on."""

    def __init__(self, model: nn.Module, forward: Forward) -> None:
        self._model, self._forward = model, forward
        self._replayed: Any = None

    def __call__(self, inputs: Tensor) -> Tensor:
        self._replayed = self._replayed or self._record(inputs)
        return self._replayed(inputs)

    def _record(self, inputs: Tensor) -> Any:
        kind = inputs.device.type
        bf16 = torch.is_autocast_enabled(kind)

        def in_precision(inputs: Tensor) -> Tensor:
            # Weights are cast at every replay, as they are then.
            with torch.autocast(kind, torch.bfloat16, enabled=bf16, cache_enabled=False):
                return self._forward(inputs)

        # Gradients are computed outside of autocast, here as without a recording.
        with torch.autocast(kind, enabled=False):
            plain = _Pass(self._model, in_precision)
            return torch.cuda.make_graphed_callables(plain, (inputs,), allow_unused_input=True)
