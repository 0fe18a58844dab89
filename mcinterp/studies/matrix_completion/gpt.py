"""`MatrixGPT`: a causal transformer that completes a matrix token by token."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mcinterp.config.transformer import BlocksConfig, TransformerConfig
from mcinterp.errors import InputError
from mcinterp.model.causal import CausalTransformer
from mcinterp.model.lens import TransformerLensKeyValueCache
from mcinterp.model.shapes import Tokens
from mcinterp.studies.matrix_completion.config import ModelConfig
from mcinterp.studies.matrix_completion.task.sequence import most_probable_values


class MatrixGPT(CausalTransformer):
    """A `CausalTransformer` with learned positions (GPT-2's form, untied).

    It reads the masked entries of a matrix, a separator and the entries themselves. An entry's answer is the value of
    the most probable value token given everything before it in the sequence, the true entries included: it is teacher
    forced. MASK and separator are no answers, however probable.

    Args:
        config: shape and initialisation.
        token_values: the value of every token, (d_vocab,), NaN for those that stand for none; values are ids 1, 2, ….
        n_entries: entries of the matrix.
        seed: of the initial weights.
    """

    token_values: Tensor

    def __init__(self, config: ModelConfig, token_values: Tensor, n_entries: int, seed: int = 0) -> None:
        zero_embedding = config.mask_embedding == "zero"
        super().__init__(_blocks(config), len(token_values), 2 * n_entries + 1, seed, zero_embedding)
        self.n_entries = n_entries
        self.n_values = int(token_values.isfinite().sum())
        # The token at a position is predicted one position earlier; the separator predicts the first entry.
        self.read_positions = slice(n_entries, 2 * n_entries)
        self.register_buffer("token_values", token_values, persistent=False)

    def answers(self, output: Float[Tensor, "batch entry d_vocab"]) -> Float[Tensor, "batch entry"]:
        """The values that the logits of all entries give."""
        return self.token_values[most_probable_values(output, self.n_values)]

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

    def _checked(self, tokens: Tensor) -> Tokens:
        if tokens.ndim != 2 or tokens.shape[1] != self.n_positions:
            raise InputError(f"tokens must have shape (batch, {self.n_positions}), got {tuple(tokens.shape)}")
        return tokens


def _blocks(config: ModelConfig) -> TransformerConfig:
    """The same blocks under the name of a causal transformer."""
    shared = BlocksConfig.model_fields.keys() - {"architecture"}
    return TransformerConfig(**{name: getattr(config, name) for name in shared})
