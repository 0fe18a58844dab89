"""`RecurrentNetworks`: tanh networks with recurrent weights of low rank, several side by side."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from mcinterp.config import RecurrentConfig
from mcinterp.model.plain import PlainModel


class RecurrentNetworks(PlainModel):
    """x ← (1 − α) x + α tanh(M κ + b) with the overlaps κ = Nᵀ x, and an output after every step.

    Of the state only the overlaps and what the read-out sees are computed: with V the columns of N, and w where the
    read-out is trained, Vᵀx ← (1 − α) Vᵀx + α Vᵀ tanh(M κ + b), which is the same.

    Attributes:
        m: M of every network, (networks, units, rank); entries begin as normal(0, 1/units).
        n: N, likewise.
        b: biases, (networks, units); they begin at 0.
        w: weights of a trained read-out, (networks, units); normal(0, 1/units).
        c: its biases, (networks,); likewise.

    Args:
        config: size and read-out.
        networks: how many, each with parameters of its own; number i begins as that of `seed` + i.
        seed: of the first.
    """

    def __init__(self, config: RecurrentConfig, networks: int = 1, seed: int = 0) -> None:
        super().__init__()
        self.config = config
        generators = [torch.Generator().manual_seed(seed + i) for i in range(networks)]
        normal = partial(_normal, generators, config.units)
        self.m = nn.Parameter(normal(config.units, config.rank))
        self.n = nn.Parameter(normal(config.units, config.rank))
        self.b = nn.Parameter(torch.zeros(networks, config.units))
        if config.readout == "trained":
            self.w = nn.Parameter(normal(config.units))
            self.c = nn.Parameter(normal())

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs (samples, steps, networks) after each step.

        Args:
            inputs: (samples, steps); only the first of each sample is read, the state that every unit begins in.
        """
        seen = self._seen(inputs[:, 0], inputs.shape[1])
        if self.config.gain is not None:
            return torch.sigmoid(self.config.gain * (seen - 1.0))
        return torch.sigmoid(seen + self.c)

    def _seen(self, start: Tensor, steps: int) -> Tensor:
        """What the read-out sees after each step, the overlap or w·x, (samples, steps, networks)."""
        into: Tensor = self.m
        out_of: Tensor = self.n
        if self.config.readout == "trained":
            # w·x drives no unit.
            into, out_of = nn.functional.pad(into, (0, 1)), torch.cat([out_of, self.w[..., None]], -1)
        alpha, bias, across = self.config.alpha, self.b[..., None], out_of.transpose(1, 2)
        state = across.sum(-1, keepdim=True) * start
        states = []
        for _ in range(steps):
            state = torch.baddbmm(
                state, across, torch.tanh(torch.baddbmm(bias, into, state)), beta=1 - alpha, alpha=alpha
            )
            states.append(state[:, -1])
        return torch.stack(states).permute(2, 0, 1)


def _normal(generators: list[torch.Generator], units: int, *shape: int) -> Tensor:
    """Draws of variance 1/units, each network's from its own generator, (networks, …)."""
    return torch.stack([torch.randn(shape, generator=generator) for generator in generators]) / units**0.5
