"""`RecurrentNetworks`: tanh networks with recurrent weights of low rank, several side by side."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from mcinterp.model.plain import PlainModel
from mcinterp.studies.ghost_points.config import RecurrentConfig, SwitchConfig


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
        begin = out_of.sum(1)[:, :, None] * start
        states: Tensor = _Overlaps.apply(into, out_of, self.b, begin, steps, self.config.alpha)
        return states[:, :, -1].permute(2, 0, 1)


class _Overlaps(torch.autograd.Function):
    """s ← (1 − α) s + α Vᵀ tanh(M s + b) for so many steps, with the gradient through time written out.

    The tensors are so small that a step costs what calling torch costs; this halves the calls.
    """

    @staticmethod
    def forward(
        ctx: Any, into: Tensor, out_of: Tensor, bias: Tensor, begin: Tensor, steps: int, alpha: float
    ) -> Tensor:
        """States after each step, (steps, networks, overlaps, samples)."""
        across, state, states, driven = out_of.transpose(1, 2).contiguous(), begin, [begin], []
        for _ in range(steps):
            driven.append(torch.baddbmm(bias[..., None], into, state).tanh_())
            state = torch.baddbmm(state, across, driven[-1], beta=1 - alpha, alpha=alpha)
            states.append(state)
        along, units = torch.stack(states), torch.stack(driven)
        ctx.save_for_backward(into, out_of, along, units)
        ctx.alpha = alpha
        return along[1:]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """From the gradient by every state to those by weights and the first state."""
        into, out_of, along, units = ctx.saved_tensors
        back, slopes = into.transpose(1, 2).contiguous(), (ctx.alpha * (1 - units.square())).unbind()
        by_state, by_states, by_drive = torch.zeros_like(along[0]), [], []
        for of_output, slope in zip(reversed(gradients[0].unbind()), reversed(slopes), strict=True):
            by_state = by_state + of_output
            by_states.append(by_state)
            by_drive.append(torch.bmm(out_of, by_state).mul_(slope))
            by_state = torch.baddbmm(by_state, back, by_drive[-1], beta=1 - ctx.alpha)
        drive, later = _side_by_side(torch.stack(by_drive[::-1])), _side_by_side(torch.stack(by_states[::-1]))
        by_into = drive @ _side_by_side(along[:-1]).transpose(1, 2)
        by_out_of = ctx.alpha * _side_by_side(units) @ later.transpose(1, 2)
        return by_into, by_out_of, drive.sum(-1), by_state, None, None


def _side_by_side(along: Tensor) -> Tensor:
    """(steps, networks, k, samples) as (networks, k, steps · samples)."""
    return along.permute(1, 2, 0, 3).flatten(2)


def _normal(generators: list[torch.Generator], units: int, *shape: int) -> Tensor:
    """Draws of variance 1/units, each network's from its own generator, (networks, …)."""
    return torch.stack([torch.randn(shape, generator=generator) for generator in generators]) / units**0.5


def build(model: RecurrentConfig, task: SwitchConfig, seed: int) -> RecurrentNetworks:
    """The networks that a configuration describes, with the initial weights of seeds from this one on."""
    return RecurrentNetworks(model, task.networks, seed)
