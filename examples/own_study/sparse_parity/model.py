"""The model: any module will do whose forward pass goes from a batch's inputs to what the task scores."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mcinterp.model.plain import PlainModel
from sparse_parity.config import NetworkConfig, ParityConfig


class OneLayer(PlainModel):
    """One hidden layer of rectified units; one number for each sample.

    Args:
        bits: numbers of an input.
        width: units of the hidden layer.
    """

    def __init__(self, bits: int, width: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(bits, width)
        self.out = nn.Linear(width, 1)

    def forward(self, signs: Tensor) -> Tensor:
        """Answers (n,) for inputs (n, bits)."""
        return self.out(self.hidden(signs).relu()).squeeze(-1)


def build(model: NetworkConfig, task: ParityConfig, seed: int) -> OneLayer:
    """The network that a configuration describes, with the initial weights of a seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return OneLayer(task.bits, model.width)
