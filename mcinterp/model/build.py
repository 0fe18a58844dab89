"""From a configuration to its model, by the architecture that it names; TransformerLens loads when one is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from mcinterp.config import ModelConfig, RunConfig
from mcinterp.model.linear import LinearNetwork
from mcinterp.model.recurrent import RecurrentNetworks
from mcinterp.model.size import least_size, refuse_too_large, weight_bytes
from mcinterp.task.tokens import detokenise

if TYPE_CHECKING:
    from mcinterp.model import MatrixEncoder, MatrixGPT, Model


def build_model(config: RunConfig, seed: int | None = None) -> Model:
    """The run's model with its initial weights (or those of another seed).

    Raises:
        InputError: if it takes more memory than the machine has.
    """
    refuse_too_large(weight_bytes(config), "the configuration's model")
    seed = config.training.seed if seed is None else seed
    return _BUILDERS[config.model.architecture](config.model, config.task, seed)


def template(config: RunConfig) -> Mapping[str, Tensor]:
    """The parameters of the run's model without their values, on the meta device, to check stored ones against."""
    if config.hash not in _TEMPLATES:
        parameters = build_model(config).named_parameters()
        _TEMPLATES[config.hash] = {name: parameter.detach().to("meta") for name, parameter in parameters}
    return _TEMPLATES[config.hash]


def least_size_of(config: RunConfig) -> int:
    """Bytes that the weights of the run's model take at least, told without building it."""
    return least_size(config.model) if isinstance(config.model, ModelConfig) else 0


def _encoder(model: Any, task: Any, seed: int) -> MatrixEncoder:
    from mcinterp.model.encoder import MatrixEncoder

    return MatrixEncoder(model, task.d_vocab, task.n_positions, seed, task.pad_token)


def _gpt(model: Any, task: Any, seed: int) -> MatrixGPT:
    from mcinterp.model.gpt import MatrixGPT

    return MatrixGPT(model, detokenise(torch.arange(task.d_vocab), task), task.n_entries, seed)


def _linear(model: Any, task: Any, seed: int) -> LinearNetwork:
    return LinearNetwork(model, task.d, seed)


def _recurrent(model: Any, task: Any, seed: int) -> RecurrentNetworks:
    return RecurrentNetworks(model, task.networks, seed)


_TEMPLATES: dict[str, Mapping[str, Tensor]] = {}
_BUILDERS: Mapping[str, Callable[[Any, Any, int], Model]] = {
    "encoder": _encoder,
    "gpt": _gpt,
    "linear": _linear,
    "recurrent": _recurrent,
}
