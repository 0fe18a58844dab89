"""The comparison with nuclear norm minimisation against a slow one, and its controls."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from slow_encoder import mse, run_slowly

from mcinterp import nuclear_norm
from mcinterp.config import RunConfig
from mcinterp.errors import InputError, SolverError
from mcinterp.results import Result
from mcinterp.runs import Checkpoint
from mcinterp.studies.matrix_completion.baselines import nuclear_norm_reference, regularised_reference
from mcinterp.studies.matrix_completion.baselines.solved import solved_exactly
from mcinterp.studies.matrix_completion.config import ModelConfig, TaskConfig
from mcinterp.studies.matrix_completion.task.completion import MatrixCompletion

N, SEED = 14, 5
SHARES, WEIGHTS = (0.1, 0.5), (0.002, 0.05)


@pytest.fixture(scope="module")
def result(random_checkpoint: Checkpoint) -> Result:
    return nuclear_norm(random_checkpoint, N, N, SHARES, WEIGHTS, checked=4, seed=SEED)


def outputs(checkpoint: Checkpoint, tokens: torch.Tensor) -> np.ndarray:
    return np.stack([run_slowly(checkpoint, row).output for row in tokens.numpy()])


def drawn(checkpoint: Checkpoint, share: float):
    task = MatrixCompletion(checkpoint.config.task.model_copy(update={"p_mask": share}))
    return task.sample(N, torch.Generator().manual_seed(SEED))


def test_errors_and_norms_are_those_of_a_slow_encoder_and_clarabel(
    random_checkpoint: Checkpoint, result: Result
) -> None:
    errors = result.table("errors").set_index(["p_mask", "entries"])
    norms = result.table("norms").set_index("p_mask")
    batch = drawn(random_checkpoint, 0.1)
    truth, seen = batch.targets.double().numpy(), batch.observed.numpy()
    model = outputs(random_checkpoint, batch.inputs)
    solved = nuclear_norm_reference(truth.reshape(N, 4, 3), seen.reshape(N, 4, 3)).reshape(N, 12)
    for entries, where in (("masked", ~seen), ("total", seen | ~seen)):
        row = errors.loc[(0.1, entries)]
        assert row["model_mse"] == pytest.approx(mse(list(model), truth, where), rel=1e-5)
        assert row["solver_mse"] == pytest.approx(mse(list(solved), truth, where), rel=1e-2)
        assert row["difference"] == pytest.approx(row["model_mse"] - row["solver_mse"])
        assert row["difference_low"] < row["difference"] < row["difference_high"]
    for name, matrices in (("model", model), ("solver", solved), ("truth", truth)):
        expected = np.linalg.norm(matrices.reshape(N, 4, 3), "nuc", axis=(1, 2)).mean()
        assert norms.loc[0.1, f"{name}_norm"] == pytest.approx(expected, rel=1e-5)
    assert norms.loc[0.1, "difference"] == pytest.approx(norms.loc[0.1, "model_norm"] - norms.loc[0.1, "solver_norm"])


def test_the_regularised_table_is_that_of_clarabel(random_checkpoint: Checkpoint, result: Result) -> None:
    table = result.table("regularised").set_index("solution")
    assert list(table.index) == ["model", "λ = 0.002", "λ = 0.05"]
    batch = drawn(random_checkpoint, random_checkpoint.config.task.p_mask)
    truth, seen = batch.targets.double().numpy(), batch.observed.numpy()
    model = outputs(random_checkpoint, batch.inputs)
    solved = regularised_reference(truth.reshape(N, 4, 3), seen.reshape(N, 4, 3), 0.05).reshape(N, 12)
    for name, found in (("model", model), ("λ = 0.05", solved)):
        for entries, where in (("observed", seen), ("masked", ~seen), ("total", seen | ~seen)):
            assert table.loc[name, f"{entries}_mse"] == pytest.approx(mse(list(found), truth, where), rel=1e-2)
    assert table.loc["model", ["difference", "difference_low", "difference_high"]].tolist() == [0, 0, 0]
    difference = table.loc["model", "total_mse"] - table.loc["λ = 0.05", "total_mse"]
    assert table.loc["λ = 0.05", "difference"] == pytest.approx(difference)
    assert set(table["p_mask"]) == {random_checkpoint.config.task.p_mask}
    assert table["reference_difference"].drop("model").max() < 1e-5


def test_the_controls_are_null_and_the_training_share_is_among_the_rows(result: Result) -> None:
    solver = result.table("solver")
    assert solver["p_mask"].tolist() == [0.1, 0.3, 0.5]
    assert solver["trained"].tolist() == [False, True, False]
    assert (solver["above_truth"] == 0).all()
    assert (solver["observed_error"] == 0).all()
    assert solver["transposed_difference"].max() < 1e-6
    assert solver["largest_gap"].max() <= 5e-7
    assert solver["checked"].between(1, 4).all()
    assert solver["reference_difference"].max() < 1e-5
    reference = result.facts["reference"]
    assert reference["instances"] == solver["checked"].sum() + 2 * 4
    largest = [solver["reference_difference"].max(), result.table("regularised")["reference_difference"].max()]
    assert reference["largest_relative_difference"] == max(largest)


def test_recovery_is_the_share_of_small_errors() -> None:
    task = TaskConfig(rows=4, cols=4, rank=1, p_mask=0.2, v_min=-2.0, v_max=2.0)
    solved = solved_exactly(task, 60, 3, 0, "cpu")
    truth = solved.batch.targets.double().numpy()
    errors = np.linalg.norm(solved.completed.numpy() - truth, axis=1) / np.linalg.norm(truth, axis=1)
    assert solved.recovered.tolist() == (errors <= 0.02).tolist()
    assert 0.2 < solved.recovered.double().mean() < 1


def test_shares_of_matrices_have_exact_intervals(random_checkpoint: Checkpoint, result: Result) -> None:
    solver = result.table("solver").set_index("p_mask")
    for share, row in solver.iterrows():
        solved = solved_exactly(random_checkpoint.config.task.model_copy(update={"p_mask": share}), N, SEED, 4, "cpu")
        for name in ("recovered", "unique"):
            count = int(getattr(solved, name).sum())
            # The ends are the shares at which so many, or more, and so many, or fewer, have a probability of 2.5 %.
            low = stats.beta.ppf(0.025, count, N - count + 1) if count else 0.0
            high = stats.beta.ppf(0.975, count + 1, N - count) if count < N else 1.0
            assert row[[name, f"{name}_low", f"{name}_high"]].tolist() == pytest.approx([count / N, low, high])


def test_an_entry_masked_at_one_share_is_masked_at_larger_ones() -> None:
    task = TaskConfig(rows=4, cols=4, rank=1, p_mask=0.2, v_min=-2.0, v_max=2.0)
    low, high = (solved_exactly(task.model_copy(update={"p_mask": share}), 20, 3, 0, "cpu") for share in (0.2, 0.5))
    assert torch.equal(low.batch.targets, high.batch.targets)
    assert (low.batch.observed | ~high.batch.observed).all()
    assert (high.norm <= low.norm * (1 + 1e-6)).all()


def test_minimisers_are_computed_once_for_all_checkpoints(random_checkpoint: Checkpoint, result: Result) -> None:
    other = Checkpoint.untrained(random_checkpoint.config, seed=4)
    misses = solved_exactly.cache_info().misses
    again = nuclear_norm(other, N, N, SHARES, WEIGHTS, checked=4, seed=SEED)
    assert solved_exactly.cache_info().misses == misses
    assert again.table("solver").equals(result.table("solver"))
    assert not again.table("errors")["model_mse"].equals(result.table("errors")["model_mse"])


def test_it_is_the_same_again_and_survives_its_folder(
    random_checkpoint: Checkpoint, result: Result, tmp_path: Path
) -> None:
    solved_exactly.cache_clear()
    again = nuclear_norm(random_checkpoint, N, N, SHARES, WEIGHTS, checked=4, seed=SEED)
    for name in result.tables:
        assert again.table(name).equals(result.table(name))
    replace(result, name="nuclear").save(tmp_path / "nuclear")
    loaded = Result.load(tmp_path / "nuclear")
    assert loaded.facts == result.facts
    assert loaded.table("errors")["difference"].tolist() == result.table("errors")["difference"].tolist()


def test_everything_or_nothing_masked_has_rows() -> None:
    for share in (0.0, 1.0):
        task = TaskConfig(rows=3, cols=3, rank=1, p_mask=share, v_min=-2.0, v_max=2.0)
        model = ModelConfig(n_layers=1, n_heads=1, d_model=4, d_mlp=4, init_std="width")
        checkpoint = Checkpoint.untrained(RunConfig(task=task, model=model), seed=0)
        result = nuclear_norm(checkpoint, 4, 4, (), (0.01,), checked=0)
        norm = result.table("norms").iloc[0]
        assert norm["solver_norm"] == pytest.approx(norm["truth_norm"] * (1 - share))
        assert result.table("regularised")[["total_mse"]].notna().all(axis=None)


def test_an_instance_that_clarabel_gives_up_judges_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails_on_two(values: np.ndarray, observed: np.ndarray) -> np.ndarray:
        if fails_on_two.calls == 2:
            raise SolverError("Clarabel calls instance 0 'optimal_inaccurate'")
        fails_on_two.calls += 1
        return nuclear_norm_reference(values, observed)

    fails_on_two.calls = 0
    monkeypatch.setattr("mcinterp.studies.matrix_completion.baselines.solved.nuclear_norm_reference", fails_on_two)
    task = TaskConfig(rows=3, cols=3, rank=1, p_mask=0.2, v_min=-2.0, v_max=2.0)
    assert solved_exactly(task, 5, 11, 4, "cpu").checked == 2


def test_one_sample_is_an_error(random_checkpoint: Checkpoint) -> None:
    with pytest.raises(InputError, match="at least 2, got 1"):
        nuclear_norm(random_checkpoint, samples=1)
