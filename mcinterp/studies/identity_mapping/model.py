"""`LinearNetwork`: a product of square factors, or W = U Uᵀ, without biases."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mcinterp.errors import InputError
from mcinterp.model.plain import PlainModel
from mcinterp.studies.identity_mapping.config import IdentityConfig, LinearConfig


class LinearNetwork(PlainModel):
    """x → W x with W = F_n … F_1, or F_1 F_1ᵀ where `config.symmetric`.

    Every factor begins as the n-th root of the initial W that the configuration names, so that a network of any depth
    begins as the same function.

    Args:
        config: number of factors and their initial values.
        d: dimensions of inputs and answers.
        seed: of what is added to the initial factors.

    Raises:
        InputError: if the initial W of several layers has no root: its correlation is below −1/(d − 1).
    """

    def __init__(self, config: LinearConfig, d: int, seed: int = 0) -> None:
        super().__init__()
        self.symmetric = config.symmetric
        root, generator = initial_factor(config, d), torch.Generator().manual_seed(seed)
        n_factors = 1 if config.symmetric else config.layers
        noise = (config.init_std * torch.randn(d, d, generator=generator) for _ in range(n_factors))
        self.factors = nn.ParameterList([nn.Parameter(root.float() + each) for each in noise])

    def matrix(self) -> Tensor:
        """W, (d, d)."""
        product = self.factors[0]
        if self.symmetric:
            return product @ product.T
        for factor in list(self.factors)[1:]:
            product = factor @ product
        return product

    def forward(self, inputs: Tensor) -> Tensor:
        """Answers (batch, d) for inputs (batch, d)."""
        return inputs @ self.matrix().T


def initial_factor(config: LinearConfig, d: int) -> Tensor:
    """The root of the initial W that each of its factors begins as, float64, (d, d)."""
    ones = torch.ones(d, d, dtype=torch.float64)
    start = config.diagonal * (config.correlation * ones + (1 - config.correlation) * torch.eye(d, dtype=ones.dtype))
    if config.layers == 1:
        return start
    values, vectors = torch.linalg.eigh(start)
    if values[0] < -1e-12:
        raise InputError(f"model.correlation {config.correlation} must be at least −1/(d − 1) for layers > 1, d {d}")
    return (vectors * values.clamp(min=0.0) ** (1 / config.layers)) @ vectors.T


def build(model: LinearConfig, task: IdentityConfig, seed: int) -> LinearNetwork:
    """The network that a configuration describes, with the initial weights of a seed."""
    return LinearNetwork(model, task.d, seed)
