"""A primal-dual interior-point method for nuclear norms, many small problems at a time.

For ν ≥ 0 and a matrix M that is zero outside the observed entries Ω,

    minimise  ‖X‖_* + ν/2 ‖Y‖²           subject to  X + νY = M on Ω,
    maximise  ⟨M, Y⟩ − ν/2 ‖Y‖²          subject to  Y = 0 outside Ω,  ‖Y‖₂ ≤ 1.

ν = 0 is nuclear norm minimisation with X = M on Ω. For ν > 0 the first line is 1/(2ν) ‖P_Ω(X − M)‖² + ‖X‖_*. As
semidefinite programs with Z = [[W₁, X], [Xᵀ, W₂]] ⪰ 0 and S = [[I, −Y], [−Yᵀ, I]] ⪰ 0, where ‖X‖_* ≤ ½ tr Z with
equality at the best W₁ and W₂, the gap of a feasible pair is ½⟨Z, S⟩. Each step is Mehrotra's predictor and corrector
along the direction of Helmberg, Rendl, Vanderbei and Wolkowicz (SIAM J. Optim. 6, 1996), which takes a linear system in
the observed entries.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Self

import torch
from torch import Tensor

STEPS = (1.0, 0.9, 0.75, 0.6, 0.4, 0.2, 0.05)
"""Lengths tried, longest first; one such length is taken for Z and Y together, which keeps X + νY = M."""
INSIDE = 0.98
"""Share of the length that is gone, so that the next point is not on the boundary."""
CENTRING = 0.1
"""First share of the gap that a step aims to leave; each instance then adapts its own between the bounds below."""
CENTRING_BOUNDS = (1e-3, 0.5)
RIDGE = 1e-11
"""Added to the linear systems, as a share of their largest diagonal element: near the end of instances of exactly low
rank they are singular to rounding."""
REFINEMENTS = 2
"""Corrections of a step by the system without the ridge; its predictor needs none."""
NEAR = 4.0
"""An instance whose gap is within so many times the tolerance is looked at more closely."""


@dataclass
class Instances:
    """The problems in flight.

    Attributes:
        target: M, (b, rows, cols), of spectral norm about 1.
        penalty: ν, (b,).
        positions: flat indices of the observed entries, (b, k); rows with fewer are filled up with any.
        valid: 1 where `positions` is an observed entry, 0 where it fills up, (b, k).
        straight: where in a flat outer product (row, row, col, col) the pair of two observed entries is, (b, k²).
        crossed: the same for (row, col, col, row).
        Z: primal iterate, (b, rows + cols, rows + cols).
        Y: dual iterate, (b, rows, cols).
        centring: share of the gap that the next step aims to leave, (b,).
    """

    target: Tensor
    penalty: Tensor
    positions: Tensor
    valid: Tensor
    straight: Tensor
    crossed: Tensor
    Z: Tensor
    Y: Tensor
    centring: Tensor

    @classmethod
    def of(cls, target: Tensor, observed: Tensor, penalty: Tensor) -> Self:
        """Start from Y = 0 and X = M, which are strictly feasible."""
        rows, cols = target.shape[1:]
        flat = observed.flatten(1)
        k = int(flat.sum(1).max())
        positions = flat.int().argsort(dim=1, descending=True, stable=True)[:, :k]
        row, col = positions // cols, positions % cols
        straight = _pairs(row, row, rows) * cols**2 + _pairs(col, col, cols)
        crossed = _pairs(row, col, cols) * (rows * cols) + _pairs(col, row, rows)
        return cls(
            target,
            penalty,
            positions,
            flat.gather(1, positions).to(target.dtype),
            straight.flatten(1),
            crossed.flatten(1),
            symmetric_blocks(target) + 2 * torch.eye(rows + cols, dtype=target.dtype, device=target.device),
            torch.zeros_like(target),
            torch.full_like(penalty, CENTRING),
        )

    def take(self, keep: Tensor) -> Self:
        """Only the instances that `keep`, (b,), names."""
        return type(self)(*(getattr(self, field.name)[keep] for field in fields(self)))

    @property
    def completed(self) -> Tensor:
        """X, (b, rows, cols)."""
        rows = self.target.shape[1]
        return self.Z[:, :rows, rows:]

    def gap(self) -> tuple[Tensor, Tensor]:
        """½⟨Z, S⟩, and that as a share of the primal objective; both (b,)."""
        half_trace = self.Z.diagonal(dim1=1, dim2=2).sum(1) / 2
        gap = half_trace - (self.completed * self.Y).sum((1, 2))
        return gap, gap / (half_trace + self.penalty / 2 * self.Y.square().sum((1, 2)))

    def certified_gap(self) -> Tensor:
        """The same share for the nuclear norm itself in place of ½ tr Z, and M − νY at observed entries, (b,).

        Smaller than that of `gap`, and free of what rounding did to the observed entries; a decomposition a matrix.
        """
        kept = self.target - self.penalty[:, None, None] * self.Y
        seen = torch.zeros_like(self.Y).flatten(1).scatter_add_(1, self.positions, self.valid).view_as(self.Y)
        feasible = torch.where(seen > 0, kept, self.completed)
        norm = torch.linalg.svdvals(feasible.nan_to_num()).sum(1)
        gap = norm - (feasible * self.Y).sum((1, 2))
        return gap / (norm + self.penalty / 2 * self.Y.square().sum((1, 2)))


@dataclass(frozen=True)
class System:
    """Symmetric positive definite matrices, (b, k, k), with the Cholesky factors of slightly larger ones."""

    matrix: Tensor
    factor: Tensor

    def solve(self, wanted: Tensor, refinements: int) -> Tensor:
        """The solution for each right-hand side, (b, k)."""
        right = wanted[:, :, None]
        solved = self._roughly(right)
        for _ in range(refinements):
            solved = solved + self._roughly(right - self.matrix @ solved)
        return solved[:, :, 0]

    def _roughly(self, right: Tensor) -> Tensor:
        # Two triangular systems: torch's cholesky_solve copies every factor.
        half = torch.linalg.solve_triangular(self.factor, right, upper=False)
        return torch.linalg.solve_triangular(self.factor.mT, half, upper=True)


@torch.no_grad()
def minimise(
    target: Tensor, observed: Tensor, penalty: Tensor, tolerance: float, max_iterations: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Solve instances that fit into memory together; each leaves the batch when its gap is small enough.

    Args:
        target: M, zero where masked, not zero altogether, (n, rows, cols), float64.
        observed: bool, (n, rows, cols).
        penalty: ν, (n,).
        tolerance: relative duality gap at which an instance is done.
        max_iterations: steps after which the rest is returned as it is.

    Returns:
        X and Y, (n, rows, cols), and the steps each took, int64, (n,).
    """
    scale = torch.linalg.matrix_norm(target, 2)
    X, Y = torch.zeros_like(target), torch.zeros_like(target)
    steps = torch.full((len(target),), max_iterations, device=target.device)
    here = torch.arange(len(target), device=target.device)
    state = Instances.of(target / scale[:, None, None], observed, penalty / scale)
    for step in range(max_iterations + 1):
        gap, relative = state.gap()
        done = (relative <= NEAR * tolerance) | (step == max_iterations)
        if done.any() and step < max_iterations:
            done[done.clone()] = state.take(done).certified_gap() <= tolerance
        if done.any():
            at = here[done]
            X[at], Y[at], steps[at] = state.completed[done], state.Y[done], step
            here, state, gap = here[~done], state.take(~done), gap[~done]
        if not len(here):
            break
        _step(state, 2 * gap / sum(target.shape[1:]))
    return X * scale[:, None, None], Y, steps


def symmetric_blocks(off_diagonal: Tensor) -> Tensor:
    """[[0, A], [Aᵀ, 0]] of A (b, rows, cols)."""
    b, rows, cols = off_diagonal.shape
    blocks = off_diagonal.new_zeros(b, rows + cols, rows + cols)
    blocks[:, :rows, rows:], blocks[:, rows:, :rows] = off_diagonal, off_diagonal.mT
    return blocks


def _pairs(first: Tensor, second: Tensor, size: int) -> Tensor:
    """For all pairs of observed entries, the flat index (first of one, second of the other), (b, k, k)."""
    return first[:, :, None] * size + second[:, None, :]


def _step(state: Instances, mu: Tensor) -> None:
    """One predictor-corrector step of every instance; `mu` is ⟨Z, S⟩ by the size of S."""
    inverse = _inverse_slack(state.Y)
    system = _factor(state, inverse)
    move_dual, move_primal = _direction(state, inverse, system, -state.Z)
    aim = (state.centring * mu)[:, None, None] * inverse - state.Z
    aim += _symmetric_part(move_primal @ symmetric_blocks(move_dual) @ inverse)
    move_dual, move_primal = _direction(state, inverse, system, aim, REFINEMENTS)
    length = _longest(lambda at, step: _stays_inside(state, move_dual, move_primal, at, step), state.penalty)
    gone = (INSIDE * length)[:, None, None]
    # Where no length stays inside, the move may be anything, NaN too, and the instance stands still.
    state.Z = torch.where(gone > 0, state.Z + gone * move_primal, state.Z)
    state.Y = torch.where(gone > 0, state.Y + gone * move_dual, state.Y)
    # A long step shows that the path is straight here, a short one that it bends.
    bent = torch.where(length < 0.75, 3 * state.centring, state.centring)
    adapted = torch.where(length >= 0.9, 0.3 * state.centring, bent)
    state.centring = adapted.clamp(*CENTRING_BOUNDS)


def _inverse_slack(dual: Tensor) -> Tensor:
    """S⁻¹ of Y = `dual`, from (I − YᵀY)⁻¹."""
    rows, cols = dual.shape[1:]
    eye_rows, eye_cols = (torch.eye(size, dtype=dual.dtype, device=dual.device) for size in (rows, cols))
    Q = torch.linalg.inv_ex(eye_cols - dual.mT @ dual)[0]
    G = dual @ Q
    inverse = symmetric_blocks(G)
    inverse[:, :rows, :rows], inverse[:, rows:, rows:] = eye_rows + G @ dual.mT, Q
    return inverse


def _factor(state: Instances, inverse: Tensor) -> System:
    """The system dY ↦ ½(Z D S⁻¹ + S⁻¹ D Z)₁₂ + ν dY on observed entries, D = [[0, dY], [dYᵀ, 0]].

    The block is ½(W₁ dY Q + P dY W₂ + X dYᵀ G + G dYᵀ X) with S⁻¹ = [[P, G], [Gᵀ, Q]].
    """
    b, k = state.positions.shape
    rows = state.target.shape[1]
    W1, X, W2 = state.Z[:, :rows, :rows], state.Z[:, :rows, rows:], state.Z[:, rows:, rows:]
    P, G, Q = inverse[:, :rows, :rows], inverse[:, :rows, rows:], inverse[:, rows:, rows:]
    system = _outer(W1, P, Q, W2).gather(1, state.straight)
    # Entries (i, j) and (k, l) meet in X_il G_kj, the columns of the transpose being its rows.
    system += _outer(X, G, G.mT, X.mT).gather(1, state.crossed)
    system = system.view(b, k, k).mul_(0.5)
    system *= state.valid[:, :, None]
    system *= state.valid[:, None, :]
    system.diagonal(dim1=1, dim2=2).add_(1 - state.valid + state.penalty[:, None])
    ridge = RIDGE * system.diagonal(dim1=1, dim2=2).amax(1)[:, None].expand(b, k)
    return System(system, torch.linalg.cholesky_ex(system + torch.diag_embed(ridge))[0])


def _outer(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """The flat a ⊗ c + b ⊗ d of matrices of each instance."""
    left = torch.stack([a.flatten(1), b.flatten(1)], dim=2)
    right = torch.stack([c.flatten(1), d.flatten(1)], dim=1)
    return (left @ right).flatten(1)


def _direction(
    state: Instances, inverse: Tensor, system: System, aim: Tensor, refinements: int = 0
) -> tuple[Tensor, Tensor]:
    """The moves dY and dZ = aim + ½(Z D S⁻¹ + S⁻¹ D Z) with dX + ν dY = M − X − νY on the observed entries."""
    rows = state.target.shape[1]
    missing = state.target - state.completed - state.penalty[:, None, None] * state.Y - aim[:, :rows, rows:]
    wanted = missing.flatten(1).gather(1, state.positions) * state.valid
    solved = system.solve(wanted, refinements) * state.valid
    change = torch.zeros_like(state.Y).flatten(1).scatter_add_(1, state.positions, solved).view_as(state.Y)
    return change, aim + _symmetric_part(state.Z @ symmetric_blocks(change) @ inverse)


def _symmetric_part(matrices: Tensor) -> Tensor:
    return (matrices + matrices.mT) / 2


def _stays_inside(state: Instances, move_dual: Tensor, move_primal: Tensor, at: Tensor, length: float) -> Tensor:
    """Whether Z and S stay positive definite after a step of this length, for the instances `at`."""
    Y = state.Y[at] + length * move_dual[at]
    Z = state.Z[at] + length * move_primal[at]
    eye = torch.eye(Y.shape[2], dtype=Y.dtype, device=Y.device)
    broken = torch.linalg.cholesky_ex(Z)[1] + torch.linalg.cholesky_ex(eye - Y.mT @ Y)[1]
    return broken == 0


def _longest(stays: Callable[[Tensor, float], Tensor], like: Tensor) -> Tensor:
    """The longest of `STEPS` that stays inside, 0 where none does, (b,)."""
    length = torch.zeros_like(like)
    open_ = torch.arange(len(like), device=like.device)
    for step in STEPS:
        inside = stays(open_, step)
        length[open_[inside]] = step
        open_ = open_[~inside]
        if not len(open_):
            break
    return length
