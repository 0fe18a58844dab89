"""The shifted laws: what they draw, what is measured on them, and the controls."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from planted import planted_copier
from slow_encoder import mse, run_slowly

from mcinterp.errors import InputError
from mcinterp.results import Result
from mcinterp.runs import Checkpoint
from mcinterp.studies.matrix_completion.config import TaskConfig
from mcinterp.studies.matrix_completion.passes.distribution_shift import (
    FRESH,
    TRAINING,
    _batch,
    _changed,
    distribution_shift,
)

N, SEED = 40, 5


def numbers(result: Result):
    return result.table("shift").set_index(["sweep", "condition"])


def checkpoint_of(**task: object) -> Checkpoint:
    return planted_copier(**task)


@pytest.fixture(scope="module")
def copied():
    """A model that copies and answers 0 at MASK, on entries far from the vocabulary's ends."""
    return distribution_shift(checkpoint_of(rows=5, cols=4, p_mask=0.22), samples=1200, seed=1)


@pytest.fixture(scope="module")
def shifted(random_checkpoint):
    return distribution_shift(random_checkpoint, samples=N, seed=SEED)


@pytest.mark.parametrize(
    ("condition", "changes"),
    [
        (("law", TRAINING), {}),
        (("law", "Gaussian factors"), {"factors": "gaussian", "factor_scale": 0.5}),
        (("law", "full rank"), {"factors": "full-rank"}),
        (("rank", "rank 1"), {"rank": 1}),
        (("p_mask", "p_mask 0.6"), {"p_mask": 0.6}),
    ],
)
def test_every_number_is_that_of_the_slow_encoder(random_checkpoint, shifted, condition, changes):
    row = numbers(shifted).loc[condition]
    task = _changed(random_checkpoint.config.task, out_of_range="clip", **changes)
    batch = _batch(task, False, N, SEED, int(row["n"]))
    seen, targets = batch.observed.numpy(), batch.targets.double().numpy()
    outputs = [run_slowly(random_checkpoint, sample).output for sample in batch.inputs.numpy()]
    assert row["n"] == (N if condition[0] == "law" else N // 2)
    assert row["observed_mse"] == pytest.approx(mse(outputs, targets, seen), rel=1e-5)
    assert row["masked_mse"] == pytest.approx(mse(outputs, targets, ~seen), rel=1e-5)
    zero = (targets[~seen] ** 2).mean()
    assert row["zero_mse"] == pytest.approx(zero)
    assert row["masked_ratio"] == pytest.approx(mse(outputs, targets, ~seen) / zero, rel=1e-5)
    base = (
        numbers(shifted).loc[("p_mask", "p_mask 0.3")] if condition[0] != "law" else numbers(shifted).loc["law"].iloc[0]
    )
    assert row["ratio_change"] == pytest.approx(row["masked_ratio"] - base["masked_ratio"], abs=1e-12)
    assert row["masked_ratio_low"] < row["masked_ratio"] < row["masked_ratio_high"]


def test_answering_zero_is_as_far_off_as_zero_is(copied):
    table = copied.table("shift")
    inside = table[table["n_clipped"] == 0]
    assert len(inside) > 20
    assert inside["masked_ratio"].to_numpy() == pytest.approx(1.0, abs=1e-9)
    assert inside["ratio_change"].to_numpy() == pytest.approx(0.0, abs=1e-9)
    assert (inside["observed_mse"] < 1e-9).all()


def test_each_law_has_the_variance_of_its_definition(copied):
    table = numbers(copied)
    expected = {
        ("law", TRAINING): 2 / 9,
        ("law", FRESH): 2 / 9,
        ("law", "Gaussian factors"): 2 * 0.25**2,
        ("law", "Laplace factors"): 2 * (2 * 0.25**2) ** 2,
        ("law", "full rank"): 1 / 3,
        **{("rank", f"rank {rank}"): rank / 9 for rank in range(1, 5)},
        **{("rank (variance kept)", f"rank {rank}"): 2 / 9 for rank in range(1, 5)},
    }
    for condition, variance in expected.items():
        assert table.loc[condition, "zero_mse"] == pytest.approx(variance, rel=0.12), condition


def test_the_sweeps_are_complete(copied):
    table = copied.table("shift")
    laws = [TRAINING, FRESH, "Gaussian factors", "Laplace factors", "full rank"]
    assert list(table.query("sweep == 'law'")["condition"]) == laws
    assert list(table.query("sweep == 'rank'")["rank"]) == [1, 2, 3, 4]
    expected = [0.1, 0.15, 0.2, 0.22, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6]
    assert list(table.query("sweep == 'p_mask'")["p_mask"]) == expected
    trained = set(zip(*(table.query("trained")[name] for name in ("sweep", "condition")), strict=True))
    assert trained == {
        ("law", TRAINING),
        ("law", FRESH),
        ("rank", "rank 2"),
        ("rank (variance kept)", "rank 2"),
        ("p_mask", "p_mask 0.22"),
    }


def test_another_training_law_is_compared_with_the_uniform_one():
    result = distribution_shift(checkpoint_of(factors="gaussian", factor_scale=0.5), samples=8)
    assert "uniform factors" in set(result.table("shift")["condition"])
    assert "Gaussian factors" not in set(result.table("shift")["condition"])
    full_rank = distribution_shift(checkpoint_of(factors="full-rank"), samples=8).table("shift")
    assert "full rank" not in set(full_rank["condition"])
    assert set(full_rank.query("sweep == 'rank'")["factors"]) == {"uniform"}
    assert not full_rank.query("sweep == 'rank'")["trained"].any()


def test_masks_are_shared_by_laws_and_nested_over_p_mask():
    task = TaskConfig(rows=5, cols=4, out_of_range="clip")
    plain = _batch(task, False, 50, 3, 50)
    for changes in ({"factors": "laplace"}, {"rank": 4}, {"factors": "full-rank"}):
        assert torch.equal(_batch(_changed(task, **changes), False, 50, 3, 50).observed, plain.observed)
    sparse = _batch(_changed(task, p_mask=0.6), False, 50, 3, 50)
    assert torch.equal(sparse.targets, plain.targets)
    assert not (sparse.observed & ~plain.observed).any()
    assert float(sparse.observed.float().mean()) == pytest.approx(0.4, abs=0.05)
    half = _batch(task, False, 50, 3, 25)
    assert torch.equal(half.inputs, plain.inputs[:25])
    fresh, other_seed = _batch(task, True, 50, 3, 50), _batch(task, False, 50, 4, 50)
    for other in (fresh, other_seed):
        assert not torch.equal(other.observed, plain.observed)
        assert not torch.equal(other.targets, plain.targets)


def test_the_training_law_differs_from_itself_by_sampling_only(random_checkpoint):
    table = numbers(distribution_shift(random_checkpoint, samples=400, seed=2))
    same, fresh = table.loc[("law", TRAINING)], table.loc[("law", FRESH)]
    assert (same[["ratio_change", "ratio_change_low", "ratio_change_high"]] == 0).all()
    assert fresh["ratio_change"] != 0
    assert fresh["ratio_change_low"] < 0 < fresh["ratio_change_high"]
    other = table.loc[("law", "Laplace factors")]
    assert other["ratio_change_low"] > 0  # large answers of an untrained model against small entries


def test_values_beyond_the_vocabulary_are_clipped_and_counted_and_stay_targets():
    narrow = checkpoint_of(rank=1, v_min=-1.0, v_max=1.0)
    row = numbers(distribution_shift(narrow, samples=200, seed=3)).loc[("rank", "rank 4")]
    batch = _batch(_changed(narrow.config.task, rank=4, out_of_range="clip"), False, 200, 3, 100)
    seen = batch.targets[batch.observed].double()
    beyond = seen.abs() > 1.0001
    assert row["n_clipped"] == int(beyond.sum()) > 0
    assert row["unseen"] == pytest.approx(float(beyond.double().mean()))
    # The copier answers the vocabulary's end, so that its error there is what was cut off.
    cut = (seen.abs() - 1).clamp_min(0).square().mean()
    assert row["observed_mse"] == pytest.approx(float(cut), rel=1e-5)


def test_values_that_training_never_draws_are_unseen_though_they_have_a_token():
    wide = checkpoint_of(rank=1)
    row = numbers(distribution_shift(wide, samples=200, seed=3)).loc[("rank", "rank 2")]
    batch = _batch(_changed(wide.config.task, rank=2), False, 200, 3, 100)
    assert row["n_clipped"] == 0
    assert row["unseen"] == pytest.approx(float((batch.targets[batch.observed].abs() > 1.001).double().mean()))
    assert row["unseen"] > 0


def test_laws_without_bounds_leave_nothing_unseen():
    table = distribution_shift(checkpoint_of(factors="gaussian", factor_scale=0.5), samples=40).table("shift")
    assert (table["unseen"] == 0).all()


def test_a_task_without_masked_entries_still_gives_the_other_sweeps():
    table = numbers(distribution_shift(checkpoint_of(p_mask=0.0), samples=8))
    assert np.isnan(table.loc[("law", TRAINING), "masked_mse"])
    assert np.isnan(table.loc[("p_mask", "p_mask 0.5"), "ratio_change"])
    assert table.loc[("p_mask", "p_mask 0.5"), "masked_ratio"] == pytest.approx(1.0)


def test_the_result_survives_a_round_trip(shifted, random_checkpoint, tmp_path):
    shifted.save(tmp_path / "shift")
    stored = Result.load(tmp_path / "shift").table("shift")
    assert stored["trained"].dtype == bool
    assert stored.to_dict("records") == shifted.table("shift").to_dict("records")
    assert distribution_shift(random_checkpoint, samples=N, seed=SEED).table("shift").equals(shifted.table("shift"))


def test_too_few_samples_are_an_error(random_checkpoint):
    with pytest.raises(InputError, match="at least 4, got 3"):
        distribution_shift(random_checkpoint, samples=3)
