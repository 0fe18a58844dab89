"""k-Adam: Adam's normalisation k times over, each stage of what the one before it makes of the gradient."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

Stages = Sequence[Sequence[float]]


class KAdam(torch.optim.Optimizer):
    """Updates of k-Adam (arXiv 2411.05746), of which k = 1 is Adam.

    Stage i keeps the means m ← β₁ m + (1 − β₁) x and v ← β₂ v + (1 − β₂) x² of what it is given, x₀ being the gradient,
    and gives x_i = m̂ / (√v̂ + ε) with the means' bias corrected; weights lose the learning rate times x_k.

    What it keeps of a parameter stands in its state as `exp_avg_i` and `exp_avg_sq_i`, i from 1, and has to be there
    before the first update; `updates` counts these.

    Args:
        parameters: to train, or torch's groups of them with their own `weight_decay`.
        lr: learning rate.
        stages: (β₁, β₂) of each.
        eps: ε of every stage. With 0 a stage gives 0 where v is 0.
        weight_decay: before each update, weights lose the learning rate times this part of themselves.
    """

    def __init__(
        self, parameters: Iterable[Any], lr: float, stages: Stages, eps: float = 1e-8, weight_decay: float = 0.0
    ) -> None:
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay})
        self.stages, self.eps = stages, eps
        # On the host, so that no device is waited for.
        self.updates = torch.zeros((), dtype=torch.int64)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Make one update of every parameter that has a gradient."""
        self.updates += 1
        for group in self.param_groups:
            parameters = [parameter for parameter in group["params"] if parameter.grad is not None]
            if parameters:
                if group["weight_decay"]:
                    torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
                torch._foreach_add_(parameters, self.normalised(parameters), alpha=-group["lr"])

    def normalised(self, parameters: list[Tensor]) -> list[Tensor]:
        """x_k of parameters with their gradients, which the means take in: an update but for rate and sign."""
        given = [parameter.grad for parameter in parameters if parameter.grad is not None]
        for stage, betas in enumerate(self.stages, 1):
            means, squares = (
                [self.state[parameter][name] for parameter in parameters] for name in (mean_of(stage), square_of(stage))
            )
            given = self._stage(given, means, squares, *betas)
        return given

    def _stage(
        self, given: list[Tensor], means: list[Tensor], squares: list[Tensor], beta1: float, beta2: float
    ) -> list[Tensor]:
        torch._foreach_lerp_(means, given, 1 - beta1)
        torch._foreach_mul_(squares, beta2)
        torch._foreach_addcmul_(squares, given, given, 1 - beta2)
        n = int(self.updates)
        roots = torch._foreach_sqrt(squares)
        torch._foreach_div_(roots, (1 - beta2**n) ** 0.5)
        torch._foreach_add_(roots, self.eps)
        made = list(torch._foreach_div(means, 1 - beta1**n))
        torch._foreach_div_(made, roots)
        if self.eps == 0:
            return [torch.where(root > 0, each, 0.0) for each, root in zip(made, roots, strict=True)]
        return made


def mean_of(stage: int) -> str:
    """What a stage's mean is called in the state of a parameter; stages count from 1."""
    return f"exp_avg_{stage}"


def square_of(stage: int) -> str:
    """The same of its mean of squares."""
    return f"exp_avg_sq_{stage}"
