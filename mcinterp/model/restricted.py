"""The same weights on fewer positions: what a model answers when the others are not there at all."""

from __future__ import annotations

from collections.abc import Sequence

from mcinterp.errors import InputError
from mcinterp.model.encoder import Encoder, PaddedEmbed
from mcinterp.model.plain import load_weights

_POSITIONS = "embed.pos_embed.W_pos"


def restricted_to(model: Encoder, positions: Sequence[int]) -> Encoder:
    """A model with a copy of `model`'s weights, the positional embedding cut to `positions`; on the same device.

    On the tokens at these positions it answers what `model` does on a batch that has padding at all others.

    Raises:
        InputError: if `positions` is empty or has a position that the model does not have.
    """
    if not positions or min(positions) < 0 or max(positions) >= model.n_positions:
        raise InputError(f"positions must lie in 0 … {model.n_positions - 1}, got {list(positions)}")
    weights = model.weights()
    weights[_POSITIONS] = weights[_POSITIONS][list(positions)]
    zero = isinstance(model.embed.embed, PaddedEmbed)
    smaller = Encoder(model.model_config, model.cfg.d_vocab, len(positions), 0, model.pad_token, zero)
    load_weights(smaller, weights, source="the model")
    return smaller.train(model.training).move(model.unembed.W_U.device)
