"""Random matrices: rank, moments, laws of the factors, rounding."""

from __future__ import annotations

import pytest
import torch
from scipy import stats

from mcinterp.studies.matrix_completion.config import TaskConfig
from mcinterp.studies.matrix_completion.task.matrices import _draw, sample_matrices


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("factors", ["uniform", "gaussian", "laplace"])
@pytest.mark.parametrize(("rows", "cols", "rank"), [(7, 7, 2), (5, 8, 1), (9, 4, 4)])
def test_matrices_have_the_rank_asked_for(factors: str, rows: int, cols: int, rank: int) -> None:
    config = TaskConfig(rows=rows, cols=cols, rank=rank, factors=factors, decimals=6)
    matrices = sample_matrices(config, 50, seeded())
    assert matrices.shape == (50, rows, cols)
    assert matrices.dtype == torch.float32
    # Rounding to 6 decimals leaves singular values of at most about 1e-6·√(rows·cols) beyond the rank.
    ranks = torch.linalg.matrix_rank(matrices.double(), atol=2e-5, rtol=0.0)
    assert ranks.tolist() == [rank] * 50


def test_full_rank_matrices_have_full_rank() -> None:
    matrices = sample_matrices(TaskConfig(factors="full-rank", rank=1, decimals=6), 20, seeded())
    assert torch.linalg.matrix_rank(matrices.double(), atol=1e-4, rtol=0.0).tolist() == [7] * 20


@pytest.mark.parametrize("rank", [1, 2, 5])
def test_entries_of_uniform_factors_have_variance_rank_ninths(rank: int) -> None:
    matrices = sample_matrices(TaskConfig(rank=rank), 8000, seeded())
    assert matrices.mean().item() == pytest.approx(0, abs=0.01)
    assert matrices.var().item() == pytest.approx(rank / 9, rel=0.02)


@pytest.mark.parametrize(
    ("law", "scale", "distribution"),
    [
        ("uniform", 0.5, stats.uniform(-0.5, 1.0)),
        ("gaussian", 0.5, stats.norm(scale=0.5)),
        ("laplace", 0.25, stats.laplace(scale=0.25)),
    ],
)
def test_factors_follow_their_law(law: str, scale: float, distribution: stats.rv_continuous) -> None:
    draws = _draw(law, (20_000,), scale, seeded(3)).numpy()
    assert stats.kstest(draws, distribution.cdf).pvalue > 0.01


def test_full_rank_entries_are_uniform() -> None:
    config = TaskConfig(factors="full-rank", factor_scale=0.5, decimals=6)
    entries = sample_matrices(config, 400, seeded()).flatten().numpy()
    assert stats.kstest(entries, stats.uniform(-0.5, 1.0).cdf).pvalue > 0.01


def test_the_laplace_tail_ends_where_the_grid_of_the_uniform_numbers_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    # torch.rand returns exactly 0 once in 2²⁴ draws; its Laplace value must be no wild outlier beyond the next one.
    monkeypatch.setattr(torch, "rand", lambda shape, generator, device: torch.zeros(shape))
    extreme = _draw("laplace", (1,), 1.0, seeded()).item()
    assert 15.9 < -extreme < 17.4


@pytest.mark.parametrize("decimals", [0, 1, 2, 4])
def test_matrices_are_rounded(decimals: int) -> None:
    matrices = sample_matrices(TaskConfig(decimals=decimals), 100, seeded()).double()
    steps = matrices * 10**decimals
    assert (steps - steps.round()).abs().max().item() < 1e-2


def test_the_generator_decides_the_matrices() -> None:
    config = TaskConfig()
    assert torch.equal(sample_matrices(config, 5, seeded(1)), sample_matrices(config, 5, seeded(1)))
    assert not torch.equal(sample_matrices(config, 5, seeded(1)), sample_matrices(config, 5, seeded(2)))
