"""`CausalTransformer`: a TransformerLens `HookedTransformer` over any vocabulary that predicts the next token."""

from __future__ import annotations

import warnings

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mcinterp.config.transformer import TransformerConfig
from mcinterp.errors import InputError
from mcinterp.model.encoder import PaddedEmbed
from mcinterp.model.lens import Embed, HookedTransformer, HookedTransformerConfig, HookPoint, Unembed
from mcinterp.model.rotary import turns_of
from mcinterp.model.shapes import Answers, Resid, Tokens, Turns


class TiedUnembed(Unembed):
    """An unembedding by the transposed token embedding, of which it keeps no parameter of its own."""

    def __init__(self, config: HookedTransformerConfig, embed: Embed) -> None:
        nn.Module.__init__(self)  # Unembed's own would make a W_U
        self.cfg = config
        # In a tuple, for a module would be registered, and W_E named twice.
        self._embed = (embed,)
        self.b_U = nn.Parameter(torch.zeros(config.d_vocab_out))
        self.hook_in, self.hook_out = HookPoint(), HookPoint()

    @property
    def W_U(self) -> Float[Tensor, "d_model d_vocab"]:  # type: ignore[override]  # noqa: N802
        """The token embedding, transposed."""
        return self._embed[0].W_E.T


class CausalTransformer(HookedTransformer):
    """Pre-LayerNorm causal transformer with exact GELU and no output bias; positions are learned or rotary.

    Everything of a HookedTransformer works: `run_with_cache`, hooks, `W_Q`, and `forward`, which gives logits
    (batch, pos, d_vocab). A tied model has no parameter `unembed.W_U`; the attribute is there.

    Args:
        config: shape and initialisation.
        d_vocab: number of tokens, whose ids are 0 … d_vocab − 1.
        n_positions: length of the longest sequence.
        seed: of the initial weights.
        zero_embedding: whether token 0, which then says nothing, is embedded as 0 for good; of an untied model.

    Attributes:
        model_config: shape and initialisation.
        read_positions: the positions whose output is an answer; what comes after the last of them need not be run.
        rotary: what queries and keys of each position are turned by; None where positions are learned.
    """

    rotary: Turns | None

    def __init__(
        self, config: TransformerConfig, d_vocab: int, n_positions: int, seed: int = 0, zero_embedding: bool = False
    ) -> None:
        with warnings.catch_warnings():
            # 3.9 says that 4 has none, where mcinterp has its own.
            warnings.filterwarnings("ignore", message="HookedTransformer is deprecated", category=DeprecationWarning)
            super().__init__(_transformer_lens_config(config, d_vocab, n_positions), move_to_device=False)
        self.model_config = config
        self.read_positions = slice(None)
        if zero_embedding:
            self.embed = PaddedEmbed(self.cfg)
        if config.tied:
            self.unembed = TiedUnembed(self.cfg, self.embed)
        turns = turns_of(n_positions, config.d_head) if config.positions == "rotary" else None
        self.register_buffer("rotary", turns, persistent=False)
        self.unembed.b_U.requires_grad_(False)
        self._initialise(torch.Generator().manual_seed(seed))
        self.setup()

    def complete(self, tokens: Tensor) -> Answers:
        """The answers to token ids (batch, pos): the logits of the next token at every position that is read."""
        return self.read(self.forward(self._checked(tokens), return_type="logits"))

    def complete_from(self, layer: int, resid_pre: Resid, padding: Tensor | None = None) -> Answers:
        """The answers, entered at block `layer` with its input; hooks of later blocks fire."""
        for block in self.blocks[layer:]:
            resid_pre = block(resid_pre, attention_mask=padding)
        return self.read(self.unembed(self.ln_final(resid_pre)))

    def read(self, output: Float[Tensor, "batch pos d_vocab"]) -> Answers:
        """The answers that the logits of whole sequences give."""
        return self.answers(output[:, self.read_positions])

    def answers(self, output: Float[Tensor, "batch read d_vocab"]) -> Answers:
        """The answers that the logits at the positions that are read give: these logits."""
        return output

    def padding(self, tokens: Tensor) -> None:
        """No token of a sequence is padding."""

    def weights(self) -> dict[str, Tensor]:
        """Every parameter by HookedTransformer's name, detached, contiguous, on the CPU; buffers are left out."""
        return {name: parameter.detach().cpu().contiguous() for name, parameter in self.named_parameters()}

    @property
    def n_positions(self) -> int:
        """Length of the longest sequence."""
        return int(self.cfg.n_ctx)

    def move(self, device: torch.device | str) -> CausalTransformer:
        """Move to a device without the message that `to` prints."""
        self.to(device, print_details=False)
        return self

    def _checked(self, tokens: Tensor) -> Tokens:
        if tokens.ndim != 2 or not 1 <= tokens.shape[1] <= self.n_positions:
            raise InputError(
                f"tokens must have shape (batch, pos) with 1 to {self.n_positions} positions, got {tuple(tokens.shape)}"
            )
        return tokens

    @torch.no_grad()
    def _initialise(self, generator: torch.Generator) -> None:
        """Weights and embeddings N(0, std²), biases 0, LayerNorm 1 and 0."""
        for name, parameter in self.named_parameters():
            leaf = name.rsplit(".", 1)[-1]
            if leaf == "w":
                parameter.fill_(1.0)
            elif leaf.startswith("b"):
                parameter.zero_()
            else:
                parameter.normal_(0.0, self.model_config.weight_std, generator=generator)
        if isinstance(self.embed, PaddedEmbed):
            self.embed.W_E[0] = 0.0


def _transformer_lens_config(config: TransformerConfig, d_vocab: int, n_positions: int) -> HookedTransformerConfig:
    return HookedTransformerConfig(
        n_layers=config.n_layers,
        n_heads=config.n_heads,
        d_model=config.d_model,
        d_head=config.d_head,
        d_mlp=config.d_mlp,
        n_ctx=n_positions,
        d_vocab=d_vocab,
        act_fn="gelu",
        attn_only=config.attention_only,
        positional_embedding_type="rotary" if config.positions == "rotary" else "standard",
        eps=config.layer_norm_eps,
        attention_dir="causal",
        normalization_type="LN",
        init_weights=False,
        device="cpu",
    )
