"""A model's answers to many samples, computed in parts so that memory stays bounded."""

from __future__ import annotations

import torch
from torch import Tensor

from mcinterp.model import MatrixEncoder
from mcinterp.model.fused import fused_complete

PART = 256
"""Samples of one forward pass."""


@torch.no_grad()
def answers(model: MatrixEncoder, tokens: Tensor) -> Tensor:
    """The answer at every position, without hooks: token ids (n, pos) to values (n, pos)."""
    return torch.cat([fused_complete(model, part) for part in torch.split(tokens, PART)])
