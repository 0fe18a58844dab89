"""A language whose laws are known by hand: a chain of tokens, each drawn by the one before it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

END = 4
CHAIN = np.array(
    [
        # 0 goes to 1 or 2, these to themselves, 3 or the end; 3 always ends.
        [0.0, 0.5, 0.5, 0.0, 0.0],
        [0.0, 0.25, 0.0, 0.25, 0.5],
        [0.0, 0.0, 0.5, 0.5, 0.0],
        [0.0, 0.0, 0.0, 0.0, 1.0],
        [0.0, 0.0, 0.0, 0.0, 1.0],
    ]
)


class Chain:
    """A `LanguageModel` in which only the last token matters."""

    name, end_tokens, n_positions = "chain", frozenset([END]), None

    def __init__(self, chain: np.ndarray = CHAIN) -> None:
        self.chain = chain
        self.asked = 0

    def next_probabilities(self, prefixes: Sequence[Sequence[int]]) -> np.ndarray:
        return self.chain[[prefix[-1] for prefix in prefixes]]

    def sample(
        self, prefixes: Sequence[Sequence[int]], limit: int, temperature: float, generator: torch.Generator
    ) -> list[list[int]]:
        self.asked += 1
        return [self._written(prefix[-1], limit, temperature, generator) for prefix in prefixes]

    def _written(self, token: int, limit: int, temperature: float, generator: torch.Generator) -> list[int]:
        written: list[int] = []
        while len(written) < limit and token != END:
            law = torch.tensor(self.chain[token])
            token = int(law.argmax() if temperature == 0 else torch.multinomial(law, 1, generator=generator))
            written.append(token)
        return written

    def read(self, text: str) -> list[int]:
        return [int(letter) for letter in text]

    def spell(self, tokens: Sequence[int]) -> str:
        return "".join(map(str, tokens))
