"""From a configuration to its model, by the architecture that it names; TransformerLens loads when one is built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor

from mcinterp.config import RunConfig
from mcinterp.declared import load
from mcinterp.installed import architectures
from mcinterp.model.size import refuse_too_large, weight_bytes

if TYPE_CHECKING:
    from mcinterp.config.transformer import TransformerConfig
    from mcinterp.model import CausalTransformer, Model


def build_model(config: RunConfig, seed: int | None = None) -> Model:
    """The run's model with its initial weights (or those of another seed).

    Raises:
        InputError: if it takes more memory than the machine has.
    """
    refuse_too_large(weight_bytes(config), "the configuration's model")
    seed = config.training.seed if seed is None else seed
    return load(architectures()[config.model.architecture].build)(config.model, config.task, seed)


def template(config: RunConfig) -> Mapping[str, Tensor]:
    """The parameters of the run's model without their values, on the meta device, to check stored ones against."""
    if config.hash not in _TEMPLATES:
        parameters = build_model(config).named_parameters()
        _TEMPLATES[config.hash] = {name: parameter.detach().to("meta") for name, parameter in parameters}
    return _TEMPLATES[config.hash]


def transformer(model: TransformerConfig, task: Any, seed: int) -> CausalTransformer:
    """The causal transformer of a task that has `d_vocab` and `n_positions`."""
    from mcinterp.model.causal import CausalTransformer

    return CausalTransformer(model, task.d_vocab, task.n_positions, seed)


_TEMPLATES: dict[str, Mapping[str, Tensor]] = {}
