"""`HookedEncoder` as TransformerLens 3.9 had it, without its heads for language."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.hook_points import HookPoint
from transformer_lens.utilities.typed_module_list import TypedModuleList

from mcinterp.model.lens.blocks import BertBlock
from mcinterp.model.lens.config import HookedTransformerConfig
from mcinterp.model.lens.embeddings import BertEmbed, Unembed
from mcinterp.model.lens.hooked import HookedModel, weight
from mcinterp.model.shapes import Resid, Tokens


class HookedEncoder(HookedModel):
    """A BERT encoder whose read-out is its unembedding: no MLM head, next-sentence head, pooler or tokenizer.

    Args:
        cfg: its shape.
        move_to_device: whether it is moved to `cfg.device` once it is built.
    """

    W_E, W_pos = weight("embed.embed.W_E"), weight("embed.pos_embed.W_pos")

    def __init__(self, cfg: HookedTransformerConfig, move_to_device: bool = True) -> None:
        super().__init__()
        self.cfg = cfg
        self.embed = BertEmbed(cfg)
        self.blocks: TypedModuleList[BertBlock] = TypedModuleList([BertBlock(cfg) for _ in range(cfg.n_layers)])
        self.unembed = Unembed(cfg)
        self.hook_full_embed = HookPoint()
        if move_to_device:
            self.to(cfg.device or "cpu")
        self.setup()

    def encoder_output(
        self,
        tokens: Tokens,
        token_type_ids: Tokens | None = None,
        one_zero_attention_mask: Int[Tensor, "batch pos"] | None = None,
    ) -> Resid:
        """The last block's output.

        Args:
            tokens: ids.
            token_type_ids: 0 or 1 at each token; 0 where they are not given.
            one_zero_attention_mask: 1 at keys that are seen, 0 at others; all where it is not given.
        """
        absent = None
        if one_zero_attention_mask is not None:
            zeros = torch.zeros(tokens.shape, device=self.cfg.device)
            absent = zeros.masked_fill(one_zero_attention_mask.to(zeros.device) == 0, -torch.inf)[:, None, None]
        resid = self.hook_full_embed(self.embed(tokens.to(self.cfg.device), token_type_ids))
        for block in self.blocks:
            resid = block(resid, absent)
        return resid

    def forward(
        self,
        input: Tokens,
        return_type: str | None = "logits",
        token_type_ids: Tokens | None = None,
        one_zero_attention_mask: Int[Tensor, "batch pos"] | None = None,
    ) -> Float[Tensor, "batch pos d_vocab_out"] | None:
        """The outputs at every position, or None for `return_type=None`; `encoder_output` says what is what."""
        output = self.unembed(self.encoder_output(input, token_type_ids, one_zero_attention_mask))
        return output if return_type else None
