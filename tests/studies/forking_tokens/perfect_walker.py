"""A language model that knows the graph: the law of free walks itself, written from their description."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from mcinterp.studies.forking_tokens.config import WalkConfig
from mcinterp.studies.forking_tokens.task import FreeWalk
from mcinterp.studies.forking_tokens.texts import WalkTexts


class PerfectWalker:
    """A `LanguageModel`; `slip` of the probability is spread over all tokens."""

    n_positions = None

    def __init__(self, task: FreeWalk, slip: float = 0.0) -> None:
        self.task, self.slip, self.name = task, slip, "perfect"
        self.end_tokens = frozenset(task.end_tokens)
        self.names = task.token_labels()

    def next_probabilities(self, prefixes: Sequence[Sequence[int]]) -> np.ndarray:
        laws = np.array([self._law(list(map(int, prefix))) for prefix in prefixes])
        return (1 - self.slip) * laws + self.slip / laws.shape[1]

    def _law(self, prefix: list[int]) -> np.ndarray:
        config, last = self.task.config, prefix[-1]
        law = np.zeros(config.d_vocab)
        n, words = config.n_nodes, config.words
        if n - config.width <= last < n or last == config.d_vocab - 1:
            law[config.d_vocab - 1] = 1
        elif last < n:
            law[n : n + words] = 1 / words
        elif last < n + words:
            law[last + words] = 1
        else:
            node = next((token for token in reversed(prefix) if token < n - config.width), 0)
            law[:n] = self.task.graph.edges[node].numpy()
        return law / law.sum()

    def sample(
        self, prefixes: Sequence[Sequence[int]], limit: int, temperature: float, generator: torch.Generator
    ) -> list[list[int]]:
        return [self._written(list(map(int, prefix)), limit, generator) for prefix in prefixes]

    def _written(self, text: list[int], limit: int, generator: torch.Generator) -> list[int]:
        n = len(text)
        while len(text) < n + limit and text[-1] not in self.end_tokens:
            law = torch.from_numpy(self.next_probabilities([text])[0])
            text = [*text, int(torch.multinomial(law, 1, generator=generator))]
        return text[n:]

    def read(self, text: str) -> list[int]:
        return [self.names.index(word) for word in text.split()]

    def spell(self, tokens: Sequence[int]) -> str:
        return " ".join(self.names[token] for token in tokens)


def walk_texts(layers: int = 4, width: int = 3, p: float = 0.5, slip: float = 0.0) -> WalkTexts:
    """Texts of a perfect walker on a small graph."""
    task = FreeWalk(WalkConfig(layers=layers, width=width, p=p))
    last = task.token_labels()[(layers - 1) * width : layers * width]
    starts = [(node,) for node in range(2 * width)]
    return WalkTexts(task, PerfectWalker(task, slip), starts, tuple(last), task.config.n_positions, 1e-7)
