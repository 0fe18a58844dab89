"""What language models share that run a torch module: groups of equal length, a cache, temperature, end tokens."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mcinterp.errors import InputError
from mcinterp.language.model import Prefixes
from mcinterp.language.spelling import Spelling

CACHE_BYTES = 2**29
"""What keys and values of texts that are written together may take."""
MOST_AT_ONCE = 512


class DecodedModel(ABC):
    """A `LanguageModel` whose module runs a batch of prefixes of one length and keeps what the next tokens need.

    Args:
        name: of the model.
        spelling: of its tokens.
        d_vocab: number of tokens.
        end_tokens: after any of them a text is over.
        n_positions: length of the longest text.
        kept_bytes: that keys and values of one token take.
        device: that the module is on.

    Attributes:
        begin_token: that a text begins with; None where it begins with none.
    """

    begin_token: int | None = None

    def __init__(
        self,
        name: str,
        spelling: Spelling,
        d_vocab: int,
        end_tokens: frozenset[int],
        n_positions: int | None,
        kept_bytes: int,
        device: torch.device,
    ) -> None:
        self.name, self.end_tokens, self.n_positions = name, end_tokens, n_positions
        self._spelling, self._d_vocab, self._kept_bytes, self._device = spelling, d_vocab, kept_bytes, device

    @abstractmethod
    def _advanced(self, tokens: Tensor, kept: Any) -> tuple[Tensor, Any]:
        """The logits after the last of some tokens (n, pos), (n, token), and what is kept of them.

        Args:
            tokens: those that come after what is kept.
            kept: what the last call gave; None for whole prefixes.
        """

    @property
    def device(self) -> torch.device:
        """That the module is on."""
        return self._device

    def read(self, text: str) -> list[int]:
        """See `LanguageModel.read`."""
        return self._spelling.read(text)

    def spell(self, tokens: Sequence[int]) -> str:
        """See `LanguageModel.spell`."""
        return self._spelling.spell(tokens)

    @torch.no_grad()
    def next_probabilities(self, prefixes: Prefixes) -> NDArray[np.float64]:
        """See `LanguageModel.next_probabilities`."""
        found = np.empty((len(prefixes), self._d_vocab))
        for places, tokens in self._groups(prefixes, 0):
            logits, _ = self._advanced(tokens, None)
            found[places] = logits.double().softmax(-1).cpu().numpy()
        return found

    @torch.no_grad()
    def sample(self, prefixes: Prefixes, limit: int, temperature: float, generator: torch.Generator) -> list[list[int]]:
        """See `LanguageModel.sample`."""
        check_sampling(limit, temperature)
        found: list[list[int]] = [[]] * len(prefixes)
        for places, tokens in self._groups(prefixes, limit):
            for place, written in zip(places, self._written(tokens, limit, temperature, generator), strict=True):
                found[place] = until_end(written, self.end_tokens)
        return found

    def _written(self, tokens: Tensor, limit: int, temperature: float, generator: torch.Generator) -> list[list[int]]:
        """What is written after prefixes of one length; whatever comes after an end included."""
        ends = torch.tensor(sorted(self.end_tokens), device=self._device, dtype=torch.int64)
        over = torch.zeros(len(tokens), dtype=torch.bool, device=self._device)
        written, kept = list[Tensor](), None
        while len(written) < limit and not bool(over.all()):
            logits, kept = self._advanced(tokens, kept)
            chosen = drawn_tokens(logits, temperature, generator)
            written.append(chosen)
            over |= torch.isin(chosen, ends)
            tokens = chosen[:, None]
        return torch.stack(written, 1).tolist()

    def _groups(self, prefixes: Prefixes, n_more: int) -> Iterator[tuple[list[int], Tensor]]:
        """Prefixes of one length, as many as go together, with their places among all."""
        checked_prefixes(prefixes, self._d_vocab, self.n_positions, n_more)
        by_length = defaultdict[int, list[int]](list)
        for place, prefix in enumerate(prefixes):
            by_length[len(prefix)].append(place)
        for length, places in sorted(by_length.items()):
            step = max(1, min(MOST_AT_ONCE, CACHE_BYTES // (self._kept_bytes * (length + n_more))))
            for begin in range(0, len(places), step):
                part = places[begin : begin + step]
                tokens = np.array([prefixes[place] for place in part], dtype=np.int64)
                yield part, torch.from_numpy(tokens).to(self._device)


def check_sampling(limit: int, temperature: float) -> None:
    """Refuse a limit or a temperature that is none.

    Raises:
        InputError: naming it.
    """
    if limit < 1:
        raise InputError(f"limit must be at least 1 token, got {limit}")
    if not 0.0 <= temperature < float("inf"):
        raise InputError(f"temperature must be a number of 0 or more, got {temperature}")


def checked_prefixes(prefixes: Prefixes, d_vocab: int, n_positions: int | None, n_more: int) -> None:
    """Refuse prefixes that a model cannot go on from.

    Raises:
        InputError: for one that is empty, has an unknown token, or leaves no room for `n_more` tokens.
    """
    lengths = [len(prefix) for prefix in prefixes]
    if not lengths or min(lengths) < 1:
        raise InputError("a text that goes on needs one token at least, got one without any")
    if n_positions is not None and max(lengths) + max(n_more - 1, 0) > n_positions:
        raise InputError(
            f"a text of {max(lengths)} tokens that goes on by {n_more} is longer than the model's {n_positions} "
            "positions"
        )
    tokens = prefixes if isinstance(prefixes, np.ndarray) else np.concatenate([np.asarray(p) for p in prefixes])
    if tokens.min() < 0 or tokens.max() >= d_vocab:
        raise InputError(f"tokens are 0 … {d_vocab - 1}, got {tokens.min()} … {tokens.max()}")


def drawn_tokens(logits: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
    """A token for each of some logits (n, token): the most probable one at temperature 0, else one drawn."""
    if temperature == 0.0:
        return logits.argmax(-1)
    # The largest logit first becomes 0, so that a small temperature leads to no infinity.
    shifted = (logits - logits.amax(-1, keepdim=True)).float() / temperature
    return torch.multinomial(shifted.softmax(-1), 1, generator=generator)[:, 0]


def until_end(tokens: list[int], end_tokens: frozenset[int]) -> list[int]:
    """Tokens up to the first that ends a text, that one included."""
    for place, token in enumerate(tokens):
        if token in end_tokens:
            return tokens[: place + 1]
    return tokens
