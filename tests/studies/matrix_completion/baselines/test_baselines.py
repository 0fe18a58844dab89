"""The completions against slow ones written from their definitions, cases known by hand, and laws."""

from __future__ import annotations

from itertools import combinations

import cvxpy as cp
import numpy as np
import pytest
import torch
from torch import Tensor

from mcinterp.errors import InputError
from mcinterp.studies.matrix_completion.baselines import minors as minors_module
from mcinterp.studies.matrix_completion.baselines.candidates import CANDIDATES, completions
from mcinterp.studies.matrix_completion.baselines.completion import CompletionSettings, until_still
from mcinterp.studies.matrix_completion.baselines.factorisation import (
    alternating_least_squares,
    unrolled_descent,
    unrolled_least_squares,
)
from mcinterp.studies.matrix_completion.baselines.impute import hard_impute, shrunken, soft_impute
from mcinterp.studies.matrix_completion.baselines.means import column_mean, row_and_column_mean, row_mean
from mcinterp.studies.matrix_completion.baselines.minors import largest_minor, largest_pivot, weighted_minors
from mcinterp.studies.matrix_completion.baselines.nuclear import nuclear_norm_completion
from mcinterp.studies.matrix_completion.baselines.regression import row_regression

SYMMETRIC = [
    *("zero", "row and column mean", "nuclear norm", "soft-impute, λ = 0.1", "hard-impute", "least squares, ridge 0.1"),
    *("minors", "minors, shrunken", "largest minor", "gradient descent, 3 steps"),
]
EXCHANGED = [("row mean", "column mean"), ("row regression", "column regression")]
EXACT = ["least squares", "minors", "largest minor", "row regression", "column regression"]


def draw(n: int, rows: int, cols: int, rank: int, p_mask: float = 0.3, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Unrounded matrices of given rank, and masks."""
    generator = torch.Generator().manual_seed(seed)
    u, v = (2 * torch.rand((n, size, rank), generator=generator, dtype=torch.float64) - 1 for size in (rows, cols))
    return u @ v.mT, torch.rand((n, rows, cols), generator=generator) >= p_mask


def complete(name: str, values: Tensor, observed: Tensor, rank: int) -> Tensor:
    return CANDIDATES[name].complete(values, observed, CompletionSettings(rank, seed=1))


@pytest.mark.parametrize("name", [*EXACT, "hard-impute"])
def test_two_by_two_of_rank_one(name: str) -> None:
    a, b, c = 0.8, -0.5, 0.3
    values = torch.tensor([[[a, b], [c, torch.nan]]], dtype=torch.float64)
    answer = complete(name, values, ~values.isnan(), 1)
    assert float(answer[0, 1, 1]) == pytest.approx(b * c / a, abs=1e-4 if name == "hard-impute" else 1e-6)


def test_three_by_three_of_rank_two() -> None:
    known = [[0.9, -0.2, 0.4], [0.1, 0.7, -0.6], [0.3, 0.5, 0.0]]

    def determinant(x: float) -> float:
        matrix = np.array(known)
        matrix[2, 2] = x
        return float(np.linalg.det(matrix))

    # The determinant is linear in the entry.
    root = -determinant(0.0) / (determinant(1.0) - determinant(0.0))
    observed = torch.ones(1, 3, 3, dtype=torch.bool)
    observed[0, 2, 2] = False
    values = torch.tensor([known], dtype=torch.float64)
    for name in EXACT:
        assert float(complete(name, values, observed, 2)[0, 2, 2]) == pytest.approx(root, abs=1e-6)


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("rank", [1, 2])
def test_what_the_data_determine_is_recovered(name: str, rank: int) -> None:
    values, observed = draw(12, 6, 5, rank, seed=rank)
    observed[:] = True
    observed[:, 0, 0] = observed[:, 1, 2] = observed[:, 4, 2] = False
    assert (complete(name, values, observed, rank) - values).abs().max() < 1e-6


def test_means() -> None:
    values, observed = draw(6, 4, 3, 2, p_mask=0.6)
    observed[0, 1], observed[1, :, 2] = False, False
    observed[2, 0], observed[2, :, 1] = False, False
    settings = CompletionSettings(2)
    by_row, by_col, both = (mean(values, observed, settings) for mean in (row_mean, column_mean, row_and_column_mean))
    for k, i, j in zip(*torch.where(~observed), strict=True):
        row, col = values[k, i][observed[k, i]], values[k, :, j][observed[k, :, j]]
        means = [float(part.mean()) for part in (row, col) if len(part)]
        assert float(by_row[k, i, j]) == pytest.approx(float(row.mean()) if len(row) else np.nan, nan_ok=True)
        assert float(by_col[k, i, j]) == pytest.approx(float(col.mean()) if len(col) else np.nan, nan_ok=True)
        assert float(both[k, i, j]) == pytest.approx(np.mean(means) if means else np.nan, nan_ok=True)
    assert both[2, 0, 1].isnan()


def slow_minors(values: np.ndarray, observed: np.ndarray, rank: int, i: int, j: int) -> list[tuple[float, float]]:
    """(determinant of the pivot, estimate) for every minor through (i, j) with nothing else masked."""
    found = []
    rows, cols = values.shape
    for chosen_rows in combinations([k for k in range(rows) if k != i], rank):
        for chosen_cols in combinations([k for k in range(cols) if k != j], rank):
            block = np.ix_((*chosen_rows, i), (*chosen_cols, j))
            if observed[block].sum() == (rank + 1) ** 2 - 1:
                pivot = values[np.ix_(chosen_rows, chosen_cols)]
                zero, one = values[block].copy(), values[block].copy()
                zero[-1, -1], one[-1, -1] = 0.0, 1.0
                slope = np.linalg.det(one) - np.linalg.det(zero)
                found.append((np.linalg.det(pivot), -np.linalg.det(zero) / slope))
    return found


@pytest.mark.parametrize(("rows", "cols", "rank"), [(4, 5, 1), (6, 4, 2)])
def test_minors_are_those_of_a_loop(rows: int, cols: int, rank: int) -> None:
    values, observed = draw(8, rows, cols, rank, 0.3)
    values += 0.05 * torch.randn(values.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    settings = CompletionSettings(rank)
    least, plain = weighted_minors(values, observed, settings), weighted_minors(values, observed, settings, power=0)
    shrunk = weighted_minors(values, observed, settings, shrinkage=0.3)
    largest, pivot = largest_minor(values, observed, settings), largest_pivot(values, observed, settings)
    counts = []
    for k, i, j in (map(int, where) for where in zip(*torch.where(~observed), strict=True)):
        found = slow_minors(values[k].numpy(), observed[k].numpy(), rank, i, j)
        counts.append(len(found))
        if not found:
            assert least[k, i, j].isnan()
            assert largest[k, i, j].isnan()
            assert pivot[k, i, j] == 0
            continue
        pivots, estimates = np.array(found).T
        assert float(plain[k, i, j]) == pytest.approx(estimates.mean())
        assert float(least[k, i, j]) == pytest.approx((pivots**2 * estimates).sum() / (pivots**2).sum())
        assert float(shrunk[k, i, j]) == pytest.approx((pivots**2 * estimates).sum() / ((pivots**2).sum() + 0.3))
        assert float(largest[k, i, j]) == pytest.approx(estimates[np.abs(pivots).argmax()])
        assert float(pivot[k, i, j]) == pytest.approx(np.abs(pivots).max() ** (1 / rank))
    assert 0 in counts
    assert max(counts) > 3


def test_minors_in_small_portions_and_of_a_subset(monkeypatch: pytest.MonkeyPatch) -> None:
    values, observed = draw(3, 5, 5, 2, 0.2)
    settings = CompletionSettings(2, seed=4)
    whole = weighted_minors(values, observed, settings), largest_pivot(values, observed, settings)
    monkeypatch.setattr(minors_module, "NUMBERS_AT_ONCE", 3 * 25 * 7)
    assert torch.allclose(weighted_minors(values, observed, settings), whole[0], equal_nan=True)
    assert torch.allclose(largest_pivot(values, observed, settings), whole[1])
    monkeypatch.setattr(minors_module, "CAP", 12)
    some = weighted_minors(values, observed, settings)
    assert torch.equal(some.nan_to_num(), weighted_minors(values, observed, settings).nan_to_num())
    assert some.isnan().sum() > whole[0].isnan().sum()
    assert (some - values)[~some.isnan()].abs().max() < 1e-6


def test_regression_is_that_of_a_loop() -> None:
    values, observed = draw(8, 5, 4, 2, 0.25, seed=3)
    values += 0.05 * torch.randn(values.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    observed[0, :, 0] = False  # no complete row
    observed[1, 0] = False  # nothing to go by in row 0
    answer = row_regression(values, observed, CompletionSettings(2))
    for k, (x, seen) in enumerate(zip(values.numpy(), observed.numpy(), strict=True)):
        complete_rows = x[seen.all(1)]
        for i, j in zip(*np.where(~seen), strict=True):
            if not len(complete_rows) or not seen[i].any():
                assert answer[k, i, j].isnan()
                continue
            left, sizes, right = np.linalg.svd(complete_rows[:, seen[i]], full_matrices=False)
            sizes[2:] = 0
            inverse = right.T @ np.diag([1 / s if s > 1e-12 else 0.0 for s in sizes]) @ left.T
            assert float(answer[k, i, j]) == pytest.approx(x[i, seen[i]] @ inverse @ complete_rows[:, j])
    assert answer[0].isnan().any()
    assert answer[1, 0].isnan().all()


def slow_fit(x: np.ndarray, seen: np.ndarray, factor: np.ndarray, ridge: float) -> np.ndarray:
    fitted = []
    for row, where in zip(x, seen, strict=True):
        own = factor[where]
        fitted.append(np.linalg.solve(own.T @ own + ridge * np.eye(factor.shape[1]), own.T @ row[where]))
    return np.array(fitted)


@pytest.mark.parametrize("steps", [1, 3])
def test_unrolled_iterations_are_those_of_a_loop(steps: int) -> None:
    values, observed = draw(4, 5, 4, 2, 0.3, seed=5)
    settings = CompletionSettings(2)
    sweeps = unrolled_least_squares(values, observed, settings, steps, ridge=0.01)
    descent = unrolled_descent(values, observed, settings, steps)
    for k, (x, seen) in enumerate(zip(values.numpy(), observed.numpy(), strict=True)):
        left, sizes, right = np.linalg.svd(x * seen)
        v = right[:2].T
        for _ in range(steps):
            u = slow_fit(x, seen, v, 0.01)
            v = slow_fit(x.T, seen.T, u, 0.01)
        assert sweeps[k].numpy()[~seen] == pytest.approx((u @ v.T)[~seen])
        u, v = left[:, :2] * np.sqrt(sizes[:2]), right[:2].T * np.sqrt(sizes[:2])
        for _ in range(steps):
            residual = (u @ v.T - x) * seen
            u, v = u - residual @ v / (2 * sizes[0]), v - residual.T @ u / (2 * sizes[0])
        assert descent[k].numpy()[~seen] == pytest.approx((u @ v.T)[~seen])


def test_alternating_least_squares_is_the_best_of_many_starts() -> None:
    values, observed = draw(6, 5, 4, 1, 0.3, seed=6)
    ridge = 0.05
    answer = alternating_least_squares(values, observed, CompletionSettings(1, seed=2), ridge)
    for k, (x, seen) in enumerate(zip(values.numpy(), observed.numpy(), strict=True)):
        found = []
        for v in np.random.default_rng(0).normal(size=(6, 4, 1)):
            for _ in range(80):
                u = slow_fit(x, seen, v, ridge)
                v = slow_fit(x.T, seen.T, u, ridge)
            found.append((((u @ v.T - x)[seen] ** 2).sum() + ridge * ((u**2).sum() + (v**2).sum()), u @ v.T))
        assert answer[k].numpy()[~seen] == pytest.approx(min(found, key=lambda pair: pair[0])[1][~seen], abs=1e-5)


def minimum(build: object, shape: tuple[int, int]) -> float:
    variable = cp.Variable(shape)
    objective, constraints = build(variable)  # type: ignore[operator]
    problem = cp.Problem(cp.Minimize(objective), constraints)
    problem.solve(solver=cp.CLARABEL)
    assert problem.status == "optimal"
    return float(problem.value)


def test_norms_are_as_small_as_a_solver_makes_them() -> None:
    values, observed = draw(2, 4, 5, 1, 0.3, seed=7)
    nuclear = nuclear_norm_completion(values, observed)
    soft = soft_impute(values, observed, CompletionSettings(1), 0.2)
    assert torch.equal(nuclear[observed], values[observed])
    for k, (x, seen) in enumerate(zip(values.numpy(), observed.numpy(), strict=True)):
        weight = seen.astype(float)

        def constrained(z: cp.Variable, weight: np.ndarray = weight, x: np.ndarray = x) -> tuple[object, list[object]]:
            return cp.normNuc(z), [cp.multiply(weight, z) == weight * x]

        def penalised(z: cp.Variable, weight: np.ndarray = weight, x: np.ndarray = x) -> tuple[object, list[object]]:
            return 0.5 * cp.sum_squares(cp.multiply(weight, z - x)) + 0.2 * cp.normNuc(z), []

        assert np.linalg.norm(nuclear[k].numpy(), "nuc") == pytest.approx(minimum(constrained, x.shape), abs=1e-4)
        z = shrunken(soft[k : k + 1], 0.2)[0].numpy()
        objective = 0.5 * ((z - x)[seen] ** 2).sum() + 0.2 * np.linalg.norm(z, "nuc")
        assert objective == pytest.approx(minimum(penalised, x.shape), abs=1e-5)
        assert soft[k].numpy()[~seen] == pytest.approx(z[~seen], abs=1e-4)


def test_hard_impute_stands_still() -> None:
    values, observed = draw(5, 6, 5, 2, 0.15, seed=8)
    answer = hard_impute(values, observed, CompletionSettings(2)).numpy()
    left, sizes, right = np.linalg.svd(answer, full_matrices=False)
    truncated = (left[:, :, :2] * sizes[:, None, :2]) @ right[:, :2]
    assert truncated[~observed.numpy()] == pytest.approx(answer[~observed.numpy()], abs=1e-4)


def test_only_what_moves_is_iterated() -> None:
    seen = []

    def halve(state: Tensor, floor: Tensor) -> Tensor:
        seen.append(len(state))
        return torch.maximum(state / 2, floor)

    start, floor = torch.tensor([[8.0], [8.0], [0.0]]), torch.tensor([[4.0], [1.0], [0.0]])
    assert torch.equal(until_still(halve, start, (floor,), 0.0, 100), floor)
    assert seen == [3, 2, 1, 1]
    assert torch.equal(until_still(halve, start, (floor,), 0.0, 1), torch.tensor([[4.0], [4.0], [0.0]]))


@pytest.mark.parametrize("name", CANDIDATES)
def test_masked_values_are_not_read_and_observed_ones_are_kept(name: str) -> None:
    values, observed = draw(6, 5, 4, 2, 0.3, seed=9)
    answer = complete(name, values, observed, 2)
    hidden = torch.where(observed, values, torch.nan)
    assert torch.equal(answer.nan_to_num(nan=99.0), complete(name, hidden, observed, 2).nan_to_num(nan=99.0))
    assert torch.equal(answer[observed], values[observed])
    alone = complete(name, values[2:3], observed[2:3], 2)
    if not name.startswith("least squares"):  # their random starts depend on the batch
        assert torch.allclose(alone, answer[2:3], atol=1e-5, equal_nan=True)


@pytest.mark.parametrize("name", [*SYMMETRIC, "row mean", "row regression", "least squares, 3 sweeps"])
def test_permuted_rows_and_columns_permute_the_answer(name: str) -> None:
    values, observed = draw(8, 5, 4, 1, 0.2, seed=10)
    rows, cols = torch.tensor([3, 0, 4, 2, 1]), torch.tensor([2, 3, 0, 1])
    answer = complete(name, values, observed, 1)[:, rows][:, :, cols]
    permuted = complete(name, values[:, rows][:, :, cols], observed[:, rows][:, :, cols], 1)
    assert torch.allclose(permuted, answer, atol=1e-4, equal_nan=True)


@pytest.mark.parametrize(("name", "other"), [*((name, name) for name in SYMMETRIC), *EXCHANGED])
def test_transposition(name: str, other: str) -> None:
    values, observed = draw(8, 5, 4, 1, 0.2, seed=11)
    answer = complete(name, values, observed, 1).mT
    assert torch.allclose(complete(other, values.mT, observed.mT, 1), answer, atol=1e-4, equal_nan=True)


def test_completions_of_all_candidates() -> None:
    values, observed = draw(5, 4, 4, 1, 0.6, seed=12)
    found = completions(values, observed, CompletionSettings(1))
    assert found.names == tuple(CANDIDATES)
    assert found.values.shape == found.defined.shape == (len(CANDIDATES), 5, 16)
    assert np.isfinite(found.values).all()
    minor = found.names.index("minors")
    undefined = ~found.defined[minor]
    assert undefined.any()
    assert (found.values[minor][undefined] == 0).all()
    assert ((found.pivots > 0) == (found.defined[minor] & ~observed.flatten(1).numpy())).all()


def test_extreme_masks_and_values_have_an_answer() -> None:
    values, _ = draw(3, 4, 4, 2)
    for observed in (torch.zeros(3, 4, 4, dtype=torch.bool), torch.ones(3, 4, 4, dtype=torch.bool)):
        found = completions(values, observed, CompletionSettings(2))
        expected = torch.where(observed, values, 0.0).flatten(1).numpy()
        assert (found.values == expected).all()
    assert (completions(values * 0, observed, CompletionSettings(4)).values == 0).all()


def test_errors_say_what_was_expected() -> None:
    values, observed = draw(3, 4, 4, 2)
    with pytest.raises(InputError, match=r"one shape \(n, rows, cols\)"):
        completions(values, observed[:2], CompletionSettings(2))
    with pytest.raises(InputError, match="rank 5 does not fit"):
        completions(values, observed, CompletionSettings(5))
