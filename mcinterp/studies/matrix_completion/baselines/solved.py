"""A task's matrices completed by nuclear norm minimisation, with the checks that say whether to believe the solver.

Nothing here depends on a checkpoint, so the answers are kept: a report asks for the same matrices again at each
checkpoint of a run, and solving them takes longer than running a small model on them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import torch
from torch import Tensor

from mcinterp.errors import SolverError
from mcinterp.studies.matrix_completion.baselines.nuclear import ACCEPTED, has_unique_minimiser, solve_nuclear_norm
from mcinterp.studies.matrix_completion.baselines.reference import nuclear_norm_reference, regularised_reference
from mcinterp.studies.matrix_completion.config import TaskConfig
from mcinterp.studies.matrix_completion.task.batch import MatrixBatch
from mcinterp.studies.matrix_completion.task.completion import MatrixCompletion

RECOVERED = 0.02
"""A matrix counts as recovered when the error's Frobenius norm is at most this share of its own. Rounding to two
decimals alone makes about 0.01 of it for entries of the paper's size, so a much smaller bound would ask for luck."""
TRANSPOSED = 64
"""So many of the matrices are solved transposed as well."""


Reference = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Solved:
    """One batch, completed.

    Attributes:
        batch: the matrices and masks.
        completed: the minimisers, float64, (n, rows·cols).
        norm: nuclear norms of the minimisers, (n,).
        largest_gap: the largest relative duality gap of an instance.
        checked: instances that Clarabel solved as well.
        reference_difference: the largest relative difference between its objective and the solver's among those.
    """

    batch: MatrixBatch
    completed: Tensor
    norm: Tensor
    largest_gap: float
    checked: int
    reference_difference: float


@dataclass(frozen=True)
class SolvedExactly(Solved):
    """A batch completed with the observed entries kept.

    Attributes:
        truth_norm: nuclear norms of the true matrices, (n,).
        recovered: whether each matrix came out right (see `RECOVERED`), bool, (n,).
        unique: whether each minimiser is certainly the only one, bool, (n,).
        above_truth: minimisers whose norm exceeds the truth's by more than the accepted gap; the truth is feasible, so
            that there must be none.
        observed_error: the largest difference from an observed entry; must be 0.
        transposed_difference: the largest relative difference between the norms of the minimisers of a matrix and of
            its transpose; must be within the tolerance.
    """

    truth_norm: Tensor
    recovered: Tensor
    unique: Tensor
    above_truth: int
    observed_error: float
    transposed_difference: float


@lru_cache(maxsize=32)
def solved_exactly(task: TaskConfig, samples: int, seed: int, checked: int, device: str) -> SolvedExactly:
    """Complete `samples` matrices of a task by nuclear norm minimisation.

    Args:
        task: what to draw.
        samples: matrices.
        seed: of the matrices and masks.
        checked: how many are given to cvxpy with Clarabel as well.
        device: where to solve.

    Raises:
        SolverError: if a matrix is not solved to the tolerance.
    """
    batch, truth, observed = _drawn(task, samples, seed, device)
    solution = solve_nuclear_norm(truth, observed).require_converged()
    some = slice(TRANSPOSED)
    turned = solve_nuclear_norm(truth[some].mT, observed[some].mT).require_converged()
    truth_norm = torch.linalg.svdvals(truth).sum(1)
    error = torch.linalg.matrix_norm(solution.completed - truth)
    reference = _through_clarabel(nuclear_norm_reference, truth[:checked], observed[:checked])
    least = {index: float(np.linalg.norm(matrix, "nuc")) for index, matrix in reference.items()}
    return SolvedExactly(
        batch,
        solution.completed.flatten(1),
        solution.objective,
        float(solution.relative_gap.max()),
        len(reference),
        _largest_difference((norm, float(solution.objective[index])) for index, norm in least.items()),
        truth_norm,
        error <= RECOVERED * torch.linalg.matrix_norm(truth),
        has_unique_minimiser(solution, observed),
        int((solution.objective > truth_norm * (1 + ACCEPTED)).sum()),
        float(torch.where(observed, solution.completed - truth, 0.0).abs().max()),
        _largest_difference(zip(turned.objective.tolist(), solution.objective[some].tolist(), strict=True)),
    )


@lru_cache(maxsize=32)
def solved_regularised(task: TaskConfig, weight: float, samples: int, seed: int, checked: int, device: str) -> Solved:
    """The same for min (1/|Ω|) ‖P_Ω(X − M)‖_F² + λ ‖X‖_* with λ = `weight`."""
    batch, truth, observed = _drawn(task, samples, seed, device)
    solution = solve_nuclear_norm(truth, observed, weight).require_converged()
    reference = _through_clarabel(partial(regularised_reference, lam=weight), truth[:checked], observed[:checked])
    least = {
        index: _regularised_objective(matrix, truth[index], observed[index], weight)
        for index, matrix in reference.items()
    }
    own = solution.objective * weight
    return Solved(
        batch,
        solution.completed.flatten(1),
        torch.linalg.svdvals(solution.completed).sum(1),
        float(solution.relative_gap.max()),
        len(reference),
        _largest_difference((value, float(own[index])) for index, value in least.items()),
    )


def _drawn(task: TaskConfig, samples: int, seed: int, device: str) -> tuple[MatrixBatch, Tensor, Tensor]:
    """A batch, and its matrices in double precision and masks, (n, rows, cols)."""
    completion = MatrixCompletion(task)
    drawn = completion.sample(samples, torch.Generator().manual_seed(seed), size="largest")
    batch = completion.to(drawn, torch.device(device))
    shape = (samples, task.rows, task.cols)
    return batch, batch.targets.view(shape).double(), batch.observed.view(shape)


def _through_clarabel(solve: Reference, truth: Tensor, observed: Tensor) -> dict[int, np.ndarray]:
    """The reference's answer to each instance that Clarabel calls optimal, by its number.

    On degenerate instances Clarabel may stop short of its own tolerance; such an answer judges nobody.
    """
    answers = {}
    for index, (matrix, mask) in enumerate(zip(truth.cpu().numpy(), observed.cpu().numpy(), strict=True)):
        with suppress(SolverError):
            answers[index] = solve(matrix[None], mask[None])[0]
    return answers


def _regularised_objective(completed: np.ndarray, truth: Tensor, observed: Tensor, weight: float) -> float:
    mask = observed.cpu().numpy()
    error = (np.where(mask, completed - truth.cpu().numpy(), 0.0) ** 2).sum() / max(mask.sum(), 1)
    return float(error + weight * np.linalg.norm(completed, "nuc"))


def _largest_difference(pairs: Iterable[tuple[float, float]]) -> float:
    """The largest relative difference of a pair; 0 for none, and where both are 0 up to rounding."""
    differences = [abs(one - two) / max(abs(one), abs(two)) for one, two in pairs if max(abs(one), abs(two)) > 1e-9]
    return max(differences, default=0.0)
