"""Adam without ε in float64, for networks side by side that each have decays of their own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mcinterp.studies.adam_dynamics.laws import Floats, correction


class ExactAdam:
    """The means of networks' gradients, and m/√v of them.

    Args:
        parameters: (networks, …) each, float64.
        beta1: decay of the mean gradient of every network, (networks,).
        beta2: of the squared gradient, likewise.
    """

    def __init__(self, parameters: Sequence[Tensor], beta1: Floats, beta2: Floats) -> None:
        self._betas = beta1, beta2
        self._means = [torch.zeros_like(each) for each in parameters]
        self.squares = [torch.zeros_like(each) for each in parameters]
        self.n = 0

    def ratios(self, gradients: Sequence[Tensor]) -> list[Tensor]:
        """m/√v once these gradients are taken in; 0 where v is."""
        self.n += 1
        beta1, beta2 = (torch.from_numpy(each) for each in self._betas)
        found = []
        for gradient, mean, square in zip(gradients, self._means, self.squares, strict=True):
            one, two = (_beside(each, gradient) for each in (beta1, beta2))
            mean.mul_(one).addcmul_(1 - one, gradient)
            square.mul_(two).addcmul_(1 - two, gradient.square())
            found.append(torch.where(square > 0, mean / square.sqrt(), 0.0))
        return found

    def corrections(self) -> Tensor:
        """What m/√v has to be multiplied by for the bias of both means, (networks,)."""
        return torch.from_numpy(correction(*self._betas, self.n))


def descend(parameters: Sequence[Tensor], ratios: Sequence[Tensor], scale: Tensor) -> None:
    """Subtract each network's m/√v times its scale, (networks,)."""
    with torch.no_grad():
        for parameter, found in zip(parameters, ratios, strict=True):
            parameter.addcmul_(_beside(scale, found), found, value=-1.0)


def largest(values: Sequence[Tensor]) -> Tensor:
    """The largest size of any entry of each network, (networks,)."""
    return torch.stack([each.flatten(1).abs().amax(1) for each in values]).amax(0)


def _beside(values: Tensor, entries: Tensor) -> Tensor:
    """A value of every network, shaped to go with its entries."""
    return values.view(-1, *[1] * (entries.ndim - 1))
