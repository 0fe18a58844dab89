"""An optimiser that only tests have, as a study would bring it: two means of every gradient, and one count for all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from mcinterp.config import TrainConfig
from mcinterp.declared import OptimiserKind
from mcinterp.training.optimisers import Optimiser, Parameters

KIND = OptimiserKind(fields=("beta1",), settings={"slow": 0.9, "every": 3}, place="two_speeds:TWO_SPEEDS")


class TwoSpeeds(torch.optim.Optimizer):
    """Every so many updates go along the slow mean, all others along the quick one."""

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float, quick: float, slow: float, every: int) -> None:
        super().__init__(parameters, {"lr": lr})
        self.quick, self.slow, self.every = quick, slow, every
        self.beat = torch.zeros((), dtype=torch.int64)

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        self.beat += 1
        chosen = "slow" if int(self.beat) % self.every == 0 else "quick"
        for group in self.param_groups:
            for parameter in group["params"]:
                state = self.state[parameter]
                state["quick"].lerp_(parameter.grad, 1 - self.quick)
                state["slow"].lerp_(parameter.grad, 1 - self.slow)
                parameter.sub_(state[chosen], alpha=group["lr"])


def build(parameters: Parameters, config: TrainConfig) -> torch.optim.Optimizer:
    slow, every = float(config.setting("slow")), int(config.setting("every"))
    return TwoSpeeds(list(parameters.values()), config.learning_rate, config.beta1, slow, every)


TWO_SPEEDS = Optimiser(build, kept={"quick": torch.zeros_like, "slow": torch.ones_like}, shared=("beat",))
