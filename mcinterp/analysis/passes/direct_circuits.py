"""The circuits of a layer's heads along the residual stream alone, with the scales of LayerNorms frozen."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mcinterp.analysis.passes.frozen_norms import FrozenNorms
from mcinterp.analysis.statistics import Floats
from mcinterp.model.blocks import Blocks


@dataclass(frozen=True)
class DirectCircuits:
    """A layer's heads as the direct circuits have them, float64.

    Attributes:
        query: the average query by √d_head, (head, d_head).
        queries, keys: what a position and a token add to it and to a key: (pos, …) and (d_vocab, …), (head, d_head).
        writes: what they add to the answer with all the attention, (pos, head) and (d_vocab, head).
        direction: from a block's input to what the head writes of it, (d_model, head).
    """

    query: Tensor
    queries: tuple[Tensor, Tensor]
    keys: tuple[Tensor, Tensor]
    writes: tuple[Tensor, Tensor]
    direction: Tensor

    @classmethod
    @torch.no_grad()
    def of(cls, blocks: Blocks, frozen: FrozenNorms, layer: int, tokens: Tensor) -> DirectCircuits:
        block = blocks.blocks[layer]
        weight, bias = block.qkv.double(), block.qkv_bias.double()
        assert blocks.position is not None  # an encoder's
        positions = frozen.read(layer, blocks.position.double())
        values = frozen.read(layer, blocks.token.double())
        parts = (positions - positions.mean(0), values - values[tokens.flatten()].mean(0))
        queries, keys = (tuple(per_head(part, weight[:, which]) for part in parts) for which in (0, 1))
        direction = _direction(blocks, frozen, layer)
        return cls(
            per_head(frozen.means[layer], weight[:, 0]) + bias[0],
            (queries[0], queries[1]),
            (keys[0], keys[1]),
            (parts[0] @ direction, parts[1] @ direction),
            direction,
        )

    def relabelled(self, positions: Tensor, tokens: Tensor) -> DirectCircuits:
        """The same with what belongs to a position or token given to another."""
        q, k, w = ((pair[0][positions], pair[1][tokens]) for pair in (self.queries, self.keys, self.writes))
        return replace(self, queries=q, keys=k, writes=w)

    def of_positions(self) -> Tensor:
        """The QK circuit of positions, (head, query, key)."""
        return torch.einsum("qhd,khd->hqk", self.query + self.queries[0], self.keys[0])

    def of_tokens(self, tokens: Tensor) -> Tensor:
        """The QK circuit of tokens (…, token), (…, head, query token, key token)."""
        return attention_scores(self.query + self.queries[1][tokens], self.keys[1][tokens])

    def together(self, tokens: Tensor) -> Tensor:
        """Positions, tokens (batch, pos) and cross terms, (batch, head, query, key)."""
        queries = self.query + self.queries[0] + self.queries[1][tokens]
        return attention_scores(queries, self.keys[0] + self.keys[1][tokens])

    def written(self, tokens: Tensor) -> Tensor:
        """What each key of tokens (batch, pos) would write, (batch, pos, head)."""
        return self.writes[0] + self.writes[1][tokens]

    def stored(self, shown: Tensor) -> dict[str, Floats]:
        """The arrays of the result."""
        arrays = {
            "qk_position": self.of_positions(),
            "qk_token": self.of_tokens(shown),
            "ov_position": self.writes[0].T,
            "ov_token": self.writes[1][shown].T,
        }
        return {name: array.cpu().numpy() for name, array in arrays.items()}


def per_head(x: Tensor, weight: Tensor) -> Tensor:
    """(…, d_model) through (d_model, head, d_head): (…, head, d_head)."""
    return torch.tensordot(x, weight, dims=1)


def _direction(blocks: Blocks, frozen: FrozenNorms, layer: int) -> Tensor:
    """W_V W_O, the later LayerNorms and the read-out of each head, (d_model, head)."""
    block, read_out = blocks.blocks[layer], blocks.model.unembed.W_U.detach().double()
    out = (frozen.written(layer, block.w_out.double()) @ read_out)[..., 0]
    return torch.einsum("mhd,hd->mh", block.qkv[:, 2].double(), out)


def attention_scores(queries: Tensor, keys: Tensor) -> Tensor:
    """(…, query, head, d_head) and (…, key, head, d_head): (…, head, query, key)."""
    return torch.einsum("...qhd,...khd->...hqk", queries, keys)
