"""`Encoder`: a TransformerLens `HookedEncoder` that answers one number per position."""

from __future__ import annotations

import warnings
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from mcinterp.config.transformer import BlocksConfig
from mcinterp.errors import InputError
from mcinterp.model.lens import Embed, HookedEncoder, HookedTransformerConfig
from mcinterp.model.shapes import Answers, Resid, Tokens


class PaddedEmbed(Embed):
    """Token embedding whose row 0 receives no gradient, as BERT's padding row."""

    def forward(self, tokens: Tokens) -> Resid:
        """Look up `tokens`."""
        return F.embedding(tokens, self.W_E, padding_idx=0)


class Encoder(HookedEncoder):
    """Post-LayerNorm BERT encoder with absolute positions and `d_vocab_out=1`: the unembedding is the read-out.

    There is no MLM head, next-sentence head or pooler, and the token-type embedding is frozen (zero unless imported
    weights bring one). Everything of a HookedEncoder works: `run_with_cache`, hooks, `W_Q`, `all_head_labels`. The
    residual stream after block l, as BERT means it, is `blocks.{l}.hook_normalized_resid_post`.

    Args:
        config: shape and initialisation.
        d_vocab: number of tokens.
        n_positions: sequence length.
        seed: of the initial weights.
        pad_token: a token that marks positions where nothing is, to which no head attends; None where there is none.
        zero_embedding: whether token 0, which then says nothing, is embedded as 0 for good.

    Attributes:
        read_positions: the positions whose output is an answer: all.
    """

    def __init__(
        self,
        config: BlocksConfig,
        d_vocab: int,
        n_positions: int,
        seed: int = 0,
        pad_token: int | None = None,
        zero_embedding: bool = False,
    ) -> None:
        with warnings.catch_warnings():
            # 3.9 says that 4 has none, where mcinterp has its own.
            warnings.filterwarnings("ignore", message="HookedEncoder is deprecated", category=DeprecationWarning)
            super().__init__(_transformer_lens_config(config, d_vocab, n_positions), move_to_device=False)
        for head in ("mlm_head", "nsp_head", "pooler"):  # only TransformerLens's own has them
            self._modules.pop(head, None)
        if zero_embedding:
            self.embed.embed = PaddedEmbed(self.cfg)
        self.model_config = config
        self.pad_token = pad_token
        self.read_positions = slice(None)
        self.embed.token_type_embed.W_token_type.requires_grad_(False)
        self._initialise(torch.Generator().manual_seed(seed))
        self.setup()

    def forward(self, input: Tensor, return_type: str | None = "logits", **_: Any) -> Tensor | None:  # type: ignore[override]
        """Run the encoder on token ids (batch, pos).

        Returns:
            the read-out of every position, (batch, pos, 1), as a HookedEncoder's logits with one output; None for
            `return_type=None`.
        """
        if return_type not in ("logits", None):
            raise InputError(f"{type(self).__name__} returns 'logits' or None, not {return_type!r}")
        output = self._read_out(input)
        return output if return_type else None

    def complete(self, tokens: Tensor) -> Answers:
        """The answer at every position of token ids (batch, pos)."""
        return self.read(self._read_out(tokens))

    def complete_from(
        self, layer: int, resid_pre: Resid, padding: Float[Tensor, "batch 1 1 pos"] | None = None
    ) -> Answers:
        """The answer, entered at block `layer` with its input; hooks of later blocks fire.

        `padding` is that of the tokens that the input came from, as `padding` gives it.
        """
        for block in self.blocks[layer:]:
            resid_pre = block(resid_pre, padding)
        return self.read(self.unembed(resid_pre))

    def read(self, output: Float[Tensor, "batch pos 1"]) -> Answers:
        """The answer that the forward pass's output gives."""
        return self.answers(output)

    def answers(self, output: Float[Tensor, "batch pos 1"]) -> Answers:
        """The answers that the read-outs at the positions that are read, all of them, give."""
        return output[..., 0]

    def padding(self, tokens: Tokens) -> Float[Tensor, "batch 1 1 pos"] | None:
        """What attention scores are raised by: 0 at a key, −∞ at padding; None without a padding token."""
        if self.pad_token is None:
            return None
        zeros = torch.zeros(tokens.shape, device=tokens.device)
        return zeros.masked_fill(tokens == self.pad_token, -torch.inf)[:, None, None]

    def weights(self) -> dict[str, Tensor]:
        """Every parameter by HookedEncoder's name, detached, contiguous, on the CPU; buffers are left out."""
        return {name: parameter.detach().cpu().contiguous() for name, parameter in self.named_parameters()}

    @property
    def n_positions(self) -> int:
        """Sequence length."""
        return int(self.cfg.n_ctx)

    def move(self, device: torch.device | str) -> Encoder:
        """Move to a device without the message that `to` prints."""
        self.to(device, print_details=False)
        return self

    def _read_out(self, tokens: Tensor) -> Float[Tensor, "batch pos 1"]:
        """The read-out of every position."""
        tokens = self._checked(tokens)
        present = None if self.pad_token is None else (tokens != self.pad_token).long()
        return self.unembed(self.encoder_output(tokens, one_zero_attention_mask=present))

    def _checked(self, tokens: Tensor) -> Tokens:
        if tokens.ndim != 2 or tokens.shape[1] != self.n_positions:
            raise InputError(f"tokens must have shape (batch, {self.n_positions}), got {tuple(tokens.shape)}")
        return tokens

    @torch.no_grad()
    def _initialise(self, generator: torch.Generator) -> None:
        """Weights N(0, std²), biases 0, LayerNorm 1 and 0, the read-out as `nn.Linear`'s default (1/√d_model)."""
        std, bound = self.model_config.weight_std, self.model_config.d_model**-0.5
        for name, parameter in self.named_parameters():
            leaf = name.rsplit(".", 1)[-1]
            if name.startswith("unembed."):
                parameter.uniform_(-bound, bound, generator=generator)
            elif leaf == "w":
                parameter.fill_(1.0)
            elif leaf.startswith("b") or leaf == "W_token_type":
                parameter.zero_()
            else:
                parameter.normal_(0.0, std, generator=generator)
        if isinstance(self.embed.embed, PaddedEmbed):
            self.embed.embed.W_E[0] = 0.0


def _transformer_lens_config(config: BlocksConfig, d_vocab: int, n_positions: int) -> HookedTransformerConfig:
    return HookedTransformerConfig(
        n_layers=config.n_layers,
        n_heads=config.n_heads,
        d_model=config.d_model,
        d_head=config.d_head,
        d_mlp=config.d_mlp,
        n_ctx=n_positions,
        d_vocab=d_vocab,
        d_vocab_out=1,
        act_fn="gelu",
        eps=config.layer_norm_eps,
        attention_dir="bidirectional",
        normalization_type="LN",
        device="cpu",
    )
