"""Matrix completion by the nuclear norm, many matrices at once, each answer with a certificate."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mcinterp.errors import InputError, SolverError
from mcinterp.studies.matrix_completion.baselines.interior_point import minimise

TOLERANCE = 5e-7
"""Relative duality gap aimed at; below about 2e-7 rounding in the nearly singular systems gets the upper hand."""
ACCEPTED = 1e-5
"""Relative duality gap that still counts as solved: rounding stops about one in 10,000 instances of exactly low rank
between the two."""
MAX_ITERATIONS = 60
ELEMENTS = {"cpu": 2**19, "cuda": 2**25}
"""Numbers in the largest array of the matrices solved together: what fits a processor's cache, or keeps a GPU busy."""
ACTIVE = 1e-3
"""A singular value of the dual matrix that is less than this below 1 counts as 1."""
INJECTIVE = 1e-3
"""Smallest eigenvalue at which the observed entries are held to decide the minimiser (at most 1)."""


@dataclass(frozen=True)
class Completion:
    """Minimisers with their certificates; any two feasible points of primal and dual prove how near each is.

    Attributes:
        completed: the matrices, float64, (n, rows, cols).
        dual: Y, zero at masked entries, of spectral norm at most 1, float64, (n, rows, cols).
        objective: ‖X‖_* of `completed`; of the regularised problem its objective divided by λ, (n,).
        lower_bound: what no matrix goes below, from `dual`, (n,).
        relative_gap: (objective − lower_bound) / objective, 0 where the objective is 0, (n,).
        iterations: interior-point steps, int64, (n,).
        converged: whether `relative_gap` is within the tolerance or, where that is smaller, `ACCEPTED`, bool, (n,).
    """

    completed: Tensor
    dual: Tensor
    objective: Tensor
    lower_bound: Tensor
    relative_gap: Tensor
    iterations: Tensor
    converged: Tensor

    def require_converged(self) -> Completion:
        """This, if every instance converged.

        Raises:
            SolverError: naming the instances that did not.
        """
        failed = (~self.converged).nonzero()[:, 0].tolist()
        if failed:
            worst = float(self.relative_gap[failed].max())
            named = ", ".join(str(index) for index in failed[:5]) + (", …" if len(failed) > 5 else "")
            raise SolverError(
                f"nuclear norm minimisation: {len(failed)} of {len(self.converged)} instances did not reach the "
                f"tolerance (instance {named}; largest relative gap {worst:.1e}); allow more iterations"
            )
        return self


def nuclear_norm_completion(
    values: Tensor, observed: Tensor, tolerance: float = TOLERANCE, max_iterations: int = MAX_ITERATIONS
) -> Tensor:
    """The matrix of least nuclear norm that has the observed entries, for each of n matrices.

    Where several matrices have the least norm, one of them; `has_unique_minimiser` tells. Rows and columns without an
    observed entry become 0.

    Args:
        values: (n, rows, cols), any float type; masked entries are not looked at.
        observed: bool, (n, rows, cols), True where observed.
        tolerance: relative duality gap of every instance.
        max_iterations: interior-point steps; about 11 are enough for 7 × 7.

    Returns:
        float64, (n, rows, cols), on the device of `values`; observed entries are exactly those given.

    Raises:
        InputError: for other shapes, or an observed entry that is not finite.
        SolverError: if an instance does not reach the tolerance.
    """
    return solve_nuclear_norm(values, observed, None, tolerance, max_iterations).require_converged().completed


def regularised_completion(
    values: Tensor,
    observed: Tensor,
    weight: Tensor | float,
    tolerance: float = TOLERANCE,
    max_iterations: int = MAX_ITERATIONS,
) -> Tensor:
    """The minimiser of (1/|Ω|) ‖P_Ω(X − M)‖_F² + λ ‖X‖_* for each of n matrices; unique at least on Ω.

    Args:
        values: M, (n, rows, cols), any float type.
        observed: Ω, bool, (n, rows, cols); a matrix without observed entries becomes 0.
        weight: λ > 0, one for all or (n,).
        tolerance: relative duality gap of every instance.
        max_iterations: interior-point steps.

    Returns:
        float64, (n, rows, cols).

    Raises:
        InputError: for other shapes, an observed entry that is not finite, or λ ≤ 0.
        SolverError: if an instance does not reach the tolerance.
    """
    return solve_nuclear_norm(values, observed, weight, tolerance, max_iterations).require_converged().completed


def solve_nuclear_norm(
    values: Tensor,
    observed: Tensor,
    weight: Tensor | float | None = None,
    tolerance: float = TOLERANCE,
    max_iterations: int = MAX_ITERATIONS,
) -> Completion:
    """Both problems with certificates: `weight` None for the constrained one, λ for the regularised.

    Time grows with the cube of the number of observed entries, memory with the square of that of all entries: this is
    for many small matrices. An instance that does not converge is reported in `converged`, not raised.
    """
    _check(values, observed)
    target = torch.where(observed, values, 0.0).double()
    counts = observed.flatten(1).sum(1)
    scale = _weights(weight, target) * counts
    X, Y, steps = torch.zeros_like(target), torch.zeros_like(target), torch.zeros_like(counts)
    # Matrices with as many observed entries are solved together. Those without any, or with zeros alone, are done.
    order = counts.argsort(stable=True)
    order = order[target[order].flatten(1).any(1)]
    together = max(1, ELEMENTS[values.device.type] // max(1, target.shape[1:].numel()) ** 2)
    for start in range(0, len(order), together):
        at = order[start : start + together]
        X[at], Y[at], steps[at] = minimise(target[at], observed[at], scale[at] / 2, tolerance, max_iterations)
    return _certified(target, observed, None if weight is None else scale, X, Y, steps, tolerance)


def _certified(
    target: Tensor,
    observed: Tensor,
    scale: Tensor | None,
    completed: Tensor,
    dual: Tensor,
    steps: Tensor,
    tolerance: float,
) -> Completion:
    """Objective and bound from the matrices alone, whatever the iterations said."""
    if scale is None:
        completed = torch.where(observed, target, completed)
        objective, lower = torch.linalg.svdvals(completed).sum(1), (target * dual).sum((1, 2))
    else:
        # In units of λ: ‖X‖_* + (1/2ν) ‖P_Ω(X − M)‖², with 2ν = λ |Ω|; a matrix without observed entries has no error.
        error = torch.where(observed, completed - target, 0.0).square().sum((1, 2))
        objective = torch.linalg.svdvals(completed).sum(1) + error / scale.clamp_min(torch.finfo(torch.float64).tiny)
        lower = (target * dual).sum((1, 2)) - scale / 4 * dual.square().sum((1, 2))
    gap = torch.where(objective > 0, (objective - lower) / objective, 0.0)
    return Completion(completed, dual, objective, lower, gap, steps, gap <= max(tolerance, ACCEPTED))


def has_unique_minimiser(solution: Completion, observed: Tensor) -> Tensor:
    """Whether each constrained problem has one minimiser only, (n,); False where that is not certain.

    Every minimiser X has ⟨X, Y⟩ = ‖X‖_* for the optimal dual Y, hence is U S Vᵀ with S ⪰ 0, where U and V are the
    singular vectors of Y with singular value 1 (counted generously, from 1 − `ACTIVE` on). It is unique if no symmetric
    S but 0 makes U S Vᵀ vanish at all observed entries: the smallest eigenvalue of that map, restricted to Ω, is at
    least `INJECTIVE`.
    """
    U, sizes, Vh = torch.linalg.svd(solution.dual, full_matrices=False)
    r = sizes.shape[1]
    first, second = torch.triu_indices(r, r, device=U.device)
    active = (sizes >= 1 - ACTIVE).to(U.dtype)
    forms = torch.einsum("nip,npj->npij", U[:, :, first], Vh[:, second])
    forms = forms + torch.einsum("nip,npj->npij", U[:, :, second], Vh[:, first])
    forms = forms / torch.where(first == second, 2.0, 2.0**0.5)[:, None, None]
    used = active[:, first] * active[:, second]
    seen = (forms * observed[:, None] * used[:, :, None, None]).flatten(2)
    # Pairs that are not active must not decide the smallest eigenvalue.
    gram = seen @ seen.mT + torch.diag_embed(1 - used)
    return torch.linalg.eigvalsh(gram)[:, 0] >= INJECTIVE


def _weights(weight: Tensor | float | None, target: Tensor) -> Tensor:
    if weight is None:
        return target.new_zeros(len(target))
    weights = torch.as_tensor(weight, dtype=target.dtype, device=target.device).expand(len(target))
    if not bool((weights > 0).all()):
        raise InputError(f"regularised_completion: λ must be positive, got {float(weights.min())}")
    return weights


def _check(values: Tensor, observed: Tensor) -> None:
    if values.ndim != 3 or not values.is_floating_point() or values.shape[1] * values.shape[2] == 0:
        raise InputError(
            f"nuclear norm minimisation: values must be floats of shape (n, rows, cols), got {values.dtype} of shape "
            f"{tuple(values.shape)}"
        )
    if observed.dtype != torch.bool or observed.shape != values.shape:
        raise InputError(
            f"nuclear norm minimisation: observed must be boolean of shape {tuple(values.shape)}, got {observed.dtype} "
            f"of shape {tuple(observed.shape)}"
        )
    if not bool(values[observed].isfinite().all()):
        raise InputError("nuclear norm minimisation: an observed entry is not finite")
