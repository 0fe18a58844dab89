"""Shape of a model by TransformerLens's names of fields, with what they follow from one another filled in."""

from __future__ import annotations

from typing import Any

from transformer_lens.config import TransformerBridgeConfig


class HookedTransformerConfig(TransformerBridgeConfig):
    """Fields of a model with exact GELU and LayerNorm, which are all that the modules beside this one build.

    Args:
        fields: any of `TransformerBridgeConfig`'s.

    Attributes:
        d_vocab_out: outputs a position; `d_vocab` where it is not given.
        attn_scale: what attention scores are divided by, √d_head.
        rotary_dim: numbers of a query or key that positions turn: all where they are rotary, else None.
        n_params: numbers in the weights of attention and MLPs; biases, LayerNorms and embeddings are left out.
    """

    def __init__(self, **fields: Any) -> None:
        super().__init__(**fields)
        self.d_vocab_out = self.d_vocab if self.d_vocab_out < 0 else self.d_vocab_out
        self.attn_scale = self.d_head**0.5
        self.rotary_dim = self.d_head if self.positional_embedding_type == "rotary" else None
        mlp = 0 if self.attn_only else 2 * (self.d_mlp or 0)
        self.n_params = self.n_layers * self.d_model * (4 * self.n_heads * self.d_head + mlp)
