"""Blocks with a hook point at every activation: an encoder's, LayerNorm after the sums, and a causal transformer's."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor, nn
from transformer_lens.cache.key_value_cache_entry import TransformerLensKeyValueCacheEntry
from transformer_lens.hook_points import HookPoint
from transformer_lens.utilities.tensors import repeat_along_head_dimension

from mcinterp.model.lens.attention import Attention
from mcinterp.model.lens.config import HookedTransformerConfig
from mcinterp.model.lens.mlp import MLP
from mcinterp.model.lens.norm import LayerNorm
from mcinterp.model.shapes import Resid


class BertBlock(nn.Module):
    """Attention and MLP, each followed by the LayerNorm of its sum with its input."""

    def __init__(self, cfg: HookedTransformerConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.attn, self.ln1 = Attention(cfg), LayerNorm(cfg)
        self.mlp, self.ln2 = MLP(cfg), LayerNorm(cfg)
        self.hook_q_input, self.hook_k_input, self.hook_v_input = HookPoint(), HookPoint(), HookPoint()
        self.hook_attn_out, self.hook_mlp_in, self.hook_mlp_out = HookPoint(), HookPoint(), HookPoint()
        self.hook_resid_pre, self.hook_resid_mid, self.hook_resid_post = HookPoint(), HookPoint(), HookPoint()
        self.hook_normalized_resid_post = HookPoint()

    def forward(self, resid_pre: Resid, additive_attention_mask: Float[Tensor, "batch 1 1 pos"] | None = None) -> Resid:
        """The block's output, `hook_normalized_resid_post`.

        Args:
            resid_pre: the block's input.
            additive_attention_mask: what attention scores are raised by.
        """
        resid_pre = self.hook_resid_pre(resid_pre)
        inputs = [resid_pre] * 3
        if self.cfg.use_split_qkv_input:
            inputs = _split(self, resid_pre)
        added = self.hook_attn_out(self.attn(*inputs, additive_attention_mask=additive_attention_mask))
        normalised = self.ln1(_into_mlp(self, self.hook_resid_mid(resid_pre + added)))
        resid_post = self.hook_resid_post(normalised + self.hook_mlp_out(self.mlp(normalised)))
        return self.hook_normalized_resid_post(self.ln2(resid_post))


class TransformerBlock(nn.Module):
    """Attention and MLP, each of the LayerNorm of the residual stream to which it adds; or attention alone."""

    def __init__(self, cfg: HookedTransformerConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.ln1 = LayerNorm(cfg)
        if not cfg.attn_only:
            self.ln2 = LayerNorm(cfg)
        self.attn = Attention(cfg)
        if not cfg.attn_only:
            self.mlp = MLP(cfg)
        self.hook_attn_in = HookPoint()
        self.hook_q_input, self.hook_k_input, self.hook_v_input = HookPoint(), HookPoint(), HookPoint()
        self.hook_mlp_in, self.hook_attn_out, self.hook_mlp_out = HookPoint(), HookPoint(), HookPoint()
        self.hook_resid_pre = HookPoint()
        if not cfg.attn_only:
            self.hook_resid_mid = HookPoint()
        self.hook_resid_post = HookPoint()

    def forward(
        self,
        resid_pre: Resid,
        past_kv_cache_entry: TransformerLensKeyValueCacheEntry | None = None,
        attention_mask: Int[Tensor, "batch key"] | None = None,
    ) -> Resid:
        """The block's output, `hook_resid_post`.

        Args:
            resid_pre: the block's input.
            past_kv_cache_entry: keys and values of earlier tokens.
            attention_mask: 1 at keys that are tokens, 0 at padding.
        """
        resid_pre = self.hook_resid_pre(resid_pre)
        # Each of the three is normalised by itself, for a hook may have changed one of them.
        inputs = [self.ln1(each) for each in self._attention_inputs(resid_pre)]
        added = self.attn(*inputs, past_kv_cache_entry=past_kv_cache_entry, attention_mask=attention_mask)
        resid = resid_pre + self.hook_attn_out(added)
        if not self.cfg.attn_only:
            resid = self.hook_resid_mid(resid)
            resid = resid + self.hook_mlp_out(self.mlp(self.ln2(_into_mlp(self, resid))))
        return self.hook_resid_post(resid)

    def _attention_inputs(self, resid: Resid) -> list[Tensor]:
        """What queries, keys and values are made of."""
        if self.cfg.use_split_qkv_input:
            return _split(self, resid)
        if self.cfg.use_attn_in:
            return [self.hook_attn_in(repeat_along_head_dimension(resid, self.cfg.n_heads))] * 3
        return [resid] * 3


def _split(block: BertBlock | TransformerBlock, resid: Resid) -> list[Float[Tensor, "batch pos head d_model"]]:
    """A copy of the residual stream for the queries, the keys and the values of each head."""
    hooks = (block.hook_q_input, block.hook_k_input, block.hook_v_input)
    return [hook(repeat_along_head_dimension(resid, block.cfg.n_heads)) for hook in hooks]


def _into_mlp(block: BertBlock | TransformerBlock, resid: Resid) -> Resid:
    """The MLP's side of the residual stream, which a hook may change alone where `cfg.use_hook_mlp_in` is set."""
    return block.hook_mlp_in(resid.clone()) if block.cfg.use_hook_mlp_in else resid
