"""Rotary positions: queries and keys are turned by where they stand, so that their products see distances.

Number i and number i + d_head / 2 of a query or key are a pair, which turns by 10000^(−2i / d_head) a position. Source:
Su et al. 2021, RoFormer (arXiv 2104.09864), in the pairing of GPT-NeoX.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from mcinterp.model.shapes import Turns


def turns_of(n_positions: int, d_head: int) -> Turns:
    """Cosines and sines of the angles of the first positions."""
    n_pairs = d_head // 2
    angles = torch.arange(n_positions)[:, None] / 10000 ** (torch.arange(n_pairs) / n_pairs)
    return torch.stack([angles.cos(), angles.sin()])


def turned(
    x: Float[Tensor, "*heads pos d_head"], turns: Float[Tensor, "2 *shared pos pair"]
) -> Float[Tensor, "*heads pos d_head"]:
    """Queries or keys turned by their positions; `turns` may be those of each sample."""
    cos, sin = turns.to(x.dtype)
    one, other = x.chunk(2, dim=-1)
    return torch.cat([one * cos - other * sin, other * cos + one * sin], dim=-1)
