"""Permuted positions against the numpy encoder, on models that know only rows, and the controls."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from planted import planted_copier, with_weights
from slow_encoder import mse, run_slowly
from small_run import small_config

from mcinterp.analysis.statistics import pooled_estimate
from mcinterp.errors import InputError
from mcinterp.results import Result
from mcinterp.runs import Checkpoint
from mcinterp.studies.matrix_completion.passes import permutations
from mcinterp.studies.matrix_completion.passes.position_sensitivity import position_sensitivity

N, SEED, POSITIONS = 8, 5, "embed.pos_embed.W_pos"
BROKEN = ["all positions", "row membership", "column membership"]


def numbers(result: Result):
    return result.table("positions").set_index("kind")


@pytest.fixture(scope="module")
def permuted(random_checkpoint):
    return position_sensitivity(random_checkpoint, n_permutations=2, samples=N, seed=SEED)


@pytest.mark.parametrize("kind", [*BROKEN, "rows", "columns"])
def test_every_number_is_that_of_a_model_with_permuted_weights(random_checkpoint, permuted, kind):
    row, orders = numbers(permuted).loc[kind], permuted.arrays[f"order {kind}"]
    batch = random_checkpoint.sample(N, SEED)
    seen, targets, tokens = batch.observed.numpy(), batch.targets.double().numpy(), batch.inputs.numpy()
    clean = [run_slowly(random_checkpoint, sample).output for sample in tokens]
    masked, observed, moved = [], [], []
    for order in orders:
        weights = {**random_checkpoint.weights, POSITIONS: random_checkpoint.weights[POSITIONS][order]}
        outputs = [run_slowly(replace(random_checkpoint, weights=weights), sample).output for sample in tokens]
        masked.append(mse(outputs, targets, ~seen))
        observed.append(mse(outputs, targets, seen))
        moved.append(mse(outputs, np.array(clean), ~seen))
    before = mse(clean, targets, ~seen)
    assert row["n_permutations"] == 2
    assert row["masked_mse_clean"] == pytest.approx(before, rel=1e-5)
    assert row["masked_mse"] == pytest.approx(np.mean(masked), rel=1e-5)
    assert row["masked_delta"] == pytest.approx(np.mean(masked) - before, abs=1e-5)
    assert row["masked_ratio"] == pytest.approx(np.mean(masked) / before, rel=1e-5)
    assert row["masked_spread"] == pytest.approx(np.std(masked, ddof=1), abs=1e-5)
    assert row["observed_mse"] == pytest.approx(np.mean(observed), rel=1e-5)
    assert row["masked_moved"] == pytest.approx(np.mean(moved), rel=1e-4)
    each = permuted.table("each").query("kind == @kind")
    assert each["masked_delta"].to_numpy() == pytest.approx(np.array(masked) - before, abs=1e-5)


def test_the_interval_is_paired_over_matrices(random_checkpoint, permuted):
    batch = random_checkpoint.sample(N, SEED)
    order = permuted.arrays["order all positions"][0]
    weights = {**random_checkpoint.weights, POSITIONS: random_checkpoint.weights[POSITIONS][order]}
    changed = Checkpoint.of_model(replace(random_checkpoint, weights=weights).model, random_checkpoint.config)
    with torch.no_grad():
        before, after = (c.model.complete(batch.inputs) for c in (random_checkpoint, changed))
    errors = ((after - batch.targets) ** 2 - (before - batch.targets) ** 2).double() * ~batch.observed
    sums, counts = errors.sum(1).numpy(), (~batch.observed).sum(1).numpy()
    paired = pooled_estimate(sums, counts)
    row = permuted.table("each").query("kind == 'all positions' and permutation == 0").iloc[0]
    found = row[["masked_delta", "masked_delta_low", "masked_delta_high"]].astype(float)
    assert found.to_numpy() == pytest.approx(np.array([paired.value, paired.low, paired.high]), rel=1e-3, abs=1e-6)


def test_one_of_many_permutations_has_no_interval_and_all_that_there_are_have_that_of_the_matrices():
    one = numbers(position_sensitivity(Checkpoint.untrained(small_config(), 0), 1, samples=8))
    assert np.isnan(one.loc["rows", ["masked_delta_low", "masked_delta_high"]].astype(float)).all()
    assert one.loc["transposition", "masked_delta_low"] < one.loc["transposition", "masked_delta_high"]
    few = small_config(task={"rows": 2, "cols": 2})
    whole = position_sensitivity(Checkpoint.untrained(few, 0), 8, samples=16)
    each, table = whole.table("each").query("kind == 'rows'"), numbers(whole)
    assert table.loc["rows", "n_permutations"] == len(each) == 1
    assert table.loc["rows", "masked_delta_low"] == each["masked_delta_low"].iloc[0]


def test_no_permutation_changes_nothing_and_data_too_only_rounding(random_checkpoint, permuted):
    table = numbers(permuted)
    none, together = table.loc["none"], table.loc["data too"]
    assert (none[["masked_delta", "masked_delta_low", "observed_delta", "masked_moved", "observed_moved"]] == 0).all()
    assert together["masked_moved"] < 1e-10
    assert abs(together["masked_delta"]) < 1e-6
    assert abs(together["observed_delta"]) < 1e-6
    assert table.loc["all positions", "masked_moved"] > 1e-3
    assert list(table["null"]) == ["no"] * 3 + ["on average"] * 2 + ["exactly"] * 2


def test_exchanged_rows_and_columns_leave_the_mean_errors_of_any_model(random_checkpoint):
    table = numbers(position_sensitivity(random_checkpoint, samples=300))
    for kind in ("rows", "columns"):
        row = table.loc[kind]
        assert row["masked_delta_low"] < 0 < row["masked_delta_high"]
        assert row["masked_moved"] > 1e-3


def test_a_model_that_knows_only_rows_is_blind_to_columns(random_checkpoint):
    by_row = random_checkpoint.weights[POSITIONS][::3].repeat_interleave(3, dim=0)
    table = numbers(position_sensitivity(with_weights(random_checkpoint, {POSITIONS: by_row}), 4, samples=16))
    for kind in ("columns", "column membership"):
        assert (table.loc[kind, ["masked_moved", "masked_delta", "observed_delta", "masked_spread"]] == 0).all()
    for kind in ("rows", "row membership", "all positions"):
        assert table.loc[kind, "masked_moved"] > 1e-3


def test_a_model_without_positions_is_blind_to_all():
    table = numbers(position_sensitivity(planted_copier(), 2, samples=16))
    assert (table[["masked_moved", "observed_moved", "masked_delta", "observed_delta"]] == 0).all(axis=None)
    assert "transposition" in table.index
    assert table.loc["rows", "masked_mse_clean"] == pytest.approx(table.loc["rows", "zero_mse"])


def test_a_square_is_transposed_and_a_rectangle_is_not(permuted):
    assert "transposition" not in permuted.facts["kinds"]
    square = position_sensitivity(Checkpoint.untrained(small_config(), 0), 1, samples=8)
    assert square.arrays["order transposition"][0].reshape(5, 5).T.ravel().tolist() == list(range(25))
    assert numbers(square).loc["transposition", "null"] == "on average"
    assert np.isnan(numbers(square).loc["rows", "masked_spread"])


def test_the_model_is_left_as_it_was(random_checkpoint):
    before = random_checkpoint.model.weights()[POSITIONS].clone()
    position_sensitivity(random_checkpoint, 1, samples=4)
    assert torch.equal(random_checkpoint.model.weights()[POSITIONS], before)
    assert not any(point._forward_hooks for point in random_checkpoint.model.hook_dict.values())


def test_the_result_survives_a_round_trip(permuted, random_checkpoint, tmp_path):
    permuted.save(tmp_path / "positions")
    stored = Result.load(tmp_path / "positions")
    assert stored.facts["axes"]["order rows"] == ["permutation", "position"]
    assert np.array_equal(stored.arrays["order rows"], permuted.arrays["order rows"])
    assert list(stored.table("positions")["kind"]) == list(permuted.table("positions")["kind"])
    again = position_sensitivity(random_checkpoint, n_permutations=2, samples=N, seed=SEED)
    assert again.table("positions").equals(permuted.table("positions"))


def test_too_few_samples_or_permutations_are_errors(random_checkpoint):
    with pytest.raises(InputError, match="at least 2 samples and 1 permutation of a kind, got 1 and 8"):
        position_sensitivity(random_checkpoint, samples=1)
    with pytest.raises(InputError, match="got 4 and 0"):
        position_sensitivity(random_checkpoint, 0, samples=4)


def row_and_col(order: np.ndarray, rows: int, cols: int) -> tuple[np.ndarray, np.ndarray]:
    return np.divmod(order.reshape(rows, cols), cols)


@pytest.mark.parametrize("shape", [(4, 3), (2, 2), (1, 4), (4, 1), (2, 5)])
def test_permutations_keep_what_they_promise(shape):
    rows, cols = shape
    generator = np.random.default_rng(0)
    kinds = {
        function: function(rows, cols, 12, generator)
        for function in (
            permutations.everything,
            permutations.whole_rows,
            permutations.whole_columns,
            permutations.within_columns,
            permutations.within_rows,
        )
    }
    for orders in kinds.values():
        assert len({tuple(order) for order in orders}) == len(orders)
        assert all(sorted(order) == list(range(rows * cols)) != list(order) for order in orders)
    for order in kinds[permutations.whole_rows]:
        row, col = row_and_col(order, rows, cols)
        assert (row == row[:, :1]).all()
        assert (col == np.arange(cols)).all()
    for order in kinds[permutations.whole_columns]:
        row, col = row_and_col(order, rows, cols)
        assert (col == col[:1]).all()
        assert (row == np.arange(rows)[:, None]).all()
    for order in kinds[permutations.within_columns]:
        row, col = row_and_col(order, rows, cols)
        assert (col == np.arange(cols)).all()
        assert not (row == row[:, :1]).all()
    for order in kinds[permutations.within_rows]:
        row, col = row_and_col(order, rows, cols)
        assert (row == np.arange(rows)[:, None]).all()
        assert not (col == col[:1]).all()


def test_small_matrices_have_few_permutations():
    generator = np.random.default_rng(0)
    assert len(permutations.whole_rows(2, 2, 8, generator)) == 1
    assert len(permutations.within_columns(2, 2, 8, generator)) == 2  # one column flipped, the other not
    assert len(permutations.within_rows(3, 1, 8, generator)) == 0
    assert permutations.whole_rows(1, 3, 8, generator) == []
    assert permutations.transposition(1, 1) == permutations.transposition(2, 3) == []
    assert len(permutations.everything(1, 1, 8, generator)) == 0
