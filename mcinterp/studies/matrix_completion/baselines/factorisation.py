"""Completions by a factorisation X ≈ U Vᵀ of the true rank: alternating least squares and gradient descent."""

from __future__ import annotations

import torch
from torch import Tensor

from mcinterp.studies.matrix_completion.baselines.completion import CompletionSettings, filled, until_still, zero_filled

RIDGE = 1e-9
"""Keeps the systems of rows with too few observed entries solvable; far below the rounding of the entries."""
TOLERANCE = 1e-8
SWEEPS = 300
RESTARTS = 5


def alternating_least_squares(
    values: Tensor, observed: Tensor, settings: CompletionSettings, ridge: float = RIDGE
) -> Tensor:
    """Minimise ‖P(U Vᵀ − X)‖² + ridge·(‖U‖² + ‖V‖²) over the observed entries P, each factor in turn.

    Starts from `RESTARTS` random V and, for each matrix, keeps the one with the smallest objective after it stands
    still.

    Args:
        values: (n, rows, cols), float; masked entries are not read.
        observed: (n, rows, cols), bool.
        settings: rank, and seed of the starts.
        ridge: weight of the squared factors.

    Returns:
        (n, rows, cols).
    """
    n, _, cols = values.shape
    generator = torch.Generator().manual_seed(settings.seed)
    start = torch.randn((RESTARTS * n, cols, settings.rank), generator=generator, dtype=values.dtype)
    seen = zero_filled(values, observed).repeat(RESTARTS, 1, 1)
    weights = observed.to(values.dtype).repeat(RESTARTS, 1, 1)

    def sweep(v: Tensor, seen: Tensor, weights: Tensor) -> Tensor:
        return fitted_factor(seen.mT, weights.mT, fitted_factor(seen, weights, v, ridge), ridge)

    v = until_still(sweep, start, (seen, weights), TOLERANCE, SWEEPS)
    u = fitted_factor(seen, weights, v, ridge)
    product = u @ v.mT
    misfit = ((product - seen) * weights).square().sum((1, 2))
    objective = misfit + ridge * (u.square().sum((1, 2)) + v.square().sum((1, 2)))
    best = objective.view(RESTARTS, n).argmin(0)
    return filled(values, observed, product.view(RESTARTS, *values.shape)[best, torch.arange(n)])


def unrolled_least_squares(
    values: Tensor, observed: Tensor, settings: CompletionSettings, steps: int, ridge: float = RIDGE
) -> Tensor:
    """A few sweeps of alternating least squares, from the right singular vectors of the zero-filled matrix.

    Args:
        values: (n, rows, cols), float; masked entries are not read.
        observed: (n, rows, cols), bool.
        settings: rank.
        steps: how many times U and then V are fitted.
        ridge: weight of the squared factor in each fit.
    """
    seen, weights = zero_filled(values, observed), observed.to(values.dtype)
    v = torch.linalg.svd(seen, full_matrices=False).Vh[:, : settings.rank].mT
    u = torch.zeros_like(seen[:, :, : settings.rank])
    for _ in range(steps):
        u = fitted_factor(seen, weights, v, ridge)
        v = fitted_factor(seen.mT, weights.mT, u, ridge)
    return filled(values, observed, u @ v.mT)


def unrolled_descent(values: Tensor, observed: Tensor, settings: CompletionSettings, steps: int) -> Tensor:
    """A few steps of gradient descent on ½‖P(U Vᵀ − X)‖², from the truncated SVD of the zero-filled matrix.

    The step is 1/(2σ₁), with σ₁ the largest singular value of the zero-filled matrix: twice σ₁ bounds the curvature at
    the start, where U = L√Σ and V = R√Σ.

    Args:
        values: (n, rows, cols), float; masked entries are not read.
        observed: (n, rows, cols), bool.
        settings: rank.
        steps: how many times both factors move.
    """
    seen, weights = zero_filled(values, observed), observed.to(values.dtype)
    left, sizes, right = torch.linalg.svd(seen, full_matrices=False)
    roots = sizes[:, None, : settings.rank].sqrt()
    u, v = left[:, :, : settings.rank] * roots, right[:, : settings.rank].mT * roots
    # A matrix without any observed value other than 0 starts and stays at 0, whatever the step.
    step = 0.5 / sizes[:, :1, None].clamp_min(1e-12)
    for _ in range(steps):
        residual = (u @ v.mT - seen) * weights
        u, v = u - step * (residual @ v), v - step * (residual.mT @ u)
    return filled(values, observed, u @ v.mT)


def fitted_factor(seen: Tensor, weights: Tensor, factor: Tensor, ridge: float) -> Tensor:
    """The U (b, rows, r) that minimises ‖weights·(U factorᵀ − seen)‖² + ridge·‖U‖², row by row.

    Args:
        seen: (b, rows, cols), 0 where `weights` is 0.
        weights: (b, rows, cols), 0 or 1.
        factor: (b, cols, r).
        ridge: weight of ‖U‖².
    """
    rank = factor.shape[-1]
    squares = (factor[:, :, :, None] * factor[:, :, None, :]).flatten(2)
    gram = (weights @ squares).view(*seen.shape[:2], rank, rank) + ridge * torch.eye(rank, dtype=factor.dtype)
    return torch.linalg.solve(gram, (seen @ factor)[..., None])[..., 0]
