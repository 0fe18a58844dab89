"""The rules of the updates by name, with what each has to remember to go on bit-identically."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from mcinterp.config import TrainConfig


@dataclass(frozen=True)
class Optimiser:
    """A rule of updates.

    Attributes:
        build: from the trained parameters and the configuration to torch's optimiser.
        kept: names of what it keeps of every parameter, tensors of the parameter's shape; with them it keeps the count
            of updates.
    """

    build: Callable[[list[nn.Parameter], TrainConfig], torch.optim.Optimizer]
    kept: tuple[str, ...] = ()


def _adam(parameters: list[nn.Parameter], config: TrainConfig) -> torch.optim.Optimizer:
    betas = (config.beta1, config.beta2)
    return torch.optim.Adam(parameters, lr=config.learning_rate, betas=betas, fused=True)


def _sgd(parameters: list[nn.Parameter], config: TrainConfig) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=config.learning_rate)


OPTIMISERS = {"adam": Optimiser(_adam, ("exp_avg", "exp_avg_sq")), "sgd": Optimiser(_sgd)}
