"""What is asked: to go on with a walk through a graph whose nodes have other names in every sequence."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from mcinterp.config.base import TaskSection
from mcinterp.config.graphs import NamedGraph, graph_named
from mcinterp.errors import InputError


class TracingConfig(TaskSection):
    """Walks through a graph, the tokens of whose nodes are dealt anew for each sequence (arXiv 2501.00070).

    A sequence is a walk, or pairs of neighbours each drawn apart from the others, of which the second is asked for.
    """

    kind: Literal["graph-tracing"] = Field("graph-tracing", description="Which task the model is asked.")
    graphs: tuple[str, ...] = Field(
        ("ring:11",),
        strict=False,
        min_length=1,
        description="ring:N, circulant:N, grid:RxC or hex:RxC; of several, one is drawn for each sequence.",
    )
    order: Literal["walk", "pairs"] = Field(
        "walk", description="Whether a sequence is a walk, or pairs of neighbours a b a b …, of which b is asked for."
    )
    length: int = Field(48, ge=4, description="Tokens that the model sees of a sequence.")
    prior: float = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="Share of the sequences whose tokens are dealt in one way for all: token i at node i of the first "
        "graph.",
    )

    @field_validator("graphs")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            try:
                graph_named(name)
            except InputError as error:
                raise ValueError(str(error)) from None
        return names

    @model_validator(mode="after")
    def _consistent(self) -> TracingConfig:
        if self.order == "pairs" and self.length % 2:
            raise ValueError(f"length must be even where a sequence is made of pairs, got {self.length}")
        return self

    def sample_bytes(self) -> int:
        """Bytes of tokens, targets, weights and what is known of the graph."""
        return 20 * self.n_positions + 10 * self.d_vocab

    @property
    def shapes(self) -> tuple[NamedGraph, ...]:
        """The graphs."""
        return tuple(map(graph_named, self.graphs))

    @property
    def d_vocab(self) -> int:
        """As many tokens as the largest graph has nodes."""
        return max(graph.n for graph in self.shapes)

    @property
    def n_positions(self) -> int:
        """Length of every input."""
        return self.length
