"""A model's answers to many samples, computed in parts so that memory stays bounded."""

from __future__ import annotations

import torch
from torch import Tensor

from mcinterp.model import MatrixEncoder
from mcinterp.model.fused import fused_complete

PART = 256
"""Samples of one forward pass."""


@torch.no_grad()
def answers(model: MatrixEncoder, tokens: Tensor, hooked: bool = False) -> Tensor:
    """The answer at every position: token ids (n, pos) to values (n, pos).

    Args:
        model: what answers.
        tokens: its inputs.
        hooked: whether the model's hooks fire; the pass without them is faster.
    """
    parts = torch.split(tokens, PART)
    return torch.cat([model.complete(part) if hooked else fused_complete(model, part) for part in parts])
