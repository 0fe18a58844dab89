"""Texts whose outcome laws are worked out: where they begin, how they end, and what the graph says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mcinterp.analysis.skewed_t import Floats
from mcinterp.language.hooked import language_of_task
from mcinterp.language.model import LanguageModel
from mcinterp.runs import Checkpoint
from mcinterp.studies.forking_tokens.task import FIRST_LAYERS, NODE, FreeWalk

Ints = NDArray[np.int64]


class Texts(Protocol):
    """What a trained model writes, and the truth about it.

    Attributes:
        model: that writes.
        starts: beginnings of texts, token ids.
        outcomes: names of the outcomes, other left out.
        limit: most tokens after a beginning.
        prune: prefixes with a smaller probability are not followed.
    """

    @property
    def model(self) -> LanguageModel: ...

    @property
    def starts(self) -> Sequence[tuple[int, ...]]: ...

    @property
    def outcomes(self) -> tuple[str, ...]: ...

    @property
    def limit(self) -> int: ...

    @property
    def prune(self) -> float: ...

    def outcome(self, tokens: Ints) -> int | None:
        """The number of the outcome of a text that is over; None for other."""
        ...

    def kind(self, tokens: Sequence[int]) -> str:
        """What kind of token the last one of a text is."""
        ...

    def truth(self, tokens: Sequence[int]) -> Floats:
        """The law of the outcome by the graph alone, after the tokens of a text, (outcome + 1,)."""
        ...


@dataclass(frozen=True)
class WalkTexts:
    """Free walks of a trained model, whose outcome is their last node; see `Texts`.

    Attributes:
        task: that it was trained on.
        model: that writes.
        starts: every node that a walk may begin in.
        outcomes: the nodes of the last layer.
        limit: most tokens after a beginning.
        prune: prefixes with a smaller probability are not followed.
    """

    task: FreeWalk
    model: LanguageModel
    starts: Sequence[tuple[int, ...]]
    outcomes: tuple[str, ...]
    limit: int
    prune: float = 1e-5

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> WalkTexts:
        """Those of a checkpoint."""
        task: FreeWalk = checkpoint.task
        config = task.config
        last = task.token_labels()[config.n_nodes - config.width : config.n_nodes]
        starts = [(node,) for node in range(FIRST_LAYERS * config.width)]
        model = language_of_task(checkpoint.model, task, checkpoint.run_name)
        return cls(task, model, starts, tuple(last), config.n_positions)

    def outcome(self, tokens: Ints) -> int | None:
        """The last node, where the text ends right after one of the last layer."""
        place = int(tokens[-2]) - (self.task.config.n_nodes - self.task.config.width)
        return place if 0 <= place < self.task.config.width else None

    def kind(self, tokens: Sequence[int]) -> str:
        """Node, random word, following word or end."""
        return self.task.kind_of(int(tokens[-1]))

    def truth(self, tokens: Sequence[int]) -> Floats:
        """By absorption probabilities from the text's last node, whatever words follow it."""
        node = next(token for token in reversed(tokens) if self.task.kind_of(int(token)) == NODE)
        return np.append(self.task.last_nodes()[int(node)].numpy(), 0.0)
