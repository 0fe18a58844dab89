"""Language models that are TransformerLens models: this package's own transformers, and any HookedTransformer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from mcinterp.language.decoding import DecodedModel, check_sampling, checked_prefixes, until_end
from mcinterp.language.model import Prefixes
from mcinterp.language.spelling import NamedTokens, NumberedTokens, Spelling
from mcinterp.model.blocks import Blocks
from mcinterp.model.causal import CausalTransformer
from mcinterp.model.generation import generate
from mcinterp.model.lens import HookedTransformer, TransformerLensKeyValueCache

FLOAT = 4
"""Bytes of a number."""


class HookedLanguage(DecodedModel):
    """Any HookedTransformer, hooks included: what they change, they change in what is written.

    Args:
        model: of any vocabulary.
        name: what it is called.
        spelling: of its tokens; their numbers where left out.
        end_tokens: after any of them a text is over.
    """

    def __init__(
        self,
        model: HookedTransformer,
        name: str = "model",
        spelling: Spelling | None = None,
        end_tokens: frozenset[int] = frozenset(),
    ) -> None:
        cfg: Any = model.cfg
        kept_bytes = 2 * cfg.n_layers * cfg.n_heads * cfg.d_head * FLOAT
        device = next(model.parameters()).device
        spelling = spelling or NumberedTokens(cfg.d_vocab)
        super().__init__(name, spelling, cfg.d_vocab, end_tokens, int(cfg.n_ctx), kept_bytes, device)
        self._model = model
        self.n_layers, self.d_model = int(cfg.n_layers), int(cfg.d_model)
        self.n_parameters = sum(parameter.numel() for parameter in model.parameters())

    @torch.no_grad()
    def states(
        self, tokens: Int[Tensor, "n pos"], wanted: Sequence[int]
    ) -> tuple[list[Float[Tensor, "n pos d_model"]], Float[Tensor, "n pos wanted"]]:
        """See `StateModel.states`; hooks of the model act."""
        last = self.n_layers - 1
        names = [
            *(f"blocks.{layer}.hook_resid_pre" for layer in range(self.n_layers)),
            f"blocks.{last}.hook_resid_post",
        ]
        logits: Any
        logits, cache = self._model.run_with_cache(tokens, names_filter=lambda name: name in names)
        return [cache[name] for name in names], logits.softmax(-1)[..., list(wanted)]

    def _advanced(self, tokens: Tensor, kept: Any) -> tuple[Tensor, Any]:
        if kept is None:
            kept = TransformerLensKeyValueCache.init_cache(self._model.cfg, self._device, len(tokens))
        # A model without a tokenizer wants to be told that no token is padding.
        whole = torch.ones_like(tokens)
        logits: Any = self._model(tokens, return_type="logits", past_kv_cache=kept, attention_mask=whole)
        return logits[:, -1], kept


class CausalLanguage(HookedLanguage):
    """This package's own causal transformer, run without hooks, which is several times as fast.

    Args:
        model: whose weights do not change while it is asked.
        name: what it is called.
        spelling: of its tokens; their numbers where left out.
        end_tokens: after any of them a text is over.
    """

    def __init__(
        self,
        model: CausalTransformer,
        name: str = "model",
        spelling: Spelling | None = None,
        end_tokens: frozenset[int] = frozenset(),
    ) -> None:
        super().__init__(model, name, spelling, end_tokens)
        self._causal, self._blocks = model, Blocks(model)

    @torch.no_grad()
    def next_probabilities(self, prefixes: Prefixes) -> NDArray[np.float64]:
        """See `LanguageModel.next_probabilities`."""
        found = np.empty((len(prefixes), self._d_vocab))
        for places, tokens in self._groups(prefixes, 0):
            *_, resid = self._blocks.residual_stream(tokens)
            logits = self._blocks.outputs(resid[:, -1:])[:, 0]
            found[places] = logits.double().softmax(-1).cpu().numpy()
        return found

    def sample(self, prefixes: Prefixes, limit: int, temperature: float, generator: torch.Generator) -> list[list[int]]:
        """See `LanguageModel.sample`."""
        check_sampling(limit, temperature)
        checked_prefixes(prefixes, self._d_vocab, self.n_positions, limit)
        only = next(iter(self.end_tokens)) if len(self.end_tokens) == 1 else None
        prompts = [torch.as_tensor(np.asarray(prefix, dtype=np.int64)) for prefix in prefixes]
        written = generate(self._causal, prompts, limit, temperature, only, generator)
        return [until_end(tokens.tolist(), self.end_tokens) for tokens in written]


def language_of_task(model: CausalTransformer, task: Any, name: str) -> CausalLanguage:
    """A transformer trained on a task of next tokens, which spells them as the task does.

    Args:
        model: the transformer.
        task: a `NextToken`.
        name: what the model is called.
    """
    return CausalLanguage(model, name, NamedTokens(task.token_labels()), frozenset(task.end_tokens))
