"""Tasks of next tokens that know algorithms for them: probabilities as points, Kullback–Leibler as the divergence."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from mcinterp.task.next_token import NextToken, TokenBatch
from mcinterp.task.offers import OracleKind

LATE = "late"
"""The context that is looked at first: places that have seen more than half of what can be seen."""


class OracleTokens(NextToken):
    """A `NextToken` whose answers are compared with known algorithms; one of its own kind writes `oracles`, too.

    Every algorithm gives each next token a probability, also where it is 0.
    """

    oracle_kinds: Mapping[str, OracleKind]
    divergence_words = "KL divergence of the model from the algorithm (nats)"

    @abstractmethod
    def oracles(self, batch: TokenBatch) -> Mapping[str, Float[Tensor, "n pos d_vocab"]]:
        """Every algorithm's probabilities of the next token, float64."""

    def answer_points(
        self, answers: Float[Tensor, "n pos d_vocab"], batch: TokenBatch
    ) -> Float[Tensor, "n pos d_vocab"]:
        """A model's probabilities of the next token, float64."""
        return answers.double().softmax(-1)

    def divergence(
        self, wanted: Float[Tensor, "n pos d_vocab"], given: Float[Tensor, "n pos d_vocab"]
    ) -> Float[Tensor, "n pos"]:
        """KL(wanted ‖ given), nats; infinite where what is wanted has probability 0 in what is given."""
        # Where nothing is wanted, 0 · log 0 = 0. Rounding alone makes it negative.
        return (torch.xlogy(wanted, wanted) - torch.xlogy(wanted, given)).sum(-1).clamp_min(0)

    def contexts(self, batch: TokenBatch) -> Mapping[str, Float[Tensor, "n pos"]]:
        """Places by the number of tokens that they have seen: the late ones, then 1, 2, 3–4, 5–8, …; all that count."""
        seen = torch.arange(1, batch.inputs.shape[1] + 1, device=batch.inputs.device)
        counts = (batch.weights > 0).double()
        found, last, n = {LATE: counts * (seen > len(seen) / 2)}, 1, len(seen)
        while last // 2 < n:
            first, upto = last // 2 + 1, min(last, n)
            name = str(first) if first == upto else f"{first}–{upto}"
            found[name] = counts * ((seen >= first) & (seen <= upto))
            last *= 2
        return found
