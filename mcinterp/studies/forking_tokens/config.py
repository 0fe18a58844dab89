"""Free walks: the task."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from mcinterp.config.base import TaskSection


class WalkConfig(TaskSection):
    """Walks from the first layers of a graph to its last, whose nodes are followed by words that decide nothing."""

    draws_chain: ClassVar[bool] = True

    kind: Literal["free-walk"] = Field("free-walk", description="Which task the model is asked.")
    layers: int = Field(8, ge=3, le=100, description="Layers of the graph, which the run's seed draws.")
    width: int = Field(8, ge=1, le=1000, description="Nodes a layer.")
    p: float = Field(0.15, ge=0.0, le=1.0, description="Probability of each edge from a layer to the next one.")
    words: int = Field(
        2, ge=1, le=1000, description="Words that one is drawn from after each node but the last; another follows it."
    )

    @property
    def n_nodes(self) -> int:
        """Nodes of the graph."""
        return self.layers * self.width

    @property
    def d_vocab(self) -> int:
        """Nodes, random words, the words that follow them, and the end."""
        return self.n_nodes + 2 * self.words + 1

    @property
    def n_positions(self) -> int:
        """Length of every input: the longest walk with its words and without its end."""
        return 3 * (self.layers - 1) + 1

    def sample_bytes(self) -> int:
        """Bytes of inputs, targets and weights."""
        return 20 * self.n_positions
