"""The attention of a block: what queries, keys and values are, whom a query may see, what heads add."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformer_lens import FactoredMatrix
from transformer_lens.cache.key_value_cache_entry import TransformerLensKeyValueCacheEntry
from transformer_lens.hook_points import HookPoint
from transformer_lens.utilities.tensors import get_offset_position_ids

from mcinterp.model.lens.config import HookedTransformerConfig
from mcinterp.model.rotary import turns_of
from mcinterp.model.shapes import Z

Scores = Float[Tensor, "batch head query key"]
Kept = Int[Tensor, "batch key"]
"""1 at keys that are tokens, 0 at padding; of those in a cache too."""


class Attention(nn.Module):
    """Heads with `W_Q`, `W_K`, `W_V` (head, d_model, d_head), `W_O` (head, d_head, d_model) and their biases.

    Buffers are those of TransformerLens 3.9, so that the state dicts of either load in the other.
    """

    mask: Tensor
    IGNORE: Tensor
    rotary_sin: Tensor
    rotary_cos: Tensor

    def __init__(self, cfg: HookedTransformerConfig) -> None:
        super().__init__()
        self.cfg = cfg
        of_head, bias = (cfg.n_heads, cfg.d_model, cfg.d_head), (cfg.n_heads, cfg.d_head)
        # In 3.9's order, in which initial weights are drawn.
        self.W_Q = nn.Parameter(torch.empty(of_head, dtype=cfg.dtype))
        self.W_O = nn.Parameter(torch.empty(cfg.n_heads, cfg.d_head, cfg.d_model, dtype=cfg.dtype))
        self.b_Q = nn.Parameter(torch.zeros(bias, dtype=cfg.dtype))
        self.b_O = nn.Parameter(torch.zeros(cfg.d_model, dtype=cfg.dtype))
        self.W_K = nn.Parameter(torch.empty(of_head, dtype=cfg.dtype))
        self.W_V = nn.Parameter(torch.empty(of_head, dtype=cfg.dtype))
        self.b_K = nn.Parameter(torch.zeros(bias, dtype=cfg.dtype))
        self.b_V = nn.Parameter(torch.zeros(bias, dtype=cfg.dtype))
        self.register_buffer("mask", torch.empty((0, 0), dtype=torch.bool))
        self.register_buffer("IGNORE", torch.tensor(-torch.inf))
        self._place_hooks()

    def _place_hooks(self) -> None:
        self.hook_k, self.hook_q, self.hook_v = HookPoint(), HookPoint(), HookPoint()  # (batch, pos, head, d_head)
        self.hook_z = HookPoint()  # (batch, pos, head, d_head)
        self.hook_attn_scores, self.hook_pattern = HookPoint(), HookPoint()  # (batch, head, query, key)
        self.hook_result = HookPoint()  # (batch, pos, head, d_model)
        self.turns = self.cfg.positional_embedding_type == "rotary"
        if self.turns:
            self.hook_rot_k, self.hook_rot_q = HookPoint(), HookPoint()
            cos, sin = turns_of(self.cfg.n_ctx, self.cfg.d_head).repeat(1, 1, 2).to(self.cfg.dtype)
            self.register_buffer("rotary_sin", sin)
            self.register_buffer("rotary_cos", cos)

    @property
    def QK(self) -> FactoredMatrix:  # noqa: N802
        """W_Q W_Kᵀ of each head, by which scores are formed."""
        return FactoredMatrix(self.W_Q, self.W_K.mT)

    @property
    def OV(self) -> FactoredMatrix:  # noqa: N802
        """W_V W_O of each head, by which it moves what it reads."""
        return FactoredMatrix(self.W_V, self.W_O)

    def forward(
        self,
        query_input: Tensor,
        key_input: Tensor,
        value_input: Tensor,
        past_kv_cache_entry: TransformerLensKeyValueCacheEntry | None = None,
        additive_attention_mask: Float[Tensor, "batch 1 1 key"] | None = None,
        attention_mask: Kept | None = None,
    ) -> Float[Tensor, "batch pos d_model"]:
        """What heads add to the residual stream.

        Args:
            query_input: what queries are made of, (batch, pos, d_model), or each head's own, (batch, pos, head,
                d_model); likewise `key_input` and `value_input`.
            past_kv_cache_entry: keys and values of earlier tokens, which are seen too; the new ones are added to it.
            additive_attention_mask: what scores are raised by.
            attention_mask: where keys are tokens, of causal attention.
        """
        q = self.hook_q(_by_head(query_input, self.W_Q, self.b_Q))
        k = self.hook_k(_by_head(key_input, self.W_K, self.b_K))
        v = self.hook_v(_by_head(value_input, self.W_V, self.b_V))
        earlier = 0
        if past_kv_cache_entry is not None:
            earlier = past_kv_cache_entry.past_keys.shape[1]
            k, v = past_kv_cache_entry.append(k, v)
        if self.turns:
            q = self.hook_rot_q(self._turned(q, earlier, attention_mask))
            k = self.hook_rot_k(self._turned(k, 0, attention_mask))
        scores = self._seen(q.transpose(1, 2) @ k.permute(0, 2, 3, 1) / self.cfg.attn_scale, earlier, attention_mask)
        if additive_attention_mask is not None:
            scores = scores + additive_attention_mask
        # A query that sees no key attends to none.
        pattern = self.hook_pattern(self.hook_attn_scores(scores).softmax(-1).nan_to_num(nan=0.0)).to(v)
        return self._added(self.hook_z((pattern @ v.transpose(1, 2)).transpose(1, 2)))

    def _turned(self, x: Z, earlier: int, attention_mask: Kept | None) -> Z:
        """Queries or keys, of which the first stands at position `earlier`, turned by where they stand."""
        positions: slice | Tensor = slice(earlier, earlier + x.shape[1])
        if attention_mask is not None:
            positions = get_offset_position_ids(earlier, attention_mask)
        cos, sin = self.rotary_cos[positions][..., None, :], self.rotary_sin[positions][..., None, :]
        one, other = x.chunk(2, dim=-1)
        return x * cos + torch.cat([-other, one], dim=-1) * sin

    def _seen(self, scores: Scores, earlier: int, attention_mask: Kept | None) -> Scores:
        """Scores, −∞ where causal attention does not look: at later keys and at padding."""
        if self.cfg.attention_dir != "causal":
            return scores
        seen = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril(earlier)
        if attention_mask is not None:
            seen = seen & attention_mask[:, None, None].bool()
        return torch.where(seen, scores, self.IGNORE)

    def _added(self, z: Z) -> Float[Tensor, "batch pos d_model"]:
        """The heads' outputs through W_O, one by one where `cfg.use_attn_result` asks for each."""
        if self.cfg.use_attn_result:
            return self.hook_result(torch.einsum("bphd,hdm->bphm", z, self.W_O)).sum(2) + self.b_O
        return F.linear(z.flatten(2), self.W_O.flatten(0, 1).T.contiguous(), self.b_O)


def _by_head(x: Tensor, weight: Float[Tensor, "head d_model d_head"], bias: Float[Tensor, "head d_head"]) -> Z:
    """Queries, keys or values, of an input that heads share or of each head's own."""
    if x.ndim == 4:
        return torch.einsum("bphm,hmd->bphd", x, weight) + bias
    return F.linear(x, weight.mT.flatten(0, 1), bias.flatten()).unflatten(-1, bias.shape)
