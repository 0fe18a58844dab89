"""What is asked: to find a way through a graph, or through a chain of motifs that a prompt gives examples of."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from mcinterp.config.base import TaskSection

SIGNS, MOTIF_SIGNS = ("PATH", "NOPATH", "END", "PAD"), ("EX", "Q", "END", "PAD")
"""Tokens that are no nodes, behind the nodes' own."""
LABEL_AND_END = 2


class NavigationConfig(TaskSection):
    """Is there a path from a start to a goal, and which (arXiv 2402.07757); the graph is drawn once.

    A sample is `goal start node … PATH END`, or `goal start PATH END` where it is answered directly.
    """

    draws_chain: ClassVar[bool] = True

    kind: Literal["graph-navigation"] = Field("graph-navigation", description="Which task the model is asked.")
    graph: Literal["hierarchical", "bernoulli"] = Field(
        "hierarchical", description="Layers, with edges to the next one; or an order, with edges to any later node."
    )
    layers: int = Field(8, ge=2, description="Layers of a hierarchical graph.")
    width: int = Field(8, ge=1, description="Nodes a layer, of a hierarchical graph.")
    nodes: int = Field(64, ge=2, description="Nodes of a Bernoulli graph.")
    edge_probability: float = Field(
        0.15, ge=0.0, le=1.0, description="Probability of each possible edge, of a hierarchical graph."
    )
    forward_probability: float = Field(
        0.1, ge=0.0, le=1.0, description="Probability of each possible edge, of a Bernoulli graph."
    )
    answer: Literal["stepwise", "direct"] = Field(
        "stepwise", description="Whether the nodes on the way are written before the answer, or the answer alone."
    )
    longest: int = Field(4, ge=1, description="Edges of the longest path that is trained on.")
    walk: int = Field(8, ge=1, description="Edges after which a walk to an answer NOPATH ends at the latest.")
    trained_share: float = Field(
        0.5, gt=0.0, lt=1.0, description="Share of the pairs of start and goal that is trained on, of either kind."
    )
    trained_pairs: int | None = Field(
        None, ge=1, description="So many pairs with a path instead, or as many as there are; None: the share."
    )
    labels: Literal["true", "shuffled"] = Field(
        "true", description="'shuffled' gives each pair PATH or NOPATH by chance, once for all; of direct answers."
    )
    positions: int = Field(12, ge=3, description="Length of every input; what a sample leaves of it is PAD.")
    offset: bool = Field(
        True, description="Whether samples begin at a random position, so that all are trained; else at the first."
    )

    @model_validator(mode="after")
    def _consistent(self) -> NavigationConfig:
        if self.labels == "shuffled" and self.answer == "stepwise":
            raise ValueError("labels 'shuffled' are of direct answers, as no path ends where none is")
        least = self.longest_sample - 1
        if self.positions < least:
            raise ValueError(
                f"positions must be at least {least}, so that the longest sample fits, got {self.positions}"
            )
        return self

    def sample_bytes(self) -> int:
        """Bytes of tokens, targets and weights."""
        return 20 * self.n_positions

    @property
    def n_nodes(self) -> int:
        """Nodes of the graph."""
        return self.nodes if self.graph == "bernoulli" else self.layers * self.width

    @property
    def d_vocab(self) -> int:
        """Nodes, and signs."""
        return self.n_nodes + len(SIGNS)

    @property
    def most_edges(self) -> int:
        """Edges of the longest sample; 0 where no node is written."""
        return max(self.longest, self.walk) if self.answer == "stepwise" else 0

    @property
    def longest_sample(self) -> int:
        """Tokens of the longest sample, of which the last is no input."""
        return 2 + self.most_edges + LABEL_AND_END

    @property
    def n_positions(self) -> int:
        """Length of every input."""
        return self.positions


class MotifConfig(TaskSection):
    """A way through a chain of motifs, whose links are given by exemplars in the prompt (arXiv 2402.07757).

    A sample is an exemplar `EX goal start path` for each link, then `Q goal start path END` through the whole chain.
    """

    draws_chain: ClassVar[bool] = True

    kind: Literal["motif-navigation"] = Field("motif-navigation", description="Which task the model is asked.")
    motifs: int = Field(10, ge=4, description="Motifs: small graphs of layers, drawn once.")
    layers: int = Field(3, ge=2, description="Layers of a motif.")
    width: int = Field(2, ge=1, description="Nodes a layer.")
    edge_probability: float = Field(0.6, ge=0.0, le=1.0, description="Probability of each possible edge of a motif.")
    longest: int = Field(5, ge=2, description="Motifs of the longest chain that is trained on; the shortest has 2.")
    positions_for: int = Field(6, ge=2, description="Motifs of the longest chain that the model has positions for.")
    unseen_share: float = Field(
        0.3, ge=0.0, lt=1.0, description="Share of the ordered pairs of motifs that are never linked in training."
    )
    order: Literal["chain", "shuffled"] = Field(
        "chain", description="Whether exemplars stand in the order of the chain, or in a random one."
    )

    @model_validator(mode="after")
    def _consistent(self) -> MotifConfig:
        if not self.longest < self.positions_for <= self.motifs:
            raise ValueError(
                f"longest < positions_for ≤ motifs is needed, as a chain has different motifs; got {self.longest}, "
                f"{self.positions_for} and {self.motifs}"
            )
        return self

    def sample_bytes(self) -> int:
        """Bytes of tokens, targets and weights."""
        return 20 * self.n_positions

    @property
    def per_motif(self) -> int:
        """Nodes of a motif."""
        return self.layers * self.width

    @property
    def d_vocab(self) -> int:
        """Nodes of all motifs, and signs."""
        return self.motifs * self.per_motif + len(MOTIF_SIGNS)

    def length(self, motifs: int) -> int:
        """Tokens of a sample through so many motifs."""
        exemplar = 1 + 1 + 2 * self.layers
        return (motifs - 1) * exemplar + 2 + motifs * self.layers + 1

    @property
    def n_positions(self) -> int:
        """Length of every input: the longest sample that there are positions for, but for its last token."""
        return self.length(self.positions_for) - 1
