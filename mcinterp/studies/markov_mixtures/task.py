"""Mixtures of Markov chains as a task of next tokens whose algorithms are known."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from mcinterp.studies.markov_mixtures.chains import blocks, drawn_once, drawn_rows, stationary, walks
from mcinterp.studies.markov_mixtures.config import MarkovConfig
from mcinterp.studies.markov_mixtures.oracles import KINDS, predictions
from mcinterp.task.next_token import RANDOM, REPEATED, TokenBatch
from mcinterp.task.oracle_tokens import OracleTokens

UNSEEN, STRUCTURED = "unseen", "structured"
"""Families of inputs: sequences each of a fresh chain of the same law, and of one whose states lie in two blocks."""


class MarkovMixture(OracleTokens):
    """Sequences of one of N Markov chains that are drawn once for a run (arXiv 2412.01003).

    A chain is drawn by its weight, the first token by the chain's stationary law. Every batch knows the rows of each
    sequence's chain (`truth["rows"]`), and the number of the chain (`truth["chain"]`, −1 of one that is not of the N).

    Attributes:
        rows: of the chains, float64, (chain, state, next).
        weights: how frequent each is, float64, (chain,).
    """

    same_inputs = ("kind", "states", "length")
    oracle_kinds = KINDS

    def __init__(self, config: MarkovConfig) -> None:
        super().__init__(config.d_vocab, config.n_positions)
        self.config = config
        self.rows, self.weights = drawn_once(config.chain, config.chains, config.states, config.rows == "shared")
        self._law, self._upto = stationary(self.rows), self.weights.cumsum(0)

    def draw(self, n: int, generator: torch.Generator) -> TokenBatch:
        """Draw `n` fresh sequences of the chains."""
        uniform = torch.rand(n, generator=generator, device=generator.device, dtype=torch.float64)
        chain = torch.searchsorted(self._upto[:-1].to(generator.device), uniform)
        law, rows = (known.to(generator.device)[chain] for known in (self._law, self.rows))
        return self._walked(law, rows, chain, generator)

    def examples(self, n: int, generator: torch.Generator, family: str = RANDOM) -> TokenBatch:
        """As `draw`, or of another family of `inputs_for_attention`: of chains that are not among the N, each its own.

        Raises:
            InputError: for a family that there is none of.
        """
        if family not in (UNSEEN, STRUCTURED):
            return super().examples(n, generator, family)
        states = self.config.states
        ones = torch.ones(states, states, dtype=torch.long)
        rows = drawn_rows(blocks(states) if family == STRUCTURED else ones, n, generator)
        if self.config.rows == "shared":
            rows = rows[:, :1].expand(-1, states, -1)
        return self._walked(stationary(rows), rows, torch.full((n,), -1, device=rows.device), generator)

    def _walked(self, law: Tensor, rows: Tensor, chain: Tensor, generator: torch.Generator) -> TokenBatch:
        tokens = walks(law, rows, self.config.length, generator)
        return TokenBatch.of(tokens, truth={"chain": chain, "rows": rows})

    def inputs_for_attention(self) -> list[str]:
        """Sequences of the chains, of unseen chains, of structured ones, and random sequences that come twice."""
        return [RANDOM, UNSEEN, STRUCTURED, REPEATED]

    def oracles(self, batch: TokenBatch) -> Mapping[str, Float[Tensor, "n pos d_vocab"]]:
        """What each algorithm predicts, float64, on the CPU."""
        return predictions(batch.inputs.cpu(), self.rows, self.weights)

    def truth(self, batch: TokenBatch) -> Float[Tensor, "n pos d_vocab"]:
        """The row of each sequence's own chain that the next token is drawn from, float64."""
        rows = batch.truth["rows"]
        return rows[torch.arange(len(rows), device=rows.device)[:, None], batch.inputs]
