"""The task: what is drawn, what is minimised, and what passes may ask of it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from mcinterp.task import Batch, ScoreKind, TaskBase
from sparse_parity.config import ParityConfig


class SparseParity(TaskBase[Batch]):
    """Answer the product of the first few of many signs.

    Inputs are independent signs ±1, (n, bits); targets are the product of the first `of`, (n,). No sign, and no smaller
    product of them, tells anything of it, so that a network stands at the error of answering 0 before it learns.
    """

    score_kinds: Mapping[str, ScoreKind] = {
        "parity_mse": ScoreKind("mean squared error; 1 for the answer 0"),
        "wrong": ScoreKind("share of answers with the wrong sign", beside=True),
    }
    progress_score = "parity_mse"
    loss_name = "mean squared error"

    def __init__(self, config: ParityConfig) -> None:
        self.config = config

    def draw(self, n: int, generator: torch.Generator) -> Batch:
        """Draw `n` samples; everything random comes from the generator, and stays on its device."""
        shape, device = (n, self.config.bits), generator.device
        return self._asked(2.0 * torch.randint(2, shape, generator=generator, device=device) - 1.0)

    def flipped(self, batch: Batch, bit: int) -> Batch:
        """The same samples with one of their bits flipped, counted from 0, and the targets that belong to them."""
        signs = batch.inputs.clone()
        signs[:, bit] *= -1
        return self._asked(signs)

    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        """The mean squared error of what the model answered, (n,)."""
        return (output - batch.targets).square().mean()

    def scores(self, output: Tensor, batch: Batch) -> Mapping[str, Tensor]:
        """What is written down at every step, of the same answers."""
        wrong = (output.sign() != batch.targets).float().mean()
        return {"parity_mse": self.loss(output, batch), "wrong": wrong}

    def _asked(self, signs: Tensor) -> Batch:
        return Batch(signs, signs[:, : self.config.of].prod(1))
