"""Values to tokens and back: id 0 is MASK, id 1 + k is the value v_min + k·10^(−decimals).

Where a task has several sizes the last id is PAD, which stands at positions that a smaller matrix does not have.
In a sequence the id after the last value is the separator; the spare ids after it stand for nothing.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mcinterp.errors import InputError
from mcinterp.studies.matrix_completion.config import TaskConfig

MASK_TOKEN = 0


def tokenise(values: Tensor, observed: Tensor, config: TaskConfig) -> tuple[Int[Tensor, "*shape"], int]:
    """Turn matrices into token ids, with MASK where an entry is not observed.

    Args:
        values: float, any shape.
        observed: bool, the same shape; False becomes MASK.

    Returns:
        int64 ids of the same shape, and how many observed values were clipped to the vocabulary's range.

    Raises:
        InputError: if an observed value lies outside [v_min, v_max] and `config.out_of_range` is 'error', or is not
            finite.
    """
    if values.shape != observed.shape:
        raise InputError(f"tokenise: values have shape {tuple(values.shape)}, observed {tuple(observed.shape)}")
    rounded = values.double().round(decimals=config.decimals)
    if not bool(torch.isfinite(rounded[observed]).all()):
        raise InputError(f"tokenise: {int((~torch.isfinite(rounded[observed])).sum())} observed values are not finite")
    outside = observed & ((rounded < config.v_min) | (rounded > config.v_max))
    n_clipped = int(outside.sum())
    if n_clipped and config.out_of_range == "error":
        raise InputError(_outside_message(rounded[observed], n_clipped, config))
    return token_ids(values, observed, config), n_clipped


def token_ids(
    values: Float[Tensor, "*shape"], observed: Bool[Tensor, "*shape"], config: TaskConfig
) -> Int[Tensor, "*shape"]:
    """As `tokenise`, with values that have no token clipped, counted by nobody and without waiting for the device."""
    clipped = values.double().round(decimals=config.decimals).clamp(config.v_min, config.v_max)
    return _ids(clipped.nan_to_num(), config).masked_fill(~observed, MASK_TOKEN)


def n_outside(values: Float[Tensor, "*shape"], observed: Bool[Tensor, "*shape"], config: TaskConfig) -> Int[Tensor, ""]:
    """How many observed values have no token, told on their device."""
    rounded = values.double().round(decimals=config.decimals)
    return (observed & ~((rounded >= config.v_min) & (rounded <= config.v_max))).sum()


def detokenise(tokens: Int[Tensor, "*shape"], config: TaskConfig) -> Float[Tensor, "*shape"]:
    """The value of each token, float32; MASK, PAD, the separator and spare ids become NaN.

    Raises:
        InputError: if an id is outside the vocabulary.
    """
    if bool(((tokens < 0) | (tokens >= config.d_vocab)).any()):
        raise InputError(
            f"detokenise: ids must be in 0 … {config.d_vocab - 1}, got {int(tokens.min())} … {int(tokens.max())}"
        )
    return token_values(tokens, config)


def token_values(tokens: Int[Tensor, "*shape"], config: TaskConfig) -> Float[Tensor, "*shape"]:
    """As `detokenise`, of ids that are known to be in the vocabulary, without waiting for the device."""
    values = (tokens.double() - 1) / 10**config.decimals + config.v_min
    valueless = (tokens == MASK_TOKEN) | (tokens > config.n_values)
    return values.masked_fill(valueless, torch.nan).round(decimals=config.decimals).float()


def separator_token(config: TaskConfig) -> int:
    """The id that stands between the masked and the full entries of a sequence."""
    return config.n_values + 1


def value_token(value: float, config: TaskConfig) -> int:
    """The token id of one value.

    Raises:
        InputError: if it lies outside the vocabulary.
    """
    ids, _ = tokenise(torch.tensor([value]), torch.tensor([True]), config)
    return int(ids)


def _ids(values: Float[Tensor, "*shape"], config: TaskConfig) -> Int[Tensor, "*shape"]:
    scale = 10**config.decimals
    if config.tokens == "truncate":
        # The float32 product of the authors' code is truncated, so that some values land one token low.
        return (1 + (values.float() * scale - config.v_min * scale)).to(torch.int64)
    return 1 + ((values - config.v_min) * scale).round().to(torch.int64)


def outside_sentence(values: str, config: TaskConfig, reach: str = "") -> str:
    """Why values without a token are refused, and what helps."""
    return (
        f"{values} lie outside the vocabulary [{config.v_min:g}, {config.v_max:g}]{reach}; widen task.v_min and "
        "task.v_max, or set task.out_of_range=clip to clip and count them"
    )


def _outside_message(values: Tensor, n_clipped: int, config: TaskConfig) -> str:
    reach = f" (they reach from {float(values.min()):g} to {float(values.max()):g})"
    return outside_sentence(f"{n_clipped} of {values.numel()} values", config, reach)
