"""LayerNorm with hook points at its scale and at what it normalises to."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformer_lens.hook_points import HookPoint

from mcinterp.model.lens.config import HookedTransformerConfig


class LayerNorm(nn.Module):
    """Normalise the last axis, then multiply by `w` and add `b`, both (d_model,)."""

    def __init__(self, cfg: HookedTransformerConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.w = nn.Parameter(torch.ones(cfg.d_model, dtype=cfg.dtype))
        self.b = nn.Parameter(torch.zeros(cfg.d_model, dtype=cfg.dtype))
        self.hook_scale = HookPoint()  # (batch, pos, 1)
        self.hook_normalized = HookPoint()  # (batch, pos, d_model)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (…, d_model), in float32 where numbers are half as long."""
        if self.cfg.dtype not in (torch.float32, torch.float64):
            x = x.float()
        x = x - x.mean(-1, keepdim=True)
        scale = self.hook_scale((x.pow(2).mean(-1, keepdim=True) + self.cfg.eps).sqrt())
        return self.hook_normalized(x / scale).to(self.cfg.dtype) * self.w + self.b
