"""Embeddings of tokens, of positions and of token types, BERT's sum of the three, and the unembedding."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformer_lens.hook_points import HookPoint
from transformer_lens.utilities.tensors import get_offset_position_ids

from mcinterp.model.lens.config import HookedTransformerConfig
from mcinterp.model.lens.norm import LayerNorm
from mcinterp.model.shapes import Resid, Tokens


class Embed(nn.Module):
    """Token embedding, `W_E` (d_vocab, d_model)."""

    def __init__(self, cfg: HookedTransformerConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.W_E = nn.Parameter(torch.empty(cfg.d_vocab, cfg.d_model, dtype=cfg.dtype))

    def forward(self, tokens: Tokens) -> Resid:
        """Look up `tokens`."""
        return self.W_E[tokens]


class PosEmbed(nn.Module):
    """An embedding of its own for each position, `W_pos` (n_ctx, d_model)."""

    def __init__(self, cfg: HookedTransformerConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.W_pos = nn.Parameter(torch.empty(cfg.n_ctx, cfg.d_model, dtype=cfg.dtype))

    def forward(
        self,
        tokens: Tokens,
        past_kv_pos_offset: int = 0,
        attention_mask: Int[Tensor, "batch kept"] | None = None,
    ) -> Resid:
        """The embeddings of the tokens' positions.

        Args:
            tokens: only their number matters.
            past_kv_pos_offset: how many positions came before them.
            attention_mask: 0 at padding, of those before too; positions are counted from the first that is none, and
                padding's embedding is 0.
        """
        n_batch, n_pos = tokens.shape
        here = slice(past_kv_pos_offset, past_kv_pos_offset + n_pos)
        if attention_mask is None:
            return self.W_pos[here].expand(n_batch, -1, -1).clone()
        embedding = self.W_pos[get_offset_position_ids(past_kv_pos_offset, attention_mask)]
        return embedding.masked_fill(attention_mask[:, here, None] == 0, 0.0)


class TokenTypeEmbed(nn.Module):
    """An embedding for each of two token types, `W_token_type` (2, d_model)."""

    def __init__(self, cfg: HookedTransformerConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.W_token_type = nn.Parameter(torch.empty(2, cfg.d_model, dtype=cfg.dtype))

    def forward(self, token_type_ids: Tokens) -> Resid:
        """Look up token types."""
        return self.W_token_type[token_type_ids]


class BertEmbed(nn.Module):
    """LayerNorm of the sum of a token's, its position's and its type's embeddings."""

    def __init__(self, cfg: HookedTransformerConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.embed = Embed(cfg)
        self.pos_embed = PosEmbed(cfg)
        self.token_type_embed = TokenTypeEmbed(cfg)
        self.ln = LayerNorm(cfg)
        self.hook_embed, self.hook_pos_embed, self.hook_token_type_embed = HookPoint(), HookPoint(), HookPoint()

    def forward(self, input_ids: Tokens, token_type_ids: Tokens | None = None) -> Resid:
        """The first block's input; every token is of type 0 where no types are given."""
        types = torch.zeros_like(input_ids) if token_type_ids is None else token_type_ids
        token = self.hook_embed(self.embed(input_ids))
        position = self.hook_pos_embed(self.pos_embed(input_ids))
        return self.ln(token + position + self.hook_token_type_embed(self.token_type_embed(types)))


class Unembed(nn.Module):
    """From the residual stream to outputs: `W_U` (d_model, d_vocab_out) and `b_U`."""

    W_U: Tensor

    def __init__(self, cfg: HookedTransformerConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.W_U = nn.Parameter(torch.empty(cfg.d_model, cfg.d_vocab_out, dtype=cfg.dtype))
        self.b_U = nn.Parameter(torch.zeros(cfg.d_vocab_out, dtype=cfg.dtype))
        self.hook_in, self.hook_out = HookPoint(), HookPoint()

    def forward(self, residual: Resid) -> Float[Tensor, "batch pos d_vocab_out"]:
        """The outputs at every position."""
        return self.hook_out(F.linear(self.hook_in(residual), self.W_U.T.contiguous(), self.b_U))
