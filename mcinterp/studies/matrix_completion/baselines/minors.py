"""Completions by vanishing minors: every (r+1) × (r+1) minor of a rank-r matrix is 0, and gives its one masked entry.

For rank 1 the rule is X_ij = X_ik X_lj / X_lk. In general, with r rows R and r columns C whose block X_RC is observed,
as are row i at C and column j at R, X_ij = X_iC (X_RC)⁻¹ X_Rj; the block X_RC is the pivot.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from mcinterp.studies.matrix_completion.baselines.completion import CompletionSettings, filled, zero_filled

CAP = 2048
"""At most so many pivots are tried; of more, a random subset is taken."""
SINGULAR = 1e-12
"""A pivot with a smaller |determinant| is 0 up to rounding and determines nothing."""
NUMBERS_AT_ONCE = 4_000_000


def weighted_minors(
    values: Tensor, observed: Tensor, settings: CompletionSettings, power: float = 2.0, shrinkage: float = 0.0
) -> Tensor:
    """Average what the minors through a masked entry say, each with weight |det pivot|^power.

    Power 2 is least squares over the equations det(X_RC)·X_ij = X_iC adj(X_RC) X_Rj.

    Args:
        values: (n, rows, cols), float; masked entries are not read.
        observed: (n, rows, cols), bool.
        settings: rank, and seed of the subset of pivots.
        power: of the determinants; 0 for the plain mean.
        shrinkage: added to the sum of the weights, which pulls entries with small pivots to 0.

    Returns:
        (n, rows, cols); NaN where no minor has the entry as its only masked one.
    """
    sums, weights = torch.zeros_like(values), torch.zeros_like(values)
    for estimate, determinant, usable in _minors(values, observed, settings):
        weight = usable * determinant.abs().pow(power)[:, :, None, None]
        sums += (weight * estimate).sum(1)
        weights += weight.sum(1)
    estimate = torch.where(weights > 0, sums / (weights + shrinkage), torch.nan)
    return filled(values, observed, estimate)


def largest_minor(values: Tensor, observed: Tensor, settings: CompletionSettings) -> Tensor:
    """What the one minor with the largest |det pivot| says; NaN where there is none."""
    answer, _ = _with_largest_pivot(values, observed, settings)
    return filled(values, observed, answer)


def largest_pivot(values: Tensor, observed: Tensor, settings: CompletionSettings) -> Tensor:
    """How well conditioned each masked entry is: max |det X_RC|^(1/r) over the pivots of the minors that give it.

    Returns:
        (n, rows, cols), in units of the entries; 0 where no minor gives the entry, and at observed entries.
    """
    return _with_largest_pivot(values, observed, settings)[1].pow(1 / settings.rank)


def _with_largest_pivot(values: Tensor, observed: Tensor, settings: CompletionSettings) -> tuple[Tensor, Tensor]:
    """The estimate of the minor with the largest pivot, and the pivot's |determinant|, both (n, rows, cols)."""
    answer, size = torch.full_like(values, torch.nan), torch.zeros_like(values)
    for estimate, determinant, usable in _minors(values, observed, settings):
        sizes, which = (usable * determinant.abs()[:, :, None, None]).max(1)
        answer = torch.where(sizes > size, estimate.gather(1, which[:, None])[:, 0], answer)
        size = torch.maximum(sizes, size)
    return answer, size


def _minors(values: Tensor, observed: Tensor, settings: CompletionSettings) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """For k pivots at a time: estimates (n, k, rows, cols), determinants (n, k), and where they are usable, 0 or 1."""
    n, rows, cols = values.shape
    seen = zero_filled(values, observed)
    at_once = max(1, NUMBERS_AT_ONCE // (n * rows * cols))
    for pivot_rows, pivot_cols in _pivots(rows, cols, settings, at_once):
        block = (slice(None), pivot_rows[:, :, None], pivot_cols[:, None, :])
        pivot, complete = seen[block], observed[block].all(-1).all(-1)
        determinant = torch.where(complete, torch.linalg.det(pivot), 0.0)
        solvable = determinant.abs() > SINGULAR
        identity = torch.eye(settings.rank, dtype=values.dtype)
        inverse = torch.linalg.inv(torch.where(solvable[:, :, None, None], pivot, identity))
        # An entry in a row or column of the pivot would be one of the block's own, which are observed.
        in_row = observed[:, :, pivot_cols].all(-1).transpose(1, 2)[..., None]
        in_col = observed[:, pivot_rows].all(2)[:, :, None, :]
        usable = in_row & in_col & solvable[:, :, None, None] & ~observed[:, None]
        estimate = seen[:, :, pivot_cols].transpose(1, 2) @ inverse @ seen[:, pivot_rows]
        yield estimate, determinant, usable.to(values.dtype)


def _pivots(rows: int, cols: int, settings: CompletionSettings, at_once: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Rows and columns of the pivots, each (k, r) with k up to `at_once`."""
    row_sets = torch.tensor(list(combinations(range(rows), settings.rank)))
    col_sets = torch.tensor(list(combinations(range(cols), settings.rank)))
    total = len(row_sets) * len(col_sets)
    chosen = np.arange(total)
    if total > CAP:
        chosen = np.sort(np.random.default_rng(settings.seed).choice(total, CAP, replace=False))
    for start in range(0, len(chosen), at_once):
        index = torch.from_numpy(chosen[start : start + at_once])
        yield row_sets[index // len(col_sets)], col_sets[index % len(col_sets)]
