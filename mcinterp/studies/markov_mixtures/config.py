"""Mixtures of Markov chains: what is drawn once for a run, and what a sequence is."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from mcinterp.config.base import TaskSection


class MarkovConfig(TaskSection):
    """Sequences of one of N Markov chains, which are drawn once for a run (arXiv 2412.01003)."""

    draws_chain: ClassVar[bool] = True

    kind: Literal["markov-mixture"] = Field("markov-mixture", description="Which task the model is asked.")
    states: int = Field(4, ge=2, le=100, description="k: states of every chain, which are the tokens.")
    chains: int = Field(
        32,
        ge=1,
        le=100_000,
        description="N: chains, drawn once with training.seeds' chain; the first of a larger N are those of a smaller.",
    )
    length: int = Field(
        64, ge=2, le=100_000, description="L: tokens of a sequence; each but the first is predicted from those before."
    )
    rows: Literal["own", "shared"] = Field(
        "own",
        description="'own' draws every row of a chain's transition matrix by itself; 'shared' one row for all states, "
        "so that the tokens of a sequence are independent: a control.",
    )

    @property
    def d_vocab(self) -> int:
        """Tokens."""
        return self.states

    @property
    def n_positions(self) -> int:
        """Tokens of an input: all but the last, of which nothing is asked."""
        return self.length - 1

    def sample_bytes(self) -> int:
        """Bytes of a sequence, of the weights of its places, and of its chain's transition matrix."""
        return 20 * self.length + 8 * self.states**2
