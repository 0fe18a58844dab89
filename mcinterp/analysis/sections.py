"""The shape of a model, for passes that are asked of transformers."""

from __future__ import annotations

from typing import Any

from mcinterp.config import RunConfig
from mcinterp.errors import InputError
from mcinterp.installed import architectures


def transformer(config: RunConfig) -> Any:
    """The model's section, with `n_layers`, `n_heads`, `d_model`.

    Raises:
        InputError: if it is of a model without attention heads.
    """
    if "heads" not in architectures()[config.model.architecture].offers:
        raise InputError(f"this analysis is defined for transformers; the run's model is {config.model.architecture}")
    return config.model
