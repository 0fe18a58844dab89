"""`LanguageModel`: all that is asked of a model that writes texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

Prefixes: TypeAlias = Sequence[Sequence[int]] | NDArray[np.int64]
"""Token ids of texts that go on, of any lengths, or (n, pos)."""


class LanguageModel(Protocol):
    """What comes next, and how texts go on.

    Attributes:
        name: of the model, for tables and pages.
        end_tokens: after any of them a text is over.
        n_positions: length of the longest text, None where there is no bound.
    """

    name: str
    end_tokens: frozenset[int]
    n_positions: int | None

    def next_probabilities(self, prefixes: Prefixes) -> NDArray[np.float64]:
        """Probabilities of the next token after each prefix, (n, token).

        Raises:
            InputError: for a prefix that is empty, too long or has an unknown token.
        """
        ...

    def sample(self, prefixes: Prefixes, limit: int, temperature: float, generator: torch.Generator) -> list[list[int]]:
        """One continuation of each prefix, up to `limit` tokens, an end token included.

        Args:
            prefixes: several of the same for several samples.
            limit: most tokens that are written.
            temperature: logits are divided by it; 0 takes the most probable token.
            generator: draws the tokens; the same state gives the same continuations.

        Raises:
            InputError: as of `next_probabilities`, or where a text would grow too long.
        """
        ...

    def read(self, text: str) -> list[int]:
        """The tokens of a text.

        Raises:
            InputError: for a text that has none.
        """
        ...

    def spell(self, tokens: Sequence[int]) -> str:
        """The text of tokens that stand together."""
        ...


class StateModel(Protocol):
    """A model of which it is also asked what it is in the midst of: its residual stream.

    Attributes:
        name: of the model.
        n_layers: blocks; there is a state before each, and one after the last.
        d_model: numbers of a state.
        n_parameters: numbers that the model is made of.
        n_positions: length of the longest text, None where there is no bound.
        begin_token: that a text begins with; None where it begins with none.
    """

    name: str
    n_layers: int
    d_model: int
    n_parameters: int
    n_positions: int | None
    begin_token: int | None

    @property
    def device(self) -> torch.device:
        """That it runs on."""
        ...

    def states(
        self, tokens: Int[Tensor, "n pos"], wanted: Sequence[int]
    ) -> tuple[list[Float[Tensor, "n pos d_model"]], Float[Tensor, "n pos wanted"]]:
        """The residual stream before every block and after the last, and probabilities of some next tokens."""
        ...

    def read(self, text: str) -> list[int]:
        """The tokens of a text."""
        ...

    def spell(self, tokens: Sequence[int]) -> str:
        """The text of tokens that stand together."""
        ...
