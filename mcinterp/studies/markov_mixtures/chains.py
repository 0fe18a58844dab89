"""Markov chains: their rows and stationary laws, and sequences of them, drawn all places at once."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

INSIDE = 5
"""Concentration of a structured chain's steps inside a block of states; outside it is 1, as everywhere else."""


def drawn_once(seed: int, n: int, states: int, shared: bool) -> tuple[Tensor, Tensor]:
    """Chains and how frequent each is, float64: Dirichlet(1, …, 1) rows, and uniform numbers made to sum to 1.

    Args:
        seed: of both.
        n: chains.
        states: of each.
        shared: whether all rows of a chain are its first.

    Returns:
        rows (n, states, states), and weights (n,); of fewer chains the rows are the first of those of more.
    """
    rows = np.random.default_rng([seed, 0]).dirichlet(np.ones(states), (n, states))
    weights = np.random.default_rng([seed, 1]).uniform(size=n)
    chains = torch.from_numpy(rows[:, :1].repeat(states, 1) if shared else rows)
    return chains, torch.from_numpy(weights / weights.sum())


def drawn_rows(concentrations: Int[Tensor, "state next"], n: int, generator: torch.Generator) -> Tensor:
    """Fresh chains whose rows are Dirichlet with these whole-numbered concentrations, float64, (n, state, next).

    A Gamma variable of a whole concentration is a sum of as many exponential ones.
    """
    most = int(concentrations.max())
    uniform = torch.rand(n, *concentrations.shape, most, generator=generator, device=generator.device).double()
    counted = torch.arange(most, device=generator.device) < concentrations.to(generator.device)[..., None]
    gammas = -(torch.log1p(-uniform) * counted).sum(-1)
    return gammas / gammas.sum(-1, keepdim=True)


def blocks(states: int) -> Int[Tensor, "state next"]:
    """Concentrations of a structured chain: the states in two blocks, steps inside a block more probable."""
    block = torch.arange(states) >= (states + 1) // 2
    return torch.where(block[:, None] == block, INSIDE, 1)


def stationary(rows: Float[Tensor, "*some state next"]) -> Float[Tensor, "*some state"]:
    """The law π with πT = π, of chains that come from every state to every other; float64."""
    states = rows.shape[-1]
    # π (I − T + J) = 1 for J of ones, as π sums to 1; unlike I − T that has an inverse.
    system = torch.eye(states, dtype=rows.dtype, device=rows.device) - rows.mT + 1
    return torch.linalg.solve(system, torch.ones_like(rows[..., 0]))


def walks(
    law: Float[Tensor, "n state"], rows: Float[Tensor, "n state next"], length: int, generator: torch.Generator
) -> Int[Tensor, "n length"]:
    """A sequence of each chain, from a state of its law on.

    A uniform number for each step decides where it leads from every state; what all steps so far do together is
    composed in as many rounds as the length has binary digits.
    """
    uniform = torch.rand(len(rows), length, 1, generator=generator, device=generator.device, dtype=torch.float64)
    first = (uniform[:, 0] > law.cumsum(-1)[:, :-1]).sum(-1)
    steps = (uniform[:, 1:, None] > rows.cumsum(-1)[:, None, :, :-1]).sum(-1)
    reach = 1
    while reach < length - 1:
        steps = torch.cat([steps[:, :reach], steps[:, reach:].gather(-1, steps[:, :-reach])], 1)
        reach *= 2
    later = steps.gather(-1, first[:, None, None].expand(-1, length - 1, 1))[..., 0]
    return torch.cat([first[:, None], later], 1)
