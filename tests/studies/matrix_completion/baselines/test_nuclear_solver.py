"""The batched solver of nuclear norms: against Clarabel, against laws, against cases known by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mcinterp import nuclear_norm_completion
from mcinterp.errors import InputError, SolverError
from mcinterp.studies.matrix_completion.baselines import (
    has_unique_minimiser,
    nuclear_norm_reference,
    regularised_completion,
    regularised_reference,
    solve_nuclear_norm,
)
from mcinterp.studies.matrix_completion.baselines import reference as reference_module

SHAPES = ((7, 7), (5, 5), (4, 6), (8, 3))
SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)


def instances(shape: tuple[int, int], n: int = 50, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Matrices of every rank under masks of every share, some with whole rows and columns masked."""
    generator = np.random.default_rng([seed, *shape])
    values, masks = [], []
    for index in range(n):
        rank = generator.integers(1, min(shape) + 1)
        u, v = generator.uniform(-1, 1, (shape[0], rank)), generator.uniform(-1, 1, (rank, shape[1]))
        mask = generator.random(shape) >= SHARES[index % len(SHARES)]
        if index % 4 == 0:
            mask[generator.integers(shape[0])] = False
        if index % 6 == 0:
            mask[:, generator.integers(shape[1])] = False
        values.append((u @ v).round(2))
        masks.append(mask)
    return torch.tensor(np.array(values)), torch.tensor(np.array(masks))


def norms(matrices: torch.Tensor | np.ndarray) -> np.ndarray:
    return np.linalg.norm(np.asarray(matrices), "nuc", axis=(1, 2))


@pytest.mark.parametrize("shape", SHAPES)
def test_it_agrees_with_clarabel(shape: tuple[int, int]) -> None:
    """4 × 50 instances: the least norms agree, and so do the minimisers where there is one only."""
    values, observed = instances(shape)
    assert {0, shape[0] * shape[1]} <= set(observed.sum((1, 2)).tolist())
    solution = solve_nuclear_norm(values, observed).require_converged()
    expected = nuclear_norm_reference(values.numpy(), observed.numpy())
    feasible = np.where(observed, values, expected)
    assert norms(solution.completed) == pytest.approx(norms(feasible), rel=1e-5, abs=1e-7)
    assert (solution.completed[observed] == values[observed]).all()
    unique = has_unique_minimiser(solution, observed).numpy()
    assert 0.5 < unique.mean() < 1
    assert np.abs(solution.completed.numpy() - expected)[unique].max() < 1e-3


@pytest.mark.parametrize("shape", [(5, 5), (4, 6)])
@pytest.mark.parametrize("weight", [0.0005, 0.01, 0.3])
def test_the_regularised_problem_agrees_with_clarabel(shape: tuple[int, int], weight: float) -> None:
    values, observed = instances(shape, 20, seed=1)
    completed = regularised_completion(values, observed, weight).numpy()
    expected = regularised_reference(values.numpy(), observed.numpy(), weight)
    truth, mask = values.numpy(), observed.numpy()

    def objective(found: np.ndarray) -> np.ndarray:
        errors = ((found - truth) ** 2 * mask).sum((1, 2)) / np.maximum(mask.sum((1, 2)), 1)
        return np.asarray(errors + weight * norms(found))

    assert objective(completed) == pytest.approx(objective(expected), rel=1e-5, abs=1e-8)
    assert np.abs((completed - expected) * mask).max() < 1e-3


def test_each_weight_is_that_of_its_own_matrix() -> None:
    values, observed = instances((4, 4), 6, seed=2)
    weights = torch.tensor([0.001, 0.01, 0.1, 0.001, 0.01, 0.1], dtype=torch.float64)
    together = regularised_completion(values, observed, weights)
    alone = [regularised_completion(values[i : i + 1], observed[i : i + 1], float(weights[i])) for i in range(6)]
    assert torch.allclose(together, torch.cat(alone), atol=1e-4)


def test_the_certificate_holds_whatever_the_solver_did() -> None:
    values, observed = instances((6, 5), 40, seed=3)
    solution = solve_nuclear_norm(values, observed)
    assert torch.linalg.matrix_norm(solution.dual, 2).max() <= 1
    assert (solution.dual[~observed] == 0).all()
    bound = (values * solution.dual).sum((1, 2))
    gap = torch.linalg.svdvals(solution.completed).sum(1) - bound
    assert torch.allclose(solution.relative_gap * solution.objective, gap, atol=1e-12)
    assert solution.relative_gap.max() <= 5e-7
    assert solution.iterations.max() <= 20


def test_the_minimum_never_exceeds_the_norm_of_the_truth() -> None:
    values, observed = instances((5, 7), 50, seed=4)
    solution = solve_nuclear_norm(values, observed)
    truth = torch.linalg.svdvals(values).sum(1)
    assert (solution.objective <= truth * (1 + 1e-6)).all()
    assert (solution.lower_bound <= truth).all()


def test_two_by_two_rank_one_by_hand() -> None:
    """[[a, b], [c, x]]: with 0 < bc < a² the least norm is at x = bc / a, the completion of rank one.

    Its dual is u vᵀ + t u⊥ v⊥ᵀ, and zero at the masked entry for t = −(u₂ v₂) / (u₁ v₁) = −bc / a², of size below 1.
    Where bc > a² that t is too large, and the minimiser is another: for a = 1, b = c = 2 the eigenvalues have opposite
    signs up to x = 4, and |λ₁| + |λ₂| = √((1 − x)² + 16) is least at x = 1.
    """
    values = torch.tensor([[[2.0, 1.0], [1.5, 99.0]], [[1.0, 2.0], [2.0, 99.0]]])
    observed = torch.tensor([[True, True], [True, False]]).expand(2, -1, -1)
    completed = nuclear_norm_completion(values, observed)
    assert completed[0, 1, 1].item() == pytest.approx(0.75, abs=1e-4)
    assert completed[1, 1, 1].item() == pytest.approx(1.0, abs=2e-2)
    assert norms(completed)[1] == pytest.approx(4.0, rel=1e-6)


def test_rank_one_fully_observed_is_itself_and_masked_rows_are_zero() -> None:
    generator = torch.Generator().manual_seed(0)
    values = torch.rand((3, 5, 1), generator=generator) @ torch.rand((3, 1, 4), generator=generator)
    assert torch.equal(nuclear_norm_completion(values, torch.ones(3, 5, 4, dtype=torch.bool)), values.double())
    observed = torch.ones(3, 5, 4, dtype=torch.bool)
    observed[:, 2] = False
    observed[:, :, 1] = False
    completed = nuclear_norm_completion(values, observed)
    assert completed[:, 2].abs().max() < 1e-9
    assert completed[:, :, 1].abs().max() < 1e-9
    assert torch.equal(nuclear_norm_completion(values, ~observed[:0].new_ones(3, 5, 4)), torch.zeros(3, 5, 4).double())


def test_masked_entries_are_not_looked_at() -> None:
    values, observed = instances((5, 5), 9, seed=5)
    assert torch.equal(
        nuclear_norm_completion(values, observed),
        nuclear_norm_completion(torch.where(observed, values, torch.nan), observed),
    )


def test_scaling_and_transposing_go_through() -> None:
    values, observed = instances((6, 4), 40, seed=6)
    solution = solve_nuclear_norm(values, observed)
    sure = has_unique_minimiser(solution, observed)
    for factor in (-1.0, 1e-6, 1e5):
        scaled = nuclear_norm_completion(factor * values, observed) / factor
        assert torch.allclose(scaled, solution.completed, atol=1e-5)
    turned = solve_nuclear_norm(values.mT, observed.mT)
    assert torch.allclose(turned.objective, solution.objective, rtol=1e-6)
    assert torch.allclose(turned.completed.mT[sure], solution.completed[sure], atol=1e-3)


def test_the_order_and_number_of_the_matrices_do_not_matter() -> None:
    values, observed = instances((5, 5), 30, seed=7)
    together = nuclear_norm_completion(values, observed)
    order = torch.randperm(30, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(nuclear_norm_completion(values[order], observed[order]), together[order], atol=1e-4)
    alone = torch.cat([nuclear_norm_completion(values[i : i + 1], observed[i : i + 1]) for i in range(30)])
    assert torch.allclose(alone, together, atol=1e-4)
    assert nuclear_norm_completion(values[:0], observed[:0]).shape == (0, 5, 5)


@pytest.mark.parametrize(("rank", "share"), [(2, 0.1), (2, 0.3), (3, 0.1)])
def test_matrices_of_exactly_low_rank_are_solved_as_quickly(rank: int, share: float) -> None:
    """Without rounding the linear systems become singular at the end: a plain Cholesky factor fails for one in ten."""
    generator = torch.Generator().manual_seed(20)
    factors = (2 * torch.rand((2, 150, 7, rank), generator=generator, dtype=torch.float64) - 1).unbind()
    observed = torch.rand((150, 7, 7), generator=generator) >= share
    solution = solve_nuclear_norm(factors[0] @ factors[1].mT, observed)
    assert solution.relative_gap.max() < 1e-6
    assert solution.iterations.double().mean() < 12
    assert (solution.iterations < 20).double().mean() > 0.98


def test_vectors_have_the_norm_of_their_observed_entries() -> None:
    values = torch.tensor([[[3.0], [4.0], [9.0]]])
    observed = torch.tensor([[[True], [True], [False]]])
    assert nuclear_norm_completion(values, observed).flatten().tolist() == pytest.approx([3, 4, 0], abs=1e-6)


def test_uniqueness_is_refused_where_two_minimisers_are_known() -> None:
    """Both [[1, ?], [?, 1]] with 0 and with 1 beside the diagonal have norm 2; [[1, 0.5], [?, ?]] has one minimiser."""
    values = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.5], [0.0, 0.0]]])
    observed = torch.tensor([[[True, False], [False, True]], [[True, True], [False, False]]])
    assert has_unique_minimiser(solve_nuclear_norm(values, observed), observed).tolist() == [False, True]


def test_an_instance_that_does_not_converge_is_named() -> None:
    values, observed = instances((5, 5), 8, seed=8)
    solution = solve_nuclear_norm(values, observed, max_iterations=3)
    assert not solution.converged.all()
    first = int((~solution.converged).nonzero()[0])
    with pytest.raises(SolverError, match=rf"of 8 instances did not reach the tolerance \(instance {first}[,;]"):
        nuclear_norm_completion(values, observed, max_iterations=3)


def test_bad_input_is_named() -> None:
    values, observed = torch.zeros(2, 3, 4), torch.ones(2, 3, 4, dtype=torch.bool)
    with pytest.raises(InputError, match=r"shape \(n, rows, cols\), got .* \(3, 4\)"):
        nuclear_norm_completion(values[0], observed[0])
    with pytest.raises(InputError, match="must be floats"):
        nuclear_norm_completion(values.long(), observed)
    with pytest.raises(InputError, match=r"boolean of shape \(2, 3, 4\)"):
        nuclear_norm_completion(values, observed[:1])
    with pytest.raises(InputError, match="not finite"):
        nuclear_norm_completion(values / 0, observed)
    with pytest.raises(InputError, match="λ must be positive"):
        regularised_completion(values, observed, 0.0)


def test_clarabel_is_believed_only_when_it_says_optimal(monkeypatch: pytest.MonkeyPatch) -> None:
    values, observed = (part.numpy() for part in instances((3, 3), 2, seed=9))
    program = reference_module._constrained(3, 3)
    monkeypatch.setattr(type(program.problem), "status", "optimal_inaccurate", raising=False)
    with pytest.raises(SolverError, match="instance 0 'optimal_inaccurate', expected 'optimal'"):
        nuclear_norm_reference(values, observed)
