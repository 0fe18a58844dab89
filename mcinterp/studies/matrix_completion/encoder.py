"""`MatrixEncoder`: an encoder that answers a number at every entry of a matrix."""

from __future__ import annotations

from mcinterp.model.encoder import Encoder
from mcinterp.studies.matrix_completion.config import ModelConfig


class MatrixEncoder(Encoder):
    """An `Encoder` whose token 0 is MASK, embedded as 0 for good or learned.

    Args:
        config: shape and initialisation.
        d_vocab: number of tokens.
        n_positions: entries.
        seed: of the initial weights.
        pad_token: a token that marks positions without an entry, to which no head attends; None where there is none.
    """

    def __init__(
        self, config: ModelConfig, d_vocab: int, n_positions: int, seed: int = 0, pad_token: int | None = None
    ) -> None:
        super().__init__(config, d_vocab, n_positions, seed, pad_token, config.mask_embedding == "zero")
