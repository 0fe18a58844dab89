"""`HookedTransformer` as TransformerLens 3.9 had it, of token ids alone."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.cache.key_value_cache import TransformerLensKeyValueCache
from transformer_lens.hook_points import HookPoint
from transformer_lens.utilities.lm_utils import lm_cross_entropy_loss
from transformer_lens.utilities.typed_module_list import TypedModuleList

from mcinterp.errors import InputError
from mcinterp.model.lens.blocks import TransformerBlock
from mcinterp.model.lens.config import HookedTransformerConfig
from mcinterp.model.lens.embeddings import Embed, PosEmbed, Unembed
from mcinterp.model.lens.hooked import HookedModel, weight
from mcinterp.model.lens.norm import LayerNorm
from mcinterp.model.shapes import Resid, Tokens

_SWITCHES = {
    "attn.hook_result": "use_attn_result",
    "hook_q_input": "use_split_qkv_input",
    "hook_k_input": "use_split_qkv_input",
    "hook_v_input": "use_split_qkv_input",
    "hook_mlp_in": "use_hook_mlp_in",
    "hook_attn_in": "use_attn_in",
}
"""Hook points that nothing goes through until the configuration's field is set."""


class Output(NamedTuple):
    """What a forward pass returns for 'both'."""

    logits: Tensor
    loss: Tensor


class HookedTransformer(HookedModel):
    """A causal transformer, LayerNorm before each part; positions are learned or rotary. It has no tokenizer.

    Args:
        cfg: its shape.
        move_to_device: whether it is moved to `cfg.device` once it is built.
    """

    W_E, W_pos = weight("embed.W_E"), weight("pos_embed.W_pos")

    def __init__(self, cfg: HookedTransformerConfig, move_to_device: bool = True) -> None:
        super().__init__()
        self.cfg = cfg
        self.embed, self.hook_embed = Embed(cfg), HookPoint()
        if cfg.positional_embedding_type != "rotary":
            self.pos_embed, self.hook_pos_embed = PosEmbed(cfg), HookPoint()
        self.blocks: TypedModuleList[TransformerBlock] = TypedModuleList(
            [TransformerBlock(cfg) for _ in range(cfg.n_layers)]
        )
        self.ln_final, self.unembed = LayerNorm(cfg), Unembed(cfg)
        if move_to_device:
            self.to(cfg.device or "cpu")
        self.setup()

    def forward(
        self,
        input: Tensor,
        return_type: str | None = "logits",
        loss_per_token: bool = False,
        *,
        start_at_layer: int | None = None,
        tokens: Tokens | None = None,
        attention_mask: Int[Tensor, "batch pos"] | None = None,
        stop_at_layer: int | None = None,
        past_kv_cache: TransformerLensKeyValueCache | None = None,
    ) -> Any:
        """Run the transformer.

        Args:
            input: token ids, (batch, pos) or (pos,); the residual stream before `start_at_layer` where that is given.
            return_type: 'logits', 'loss' (the next token's cross-entropy), 'both' or None.
            loss_per_token: whether a loss comes for each token, (batch, pos − 1), or as their mean.
            start_at_layer: the first block that is run; the embeddings and all where it is None.
            tokens: what a loss is of, where the input is a residual stream.
            attention_mask: 1 at tokens, 0 at padding; with a cache it may be left out where all are tokens.
            stop_at_layer: the first block that is not run; its input is returned.
            past_kv_cache: keys and values of earlier tokens, which are seen too; the new ones are added to it.

        Raises:
            InputError: for a return type that is none of these.
        """
        resid = input
        if start_at_layer is None:
            tokens = torch.atleast_2d(input).to(self.cfg.device)
            resid, attention_mask = self._embedded(tokens, attention_mask, past_kv_cache)
        for layer in range(self.cfg.n_layers)[start_at_layer:stop_at_layer]:
            resid = self.blocks[layer](resid, past_kv_cache[layer] if past_kv_cache else None, attention_mask)
        if stop_at_layer is not None:
            return resid
        resid = self.ln_final(resid)
        return return_type and self._returned(return_type, resid, tokens, attention_mask, loss_per_token)

    def _embedded(
        self, tokens: Tokens, attention_mask: Tensor | None, past_kv_cache: TransformerLensKeyValueCache | None
    ) -> tuple[Resid, Tensor | None]:
        """The first block's input, and where tokens are among all keys."""
        earlier = 0
        if past_kv_cache is not None:
            earlier = past_kv_cache[0].past_keys.shape[1]
            here = torch.ones_like(tokens) if attention_mask is None else attention_mask
            attention_mask = past_kv_cache.append_attention_mask(here)
        resid = self.hook_embed(self.embed(tokens))
        if self.cfg.positional_embedding_type != "rotary":
            resid = resid + self.hook_pos_embed(self.pos_embed(tokens, earlier, attention_mask))
        return resid, attention_mask

    def _returned(
        self, return_type: str, resid: Resid, tokens: Tokens | None, attention_mask: Tensor | None, per_token: bool
    ) -> Any:
        """The logits, their loss or both."""
        if return_type not in ("logits", "loss", "both"):
            raise InputError(f"return_type must be 'logits', 'loss', 'both' or None, got {return_type!r}")
        logits = self.unembed(resid)
        if return_type == "logits":
            return logits
        if tokens is None:
            raise InputError(f"return_type {return_type!r} of a residual stream needs its tokens")
        loss = lm_cross_entropy_loss(logits, tokens, attention_mask, per_token)
        return loss if return_type == "loss" else Output(logits, loss)

    def check_hooks_to_add(self, hook_point: HookPoint, hook_point_name: str, *args: Any, **kwargs: Any) -> None:
        """Refuse a hook that would never fire.

        Raises:
            InputError: naming the switch that makes it fire.
        """
        for ending, switch in _SWITCHES.items():
            if hook_point_name.endswith(ending) and not getattr(self.cfg, switch):
                raise InputError(f"nothing goes through {hook_point_name} before set_{switch}(True)")

    def set_use_attn_result(self, use_attn_result: bool) -> None:
        """Whether what each head adds goes through `hook_result`."""
        self.cfg.use_attn_result = use_attn_result

    def set_use_split_qkv_input(self, use_split_qkv_input: bool) -> None:
        """Whether what queries, keys and values of each head are made of goes through `hook_q_input` and the like."""
        self.cfg.use_split_qkv_input = use_split_qkv_input

    def set_use_attn_in(self, use_attn_in: bool) -> None:
        """Whether what each head reads goes through `hook_attn_in`."""
        self.cfg.use_attn_in = use_attn_in

    def set_use_hook_mlp_in(self, use_hook_mlp_in: bool) -> None:
        """Whether what an MLP reads goes through `hook_mlp_in`."""
        self.cfg.use_hook_mlp_in = use_hook_mlp_in

    def tokens_to_residual_directions(self, tokens: Tensor | int) -> Float[Tensor, "*tokens d_model"]:
        """The directions of the residual stream that raise the logits of `tokens`."""
        return self.W_U.T[tokens]

    def accumulated_bias(
        self, layer: int, mlp_input: bool = False, include_mlp_biases: bool = True
    ) -> Float[Tensor, " d_model"]:
        """The sum of the biases that blocks before `layer` add.

        Args:
            layer: 0 … n_layers.
            mlp_input: whether that of the layer's own attention is added.
            include_mlp_biases: whether those of MLPs are.
        """
        total = torch.zeros(self.cfg.d_model, device=self.cfg.device)
        for block in list(self.blocks)[:layer]:
            total = total + block.attn.b_O
            if include_mlp_biases and not self.cfg.attn_only:
                total = total + block.mlp.b_out
        return total + self.blocks[layer].attn.b_O if mlp_input else total
