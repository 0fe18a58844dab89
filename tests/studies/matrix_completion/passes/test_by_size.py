"""Errors by size against a slow count on the entries alone, and every pass on a model of several sizes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from slow_encoder import mse, run_slowly

from mcinterp.analysis import PASSES
from mcinterp.config import RunConfig
from mcinterp.errors import InputError
from mcinterp.results import Result
from mcinterp.runs import Checkpoint
from mcinterp.studies.matrix_completion.config import ModelConfig, TaskConfig
from mcinterp.studies.matrix_completion.passes.by_size import errors_by_size

SIZES = ((4, 3), (3, 4), (5, 4))
N, SEED = 12, 3


@pytest.fixture(scope="module")
def mixed() -> Checkpoint:
    """An untrained model of three sizes with large weights, so that its attention is far from uniform."""
    config = RunConfig(
        task=TaskConfig(rows=5, cols=4, rank=2, v_min=-3.0, v_max=3.0, sizes=SIZES),
        model=ModelConfig(n_layers=2, n_heads=3, d_model=12, d_mlp=24, init_std=0.5),
    )
    return Checkpoint.untrained(config, seed=3)


@pytest.fixture(scope="module")
def result(mixed: Checkpoint) -> Result:
    return errors_by_size(mixed, samples=N, seed=SEED)


@pytest.mark.parametrize("size", SIZES)
def test_errors_are_those_of_the_slow_encoder_on_the_entries_alone(
    mixed: Checkpoint, result: Result, size: tuple[int, int]
) -> None:
    rows, cols = size
    positions = [row * 4 + col for row in range(rows) for col in range(cols)]
    weights = dict(mixed.weights)
    weights["embed.pos_embed.W_pos"] = weights["embed.pos_embed.W_pos"][positions]
    own = replace(mixed, weights=weights)
    # The matrices of the full grid are the same, and their blocks are the smaller ones.
    batch = mixed.sample(N, SEED)
    tokens, targets, seen = (x[:, positions].numpy() for x in (batch.inputs, batch.targets, batch.observed))
    outputs = [run_slowly(own, sample).output for sample in tokens]
    zeros = [np.zeros_like(output) for output in outputs]
    table = result.table("sizes")
    for entries, where in (("masked", ~seen), ("observed", seen)):
        row = table[(table["size"] == f"{rows} × {cols}") & (table["entries"] == entries)].iloc[0]
        assert row["mse"] == pytest.approx(mse(outputs, targets, where), rel=1e-4)
        assert row["zero_mse"] == pytest.approx(mse(zeros, targets, where), rel=1e-5)
        assert row["gain"] == pytest.approx(row["zero_mse"] - row["mse"], abs=1e-6)
        assert row["mse_low"] < row["mse"] < row["mse_high"]
        assert row["gain_low"] < row["gain"] < row["gain_high"]
        assert (row["n"], row["seed"], row["trained"]) == (N, SEED, True)


def test_the_control_is_null_and_absent_where_there_is_no_padding(result: Result) -> None:
    table = result.table("sizes").set_index("size")["padding_difference"]
    assert table["5 × 4"].isna().all()
    for size in ("4 × 3", "3 × 4"):
        assert (table[size] >= 0).all()
        assert (table[size] < 1e-5).all()


def test_the_control_sees_padding_that_leaks(mixed: Checkpoint) -> None:
    leaky = replace(mixed)
    leaky.model.pad_token = None
    leaks = errors_by_size(leaky, sizes=[(4, 3)], samples=N).table("sizes")["padding_difference"]
    assert (leaks > 0.01).all()


def test_other_sizes_can_be_asked_for(mixed: Checkpoint) -> None:
    table = errors_by_size(mixed, sizes=[(2, 4), (4, 3)], samples=N).table("sizes")
    assert table["size"].tolist() == ["2 × 4"] * 2 + ["4 × 3"] * 2
    assert table["trained"].tolist() == [False] * 2 + [True] * 2
    with pytest.raises(InputError, match="a 6 × 4 matrix does not fit"):
        errors_by_size(mixed, sizes=[(6, 4)])
    with pytest.raises(InputError, match="samples must be at least 2, got 1"):
        errors_by_size(mixed, samples=1)


def test_a_model_of_one_size_has_one_row_an_entry(random_checkpoint: Checkpoint) -> None:
    result = errors_by_size(random_checkpoint, samples=N)
    table = result.table("sizes")
    assert table["size"].tolist() == ["4 × 3"] * 2
    assert table["padding_difference"].isna().all()
    assert result.facts["trained_sizes"] == ["4 × 3"]
    with pytest.raises(InputError, match="no token to pad 3 × 3 ones with"):
        errors_by_size(random_checkpoint, sizes=[(3, 3)])


def test_without_masked_entries_there_is_no_masked_error(mixed: Checkpoint) -> None:
    task = mixed.config.task.model_copy(update={"p_mask": 0.0})
    everything = replace(mixed, config=mixed.config.model_copy(update={"task": task}))
    table = errors_by_size(everything, samples=N).table("sizes").set_index("entries")
    assert table.loc["masked", ["mse", "zero_mse", "gain"]].isna().all(axis=None)
    assert table.loc["observed", ["mse", "zero_mse", "gain"]].notna().all(axis=None)


def test_the_result_is_stored_and_read_back(result: Result, tmp_path: Path) -> None:
    result.save(tmp_path / "sizes")
    again = Result.load(tmp_path / "sizes")
    assert (again.settings, again.facts) == (result.settings, result.facts)
    assert again.table("sizes").equals(result.table("sizes"))


@pytest.mark.parametrize("name", ["attention", "patching", "probes"])
def test_passes_give_the_numbers_of_a_task_of_the_largest_size(mixed: Checkpoint, name: str) -> None:
    task = TaskConfig(**{**mixed.config.task.model_dump(), "sizes": None})
    single = replace(mixed, config=RunConfig(task=task, model=mixed.config.model))
    single.__dict__["model"] = mixed.model
    result, expected = (PASSES[name].run(checkpoint, {}, 24, 0) for checkpoint in (mixed, single))
    assert result.tables
    for key, table in result.tables.items():
        assert table.frame.equals(expected.table(key)), key
    for key, array in result.arrays.items():
        np.testing.assert_array_equal(array, expected.arrays[key])


def test_heads_are_scored_on_the_largest_size(mixed: Checkpoint) -> None:
    # The control is an untrained model of the same sizes, so that a smaller vocabulary would give other weights.
    scores = PASSES["taxonomy"].run(mixed, {}, 24, 0).table("scores")
    identity = scores[(scores["head"] == "L0H0") & (scores["class"] == "identity")].iloc[0]
    _, cache = mixed.model.run_with_cache(mixed.sample(24, 0).inputs)
    own = cache["blocks.0.attn.hook_pattern"][:, 0].diagonal(dim1=1, dim2=2).mean().item()
    assert identity["score"] == pytest.approx((own - 1 / 20) / (1 - 1 / 20), rel=1e-4)


def test_ablation_looks_at_the_largest_size(mixed: Checkpoint) -> None:
    earlier = {"taxonomy": PASSES["taxonomy"].run(mixed, {}, 16, 0)}
    table = PASSES["ablation"].run(mixed, earlier, 16, 0).table("ablation")
    batch = mixed.sample(16, 0)
    assert batch.present is None
    clean = mixed.task.scores(mixed.model.complete(batch.inputs), batch)
    np.testing.assert_allclose(table["masked_mse_clean"], clean["masked_mse"].item(), rtol=1e-5)
    uniform = table[(table["method"] == "uniform") & (table["group"] == "all")].iloc[0]
    assert uniform["masked_mse"] != pytest.approx(uniform["masked_mse_clean"], rel=1e-4)


def test_the_same_seed_gives_the_same_numbers(mixed: Checkpoint, result: Result) -> None:
    assert errors_by_size(mixed, samples=N, seed=SEED).table("sizes").equals(result.table("sizes"))
    assert not errors_by_size(mixed, samples=N, seed=SEED + 1).table("sizes").equals(result.table("sizes"))
