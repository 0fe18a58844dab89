"""The MLP of a block, with hook points before and after its GELU."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformer_lens.hook_points import HookPoint

from mcinterp.model.lens.config import HookedTransformerConfig
from mcinterp.model.shapes import Resid


class MLP(nn.Module):
    """Two layers with exact GELU between them: `W_in` (d_model, d_mlp), `W_out` (d_mlp, d_model) and their biases."""

    def __init__(self, cfg: HookedTransformerConfig) -> None:
        super().__init__()
        self.cfg = cfg
        d_mlp = cfg.d_mlp or 0  # there is a number, once a configuration is made
        self.W_in = nn.Parameter(torch.empty(cfg.d_model, d_mlp, dtype=cfg.dtype))
        self.b_in = nn.Parameter(torch.zeros(d_mlp, dtype=cfg.dtype))
        self.W_out = nn.Parameter(torch.empty(d_mlp, cfg.d_model, dtype=cfg.dtype))
        self.b_out = nn.Parameter(torch.zeros(cfg.d_model, dtype=cfg.dtype))
        self.hook_pre = HookPoint()  # (batch, pos, d_mlp)
        self.hook_post = HookPoint()  # (batch, pos, d_mlp)

    def forward(self, x: Resid) -> Resid:
        """What the MLP makes of its input."""
        hidden = self.hook_post(F.gelu(self.hook_pre(_affine(x, self.W_in, self.b_in))))
        return _affine(hidden, self.W_out, self.b_out)


def _affine(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return torch.addmm(bias, x.flatten(0, 1), weight).unflatten(0, x.shape[:2])
