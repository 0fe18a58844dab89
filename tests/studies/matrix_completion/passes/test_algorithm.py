"""The search for the model's algorithm: planted answers are found, numbers are those of loops, controls are null."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.optimize import nnls

from mcinterp.analysis import PASSES
from mcinterp.analysis.compare.agreement import best_scale, correlation, unexplained, unexplained_difference
from mcinterp.analysis.mixture import mixture_weights
from mcinterp.errors import InputError
from mcinterp.results import Result
from mcinterp.runs import Checkpoint
from mcinterp.studies.matrix_completion.baselines.candidates import CANDIDATES
from mcinterp.studies.matrix_completion.config import TaskConfig
from mcinterp.studies.matrix_completion.passes.algorithm import (
    TRUTH,
    Problem,
    algorithm_fit,
    explained,
    posed_problem,
    predicted,
)
from mcinterp.studies.matrix_completion.passes.algorithm_bins import observed_bins, pivot_bins

N, SEED = 60, 4
TASK = TaskConfig(rows=4, cols=5, rank=1, p_mask=0.25, v_min=-2.0, v_max=2.0)


@pytest.fixture(scope="module")
def problem() -> Problem:
    return posed_problem(TASK, N, SEED)


@pytest.fixture(scope="module")
def noise(problem: Problem) -> np.ndarray:
    return np.random.default_rng(8).normal(size=problem.truth.shape)


def answers_of(problem: Problem, name: str) -> np.ndarray:
    return problem.completions.values[problem.completions.names.index(name)]


@pytest.mark.parametrize(
    "name", ["nuclear norm", "minors", "row mean", "gradient descent, 3 steps", "soft-impute, λ = 1"]
)
def test_a_planted_algorithm_is_found(problem: Problem, noise: np.ndarray, name: str) -> None:
    result = explained(answers_of(problem, name), problem, noise)
    row = result.table("candidates").set_index("candidate").loc[name]
    assert result.facts["best"] == name
    assert result.facts["unexplained"] == result.facts["unexplained_high"] == 0
    assert result.facts["margin"] > 0
    assert (row[["to_model", "unexplained", "behind"]] == 0).all()
    assert row["scale"] == pytest.approx(1)
    assert row["scaled_unexplained"] == pytest.approx(0, abs=1e-20)
    assert [row["correlation"], row["correlation_low"]] == pytest.approx([1, 1])
    assert row["error_correlation"] == pytest.approx(1)
    assert row["to_truth"] == row["model_mse"]
    joint = result.table("combination").set_index("fit")
    assert joint.loc["one candidate", "candidates"] == name
    assert joint.loc["one candidate", "unexplained"] == 0
    assert joint.loc["combination", "unexplained"] < 1e-12
    for table in ("by_observed", "by_conditioning"):
        own = result.table(table).query("candidate == @name")
        assert (own["to_model"] == 0).all()


def test_a_shrunken_algorithm_is_found_by_its_scale(problem: Problem, noise: np.ndarray) -> None:
    row = explained(0.3 * answers_of(problem, "minors"), problem, noise).table("candidates").set_index("candidate")
    assert row.loc["minors", "scale"] == pytest.approx(0.3)
    assert row.loc["minors", "scaled_unexplained"] == pytest.approx(0, abs=1e-20)
    assert row.loc["minors", "unexplained"] == pytest.approx((0.7 / 0.3) ** 2)


def test_a_planted_mixture_needs_the_combination(problem: Problem, noise: np.ndarray) -> None:
    mixture = 0.5 * answers_of(problem, "row mean") + 0.5 * answers_of(problem, "nuclear norm")
    joint = explained(mixture, problem, noise).table("combination").set_index("fit")
    assert joint.loc["combination", "unexplained"] < 1e-10
    assert joint.loc["one candidate", "unexplained"] > 0.05
    assert joint.loc["combination", "gain_low"] > 0
    assert joint.loc["combination", "gain"] == pytest.approx(joint.loc["one candidate", "unexplained"])
    assert joint.loc["combination", "control_unexplained"] > 0.9


def test_a_mixture_keeps_the_size_that_a_combination_may_change(problem: Problem, noise: np.ndarray) -> None:
    planted = 0.25 * answers_of(problem, "row mean") + 0.75 * answers_of(problem, "nuclear norm")
    once, twice = (explained(size * planted, problem, noise) for size in (1, 2))
    assert once.table("weights")["mixture_weight"].sum() == pytest.approx(1)
    left = once.table("combination").set_index("fit")["unexplained"]
    assert left["mixture"] < 1e-6 < left["one candidate"]
    left = twice.table("combination").set_index("fit")["unexplained"]
    assert left["combination"] < 1e-10
    assert left["mixture"] > 0.1


def test_the_combination_is_fitted_on_one_half_and_tested_on_the_other(problem: Problem, noise: np.ndarray) -> None:
    predictions = answers_of(problem, "minors") + 0.3 * noise
    result = explained(predictions, problem, noise)
    masked = ~problem.observed.reshape(N, -1)
    train, test = (masked & (np.arange(N) // (N // 2) == half)[:, None] for half in (0, 1))
    answers = problem.completions.values
    weights, _ = nnls(answers[:, train].T, predictions[train])
    best = int(((answers[:, train] - predictions[train]) ** 2).sum(1).argmin())
    scale = answers[best, train] @ predictions[train] / (answers[best, train] @ answers[best, train])
    joint = result.table("combination").set_index("fit")
    fits = {
        "one candidate": answers[best],
        "one candidate, scaled": scale * answers[best],
        "mixture": np.tensordot(mixture_weights(predictions[train], answers[:, train]), answers, 1),
        "combination": np.tensordot(weights, answers, 1),
    }
    for fit, answer in fits.items():
        left = [((predictions - answer)[part] ** 2).sum() / (predictions[part] ** 2).sum() for part in (train, test)]
        assert joint.loc[fit, ["train_unexplained", "unexplained"]].tolist() == pytest.approx(left)
    gain = joint.loc["one candidate", "unexplained"] - joint["unexplained"]
    assert joint["gain"].tolist() == pytest.approx(gain.tolist(), abs=1e-12)
    assert result.table("weights")["weight"].tolist() == pytest.approx(weights.tolist())
    assert (joint["n_train"] == N // 2).all()


def test_an_answer_of_zero_is_the_candidate_zero(problem: Problem, noise: np.ndarray) -> None:
    faint = explained(1e-3 * noise, problem, noise)
    assert faint.facts["best"] == "zero"
    assert faint.facts["unexplained"] == faint.facts["unexplained_low"] == 1
    nothing = explained(0 * noise, problem, noise)
    assert nothing.facts["best"] == "zero"
    assert nothing.facts["unexplained"] is None
    assert nothing.table("candidates").set_index("candidate").loc["zero", "to_model"] == 0


def test_numbers_are_those_of_a_loop(problem: Problem, noise: np.ndarray) -> None:
    predictions = 0.8 * answers_of(problem, "nuclear norm") + 0.1 * noise
    table = explained(predictions, problem, noise).table("candidates").set_index("candidate")
    masked = ~problem.observed.reshape(N, -1)
    p, t = predictions[masked], problem.truth[masked]
    for name in CANDIDATES:
        c, row = answers_of(problem, name)[masked], table.loc[name]
        assert row["to_model"] == pytest.approx(np.mean((p - c) ** 2))
        assert row["unexplained"] == pytest.approx(np.mean((p - c) ** 2) / np.mean(p**2))
        assert row["to_truth"] == pytest.approx(np.mean((c - t) ** 2))
        assert row["model_mse"] == pytest.approx(np.mean((p - t) ** 2))
        assert row["error_correlation"] == pytest.approx(np.corrcoef(p - t, c - t)[0, 1])
        if name != "zero":
            scale = np.linalg.lstsq(c[:, None], p, rcond=None)[0][0]
            assert row["scale"] == pytest.approx(scale)
            assert row["scaled_unexplained"] == pytest.approx(np.sum((p - scale * c) ** 2) / np.sum(p**2))
            assert row["correlation"] == pytest.approx(np.corrcoef(p, c)[0, 1])
        other = np.roll(answers_of(problem, name), 1, axis=0)[masked]
        assert row["control_correlation"] == pytest.approx(np.corrcoef(p, other)[0, 1])
    assert np.isnan(table.loc["zero", "correlation"])
    assert table.loc[TRUTH, "unexplained"] == pytest.approx(np.mean((p - t) ** 2) / np.mean(p**2))
    best = table.drop(index=TRUTH)["to_model"].idxmin()
    assert (table["behind"] - (table["unexplained"] - table.loc[best, "unexplained"])).abs().max() < 1e-9
    assert (table["n"] == N).all()


def test_bins_are_those_of_a_loop(problem: Problem, noise: np.ndarray) -> None:
    predictions = answers_of(problem, "minors") + 0.1 * noise
    result = explained(predictions, problem, noise)
    masked = ~problem.observed
    found: dict[int, list[tuple[int, int]]] = {}
    for k, i, j in zip(*np.where(masked), strict=True):
        count = int(problem.observed[k, i].sum() + problem.observed[k, :, j].sum())
        found.setdefault(count, []).append((k, i * 5 + j))
    table = result.table("by_observed")
    assert table["bin"].unique().tolist() == [str(count) for count in sorted(found)]
    for count, entries in found.items():
        rows = table[table["low"] == count].set_index("candidate")
        at = tuple(np.array(entries).T)
        assert (rows["entries"] == len(entries)).all()
        assert (rows["n"] == len({k for k, _ in entries})).all()
        assert rows["model_mse"].iloc[0] == pytest.approx(np.mean((predictions - problem.truth)[at] ** 2))
        for name in ("zero", "minors", "row mean"):
            c = answers_of(problem, name)
            assert rows.loc[name, "to_model"] == pytest.approx(np.mean((predictions - c)[at] ** 2))
            assert rows.loc[name, "to_truth"] == pytest.approx(np.mean((problem.truth - c)[at] ** 2))
        assert rows.index[rows["best"]].tolist() == [rows["to_model"].idxmin()]
    conditioning = result.table("by_conditioning").drop_duplicates("bin")
    assert conditioning["entries"].sum() == masked.sum()
    without = (problem.completions.pivots == 0) & masked.reshape(N, -1)
    assert conditioning.set_index("bin").loc["no minor", "entries"] == without.sum()
    assert np.ptp(conditioning["entries"].iloc[1:]) < 0.2 * masked.sum()


def test_bins_of_few_or_equal_pivots() -> None:
    observed = np.ones((2, 2, 2), dtype=bool)
    observed[0, 0, 0] = observed[1, 1, 1] = False
    same = pivot_bins(np.full((2, 4), 0.5), observed)
    assert [(part.name, int(part.where.sum())) for part in same] == [("0.5 to 0.5", 2)]
    assert [part.name for part in pivot_bins(np.zeros((2, 4)), observed)] == ["no minor"]
    assert [(part.name, int(part.where.sum())) for part in observed_bins(observed)] == [("2", 2)]


def jackknife(statistic: object, n: int) -> float:
    """Standard error of a statistic of the samples that remain."""
    values = np.array([statistic(np.delete(np.arange(n), k)) for k in range(n)])  # type: ignore[operator]
    return float(np.sqrt((n - 1) * values.var()))


def test_intervals_are_those_of_a_jackknife(problem: Problem, noise: np.ndarray) -> None:
    predictions = 0.8 * answers_of(problem, "nuclear norm") + 0.2 * noise
    first, second = answers_of(problem, "minors"), answers_of(problem, "row mean")
    masked = problem.masked

    def scaled_share(p: np.ndarray, c: np.ndarray, w: np.ndarray) -> float:
        return float(unexplained(p, best_scale(p, c, w) * c, w).value)

    statistics = (
        lambda p, c, d, w: unexplained(p, c, w),
        unexplained_difference,
        lambda p, c, d, w: correlation(c, p, w),
    )
    for function in statistics:
        estimate = function(predictions, first, second, masked)

        def left_out(kept: np.ndarray, function: object = function) -> float:
            return float(function(predictions[kept], first[kept], second[kept], masked[kept]).value)  # type: ignore

        half = float(estimate.high - estimate.low) / 2
        assert half == pytest.approx(2.0 * jackknife(left_out, N), rel=0.15)
    scale = best_scale(predictions, first, masked)
    half = np.ptp([getattr(unexplained(predictions, scale * first, masked), end) for end in ("low", "high")]) / 2
    error = jackknife(lambda kept: scaled_share(predictions[kept], first[kept], masked[kept]), N)
    assert half == pytest.approx(2.0 * error, rel=0.15)


def test_controls_explain_nothing(problem: Problem, noise: np.ndarray) -> None:
    table = explained(answers_of(problem, "minors"), problem, noise).table("candidates").set_index("candidate")
    table = table.drop(index=TRUTH)
    assert (table["control_scaled_unexplained"] > 0.9).all()
    assert (table["untrained_scaled_unexplained"] > 0.95).all()
    assert ((table["control_correlation_low"] < 0.05) & (table["control_correlation_high"] > -0.05)).all()


def test_an_answer_that_is_missing_counts_as_zero(problem: Problem, noise: np.ndarray) -> None:
    table = explained(noise, problem, noise).table("candidates").set_index("candidate")
    masked = ~problem.observed.reshape(N, -1)
    complete_row = problem.observed.all(2).any(1)
    some_in_row = np.repeat(problem.observed.any(2), 5, axis=1)
    expected = (masked & complete_row[:, None] & some_in_row).sum() / masked.sum()
    assert table.loc["row regression", "defined"] == pytest.approx(expected)
    assert expected < 0.95
    assert table.loc["zero", "defined"] == 1


@pytest.fixture(scope="module")
def found(random_checkpoint: Checkpoint) -> Result:
    return algorithm_fit(random_checkpoint, samples=8, seed=3)


def test_the_pass_looks_at_the_model(random_checkpoint: Checkpoint, found: Result, tmp_path: Path) -> None:
    batch = random_checkpoint.sample(8, 3)
    problem = posed_problem(random_checkpoint.config.task, 8, 3)
    assert torch.equal(problem.batch.inputs, batch.inputs)
    output = random_checkpoint.model.complete(batch.inputs).double().numpy()
    assert predicted(random_checkpoint, problem) == pytest.approx(output)
    masked = ~batch.observed.numpy()
    errors = (output - batch.targets.numpy())[masked] ** 2
    assert found.table("candidates")["model_mse"].iloc[0] == pytest.approx(errors.mean(), rel=1e-5)
    assert found.facts["masked_entries"] == masked.sum()
    found.save(tmp_path / "algorithm")
    stored = Result.load(tmp_path / "algorithm")
    assert stored.facts == found.facts
    assert stored.table("weights")["weight"].tolist() == pytest.approx(found.table("weights")["weight"].tolist())


def test_the_same_seed_gives_the_same_numbers(random_checkpoint: Checkpoint, found: Result) -> None:
    posed_problem.cache_clear()
    again = algorithm_fit(random_checkpoint, samples=8, seed=3)
    for name, table in found.tables.items():
        assert table.frame.equals(again.table(name))


def test_candidates_see_what_the_tokens_say() -> None:
    task = TaskConfig(rows=3, cols=3, rank=1, factor_scale=2.0, v_min=-0.5, v_max=0.5, out_of_range="clip")
    problem = posed_problem(task, 20, 0)
    assert problem.batch.n_clipped > 0
    assert np.abs(answers_of(problem, "zero")).max() <= 0.5
    assert np.abs(problem.truth).max() > 0.5


def test_full_rank_matrices_have_no_minors(noise: np.ndarray) -> None:
    task = TaskConfig(rows=3, cols=4, factors="full-rank", v_min=-2.0, v_max=2.0)
    problem = posed_problem(task, 8, 0)
    result = explained(problem.truth, problem, problem.truth)
    assert result.table("candidates").set_index("candidate").loc["minors", "defined"] == 0
    assert result.table("by_conditioning")["bin"].unique().tolist() == ["no minor"]


def test_errors(random_checkpoint: Checkpoint) -> None:
    with pytest.raises(InputError, match="at least 4"):
        algorithm_fit(random_checkpoint, samples=3)
    with pytest.raises(InputError, match="no entry of 8 matrices is masked"):
        posed_problem(TASK.model_copy(update={"p_mask": 0.0}), 8, 0)


def test_it_is_a_pass() -> None:
    assert PASSES["algorithm"].samples == 512
