"""The token intervention against the numpy encoder, on a model that copies by hand, and its errors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from planted import planted_copier, with_weights
from slow_encoder import mse, run_slowly

from mcinterp.config import RunConfig
from mcinterp.errors import InputError
from mcinterp.results import Result
from mcinterp.runs import Checkpoint
from mcinterp.studies.matrix_completion.config import TaskConfig
from mcinterp.studies.matrix_completion.passes.token_intervention import FULL_RANK, OWN, _inputs, token_intervention
from mcinterp.studies.matrix_completion.task.matrices import sample_matrices
from mcinterp.studies.matrix_completion.task.tokens import value_token

N, SEED = 10, 5


def numbers(result: Result):
    return result.table("tokens").set_index(["input", "token"])


def test_a_model_that_copies_answers_the_constant_everywhere():
    table = numbers(token_intervention(planted_copier(), [None, 0.44, -0.24, 2.5], samples=64))
    assert len(table) == 8
    assert (table["value_mse"] < 1e-12).all()
    assert (table["observed_mse"] < 1e-12).all()
    assert (table["observed_change"].abs() < 1e-12).all()
    expected = (table["value"] ** 2).to_numpy()  # where MASK stands the copier answers 0
    assert table["copied"].to_numpy() == pytest.approx(expected, abs=1e-6)
    own = table.loc[(OWN, "MASK")]
    assert own["masked_mse"] == pytest.approx(own["zero_mse"])


def test_a_model_blind_to_tokens_copies_nothing(random_checkpoint):
    blind = with_weights(random_checkpoint, {}, zero=("W_E",))
    table = numbers(token_intervention(blind, samples=16))
    assert (table[["copied", "copied_low", "copied_high", "observed_change"]] == 0).all(axis=None)
    assert (table["value_mse"] == table["control_mse"]).all()
    assert (table["value_mse"] > 0.01).all()


@pytest.mark.parametrize("kind", [OWN, FULL_RANK])
def test_every_number_is_that_of_the_slow_encoder(random_checkpoint, kind):
    row = numbers(token_intervention(random_checkpoint, [None, 0.44], samples=N, seed=SEED)).loc[(kind, "value 0.44")]
    batch = _inputs(random_checkpoint, N, SEED)[kind]
    seen, targets, tokens = batch.observed.numpy(), batch.targets.double().numpy(), batch.inputs.numpy()
    replaced = np.where(seen, tokens, value_token(0.44, random_checkpoint.config.task))
    clean = [run_slowly(random_checkpoint, sample).output for sample in tokens]
    outputs = [run_slowly(random_checkpoint, sample).output for sample in replaced]
    constant = np.full_like(targets, 0.44)
    assert row["observed_mse"] == pytest.approx(mse(outputs, targets, seen), rel=1e-5)
    assert row["value_mse"] == pytest.approx(mse(outputs, constant, ~seen), rel=1e-5)
    assert row["control_mse"] == pytest.approx(mse(clean, constant, ~seen), rel=1e-5)
    assert row["masked_mse"] == pytest.approx(mse(outputs, targets, ~seen), rel=1e-5)
    assert row["zero_mse"] == pytest.approx((targets[~seen] ** 2).mean())
    assert row["gained"] == pytest.approx(row["zero_mse"] - row["masked_mse"], abs=1e-9)
    assert row["copied"] == pytest.approx(mse(clean, constant, ~seen) - mse(outputs, constant, ~seen), rel=1e-4)
    change = mse(outputs, targets, seen) - mse(clean, targets, seen)
    assert row["observed_change"] == pytest.approx(change, abs=1e-6)
    assert row["observed_change_low"] < change < row["observed_change_high"]
    assert (row["n"], row["seed"]) == (N, SEED)


def test_mask_in_the_place_of_mask_changes_nothing(random_checkpoint):
    table = token_intervention(random_checkpoint, samples=16).table("tokens").query("token == 'MASK'")
    assert list(table["input"]) == [OWN, FULL_RANK]
    columns = ["copied", "copied_low", "copied_high", "observed_change", "observed_change_low", "observed_change_high"]
    assert (table[columns] == 0).all(axis=None)
    assert (table["value"] == 0).all()


def test_both_inputs_have_the_same_masks_and_full_rank_means_it(random_checkpoint):
    inputs = _inputs(random_checkpoint, 400, SEED)
    own, full = inputs[OWN], inputs[FULL_RANK]
    assert torch.equal(own.observed, full.observed)
    assert torch.equal(own.inputs, random_checkpoint.sample(400, SEED).inputs)
    assert (np.linalg.matrix_rank(full.targets.double().numpy().reshape(-1, 4, 3)) == 3).all()
    assert full.targets.abs().max() <= 1
    assert float(full.targets.square().mean()) == pytest.approx(1 / 3, rel=0.05)
    law = TaskConfig(rows=4, cols=3, factors="full-rank")
    other_stream = sample_matrices(law, 400, torch.Generator().manual_seed(SEED + 1))
    assert torch.equal(full.targets, other_stream.flatten(1))


def test_constants_are_measured_once_and_in_order(random_checkpoint):
    table = token_intervention(random_checkpoint, [0.5, None, 0.5], samples=8).table("tokens")
    assert list(table["token"]) == ["value 0.5", "MASK"] * 2


@pytest.mark.parametrize("value", [0.445, 3.01, -17, float("nan"), float("inf")])
def test_a_value_without_token_is_one_clear_sentence(random_checkpoint, value):
    with pytest.raises(
        InputError, match=r"has no token; the vocabulary holds -3 to 3 in steps of 0\.01, and None stands"
    ):
        token_intervention(random_checkpoint, [None, value], samples=8)


def test_a_value_without_token_is_refused_even_where_inputs_are_clipped(random_checkpoint):
    clipping = TaskConfig(**{**random_checkpoint.config.task.model_dump(), "out_of_range": "clip"})
    checkpoint = replace(random_checkpoint, config=RunConfig(task=clipping, model=random_checkpoint.config.model))
    with pytest.raises(InputError, match="has no token"):
        token_intervention(checkpoint, [4.0], samples=8)


def test_no_constants_and_one_sample_are_errors(random_checkpoint):
    with pytest.raises(InputError, match="got none"):
        token_intervention(random_checkpoint, [], samples=8)
    with pytest.raises(InputError, match="at least 2, got 1"):
        token_intervention(random_checkpoint, samples=1)


def test_the_default_constants_follow_the_vocabulary():
    coarse = planted_copier(decimals=1, v_min=-0.2, v_max=0.3, rank=1, out_of_range="clip")
    result = token_intervention(coarse, samples=16)
    assert result.facts["constants"] == [None, -0.2]
    full_rank = result.table("tokens").query("input == 'full rank'")
    assert (full_rank["n_clipped"] > 0).all()


def test_a_task_without_masked_entries_has_no_errors_there():
    copier = planted_copier(p_mask=0.0)
    table = token_intervention(copier, samples=8).table("tokens")
    assert table["value_mse"].isna().all()
    assert (table["observed_mse"] < 1e-12).all()


def test_the_result_survives_a_round_trip(random_checkpoint, tmp_path):
    result = token_intervention(random_checkpoint, [0.44], samples=8, seed=2)
    result.save(tmp_path / "tokens")
    stored = Result.load(tmp_path / "tokens")
    assert stored.table("tokens").to_dict("records") == result.table("tokens").to_dict("records")
    again = token_intervention(random_checkpoint, [0.44], samples=8, seed=2)
    assert again.table("tokens").equals(result.table("tokens"))


def test_the_checkpoint_is_left_as_it_was(random_checkpoint: Checkpoint):
    before = {name: weight.clone() for name, weight in random_checkpoint.model.weights().items()}
    token_intervention(random_checkpoint, samples=8)
    assert all(torch.equal(weight, before[name]) for name, weight in random_checkpoint.model.weights().items())
