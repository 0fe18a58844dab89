"""Random matrices of given rank, rounded as the task asks; and matrices of one's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mcinterp.errors import InputError
from mcinterp.studies.matrix_completion.config import TaskConfig


def sample_matrices(config: TaskConfig, n: int, generator: torch.Generator) -> Float[Tensor, "n row col"]:
    """Draw `n` matrices and round them to `config.decimals`.

    X = U Vᵀ with i.i.d. entries of U (rows × rank) and V (cols × rank) from `config.factors`; for 'full-rank' the
    entries of X themselves are i.i.d. uniform.

    Args:
        n: how many.
        generator: decides the values; they are made on its device, and a CPU's and a GPU's differ for the same seed.

    Returns:
        float32, on the generator's device.
    """
    if config.factors == "full-rank":
        matrices = _draw("uniform", (n, config.rows, config.cols), config.factor_scale, generator)
    else:
        u = _draw(config.factors, (n, config.rows, config.rank), config.factor_scale, generator)
        v = _draw(config.factors, (n, config.cols, config.rank), config.factor_scale, generator)
        matrices = u @ v.transpose(1, 2)
    return matrices.round(decimals=config.decimals)


def own_matrices(matrices: Any) -> Tensor:
    """Matrices of one's own, float32: a tensor as it is, an array, nested lists, or a list of arrays or data frames.

    Raises:
        InputError: if they are no numbers, or not all of one shape.
    """
    if isinstance(matrices, Tensor):
        return matrices
    try:
        return torch.from_numpy(np.array(matrices, dtype=np.float32))
    except (TypeError, ValueError):
        raise InputError("batch: matrices must be numbers, all of one shape") from None


def _draw(law: str, shape: tuple[int, ...], scale: float, generator: torch.Generator) -> Tensor:
    if law == "gaussian":
        return scale * torch.randn(shape, generator=generator, device=generator.device)
    centred = 2 * torch.rand(shape, generator=generator, device=generator.device) - 1
    if law == "uniform":
        return scale * centred
    # Inverse distribution function of the Laplace law. The uniform numbers lie on a grid of 2⁻²³, and one of them makes
    # 1 − |u| zero; half a grid step in its place keeps that value next to its neighbours.
    return -scale * centred.sign() * torch.log((1 - centred.abs()).clamp_min(2**-24))
