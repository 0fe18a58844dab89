"""`MatrixGPT`: a TransformerLens `HookedTransformer` that completes a matrix token by token."""

from __future__ import annotations

import warnings

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens import HookedTransformer, HookedTransformerConfig
from transformer_lens.cache.key_value_cache import TransformerLensKeyValueCache

from mcinterp.errors import InputError
from mcinterp.model.encoder import PaddedEmbed
from mcinterp.model.shapes import Answers, Resid, Tokens
from mcinterp.studies.matrix_completion.config import ModelConfig
from mcinterp.studies.matrix_completion.task.sequence import most_probable_values


class MatrixGPT(HookedTransformer):
    """Pre-LayerNorm causal transformer with absolute positions (GPT-2's form: exact GELU, no output bias, untied).

    It reads the masked entries of a matrix, a separator and the entries themselves. Everything of a
    HookedTransformer works: `run_with_cache`, hooks, `W_Q`, and `forward`, which gives logits (batch, pos, d_vocab).

    Args:
        config: shape and initialisation.
        token_values: the value of every token, (d_vocab,), NaN for those that stand for none; values are ids 1, 2, ….
        n_entries: entries of the matrix.
        seed: of the initial weights.
    """

    token_values: Tensor

    def __init__(self, config: ModelConfig, token_values: Tensor, n_entries: int, seed: int = 0) -> None:
        with warnings.catch_warnings():
            # Deprecated in favour of an interface that exists from TransformerLens 4 on; this package pins below it.
            warnings.filterwarnings("ignore", message="HookedTransformer is deprecated", category=DeprecationWarning)
            super().__init__(
                _transformer_lens_config(config, len(token_values), 2 * n_entries + 1), move_to_device=False
            )
        if config.mask_embedding == "zero":
            self.embed = PaddedEmbed(self.cfg)
        self.model_config = config
        self.n_entries = n_entries
        self.n_values = int(token_values.isfinite().sum())
        self.register_buffer("token_values", token_values, persistent=False)
        self.unembed.b_U.requires_grad_(False)
        self._initialise(torch.Generator().manual_seed(seed))
        self.setup()

    def complete(self, tokens: Tensor) -> Answers:
        """The answer at every entry of sequences (batch, pos), teacher forced.

        An entry's answer is the value of the most probable value token given everything before it in the sequence,
        the true entries included. MASK and separator are no answers, however probable.
        """
        return self.read(self.forward(self._checked(tokens), return_type="logits"))

    def complete_from(self, layer: int, resid_pre: Resid, padding: Tensor | None = None) -> Answers:
        """The answer, entered at block `layer` with its input; hooks of later blocks fire."""
        for block in self.blocks[layer:]:
            resid_pre = block(resid_pre, attention_mask=padding)
        return self.read(self.unembed(self.ln_final(resid_pre)))

    def padding(self, tokens: Tensor) -> None:
        """No token of a sequence is padding."""

    def read(self, output: Float[Tensor, "batch pos d_vocab"]) -> Answers:
        """The answer that the logits of whole sequences give."""
        # The token at a position is predicted one position earlier; the separator predicts the first entry.
        answers = output[:, self.n_entries : 2 * self.n_entries]
        return self.token_values[most_probable_values(answers, self.n_values)]

    @torch.no_grad()
    def generate_greedily(self, prompts: Tensor) -> Int[Tensor, "batch entry"]:
        """Write the answer token by token, each the most probable value token after those written before.

        Args:
            prompts: masked entries and separator, (batch, entries + 1).

        Returns:
            token ids of all entries.
        """
        if prompts.ndim != 2 or prompts.shape[1] != self.n_entries + 1:
            raise InputError(f"prompts must have shape (batch, {self.n_entries + 1}), got {tuple(prompts.shape)}")
        cache = TransformerLensKeyValueCache.init_cache(self.cfg, prompts.device, len(prompts))
        written: list[Tensor] = []
        for _ in range(self.n_entries):
            # Keys and values of all earlier tokens are in the cache, so that only new ones are run.
            new = written[-1] if written else prompts
            seen = torch.ones_like(new)
            logits = self.forward(new, return_type="logits", past_kv_cache=cache, attention_mask=seen)
            written.append(most_probable_values(logits[:, -1:], self.n_values))
        return torch.cat(written, dim=1)

    def weights(self) -> dict[str, Tensor]:
        """Every parameter by HookedTransformer's name, detached, contiguous, on the CPU; buffers are left out."""
        return {name: parameter.detach().cpu().contiguous() for name, parameter in self.named_parameters()}

    @property
    def n_positions(self) -> int:
        """Sequence length."""
        return int(self.cfg.n_ctx)

    def move(self, device: torch.device | str) -> MatrixGPT:
        """Move to a device without the message that `to` prints."""
        self.to(device, print_details=False)
        return self

    def _checked(self, tokens: Tensor) -> Tokens:
        if tokens.ndim != 2 or tokens.shape[1] != self.n_positions:
            raise InputError(f"tokens must have shape (batch, {self.n_positions}), got {tuple(tokens.shape)}")
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
        if self.model_config.mask_embedding == "zero":
            self.embed.W_E[0] = 0.0


def _transformer_lens_config(config: ModelConfig, d_vocab: int, n_positions: int) -> HookedTransformerConfig:
    return HookedTransformerConfig(
        n_layers=config.n_layers,
        n_heads=config.n_heads,
        d_model=config.d_model,
        d_head=config.d_head,
        d_mlp=config.d_mlp,
        n_ctx=n_positions,
        d_vocab=d_vocab,
        act_fn="gelu",
        eps=config.layer_norm_eps,
        attention_dir="causal",
        normalization_type="LN",
        init_weights=False,
        device="cpu",
    )
