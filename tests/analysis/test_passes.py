"""Laws that the passes keep, their controls, and their errors."""

from __future__ import annotations

import numpy as np
import pytest

from mcinterp.analysis import PASSES, ablation, attention_maps, linear_probes, patching, select_passes
from mcinterp.analysis.passes.ablation import columns
from mcinterp.analysis.passes.probe_fits import smallest_solution
from mcinterp.errors import InputError, UsageError
from mcinterp.studies.matrix_completion.config import TaskConfig
from mcinterp.studies.matrix_completion.task.completion import MatrixCompletion

ABLATION_COLUMNS = [
    *("step", "group", "heads", "method", "n", "seed"),
    *(
        f"{name}_mse{which}{end}"
        for name in ("observed", "masked", "total")
        for which in ("_clean", "")
        for end in ("", "_low", "_high")
    ),
    "masked_ratio",
    *(f"{name}_delta{end}" for name in ("observed", "masked", "total") for end in ("", "_low", "_high")),
    *("masked_share", "masked_share_low", "masked_share_high", "masked_mse_zero", "masked_of_zero"),
]


@pytest.fixture(scope="module")
def ablated(random_checkpoint):
    return ablation(random_checkpoint, samples=16, seed=1)


def test_the_ablation_table_has_the_promised_columns(ablated):
    assert list(columns(MatrixCompletion(TaskConfig()))) == ABLATION_COLUMNS
    assert list(ablated.table("ablation").columns) == ABLATION_COLUMNS


def test_an_empty_ablation_changes_nothing(ablated):
    null = ablated.table("ablation").query("group == 'none'")
    assert len(null) == 4
    changes = [f"{name}_delta{end}" for name in ("observed", "masked", "total") for end in ("", "_low", "_high")]
    assert (null[changes] == 0).all(axis=None)
    assert (null["masked_ratio"] == 1).all()
    assert (null[["masked_share", "masked_of_zero"]] == 0).all(axis=None)


def test_every_head_all_and_none_are_ablated_by_every_method(ablated):
    table = ablated.table("ablation")
    heads = {f"L{layer}H{head}" for layer in range(2) for head in range(3)}
    for _, rows in table.groupby("method"):
        assert heads | {"all", "none"} <= set(rows["group"])


def test_head_sets_name_the_nearest_class(random_checkpoint):
    with pytest.raises(InputError, match="did you mean 'masked-row'"):
        ablation(random_checkpoint, ["maskedrow"], samples=8)
    with pytest.raises(InputError, match="no head L7H0"):
        ablation(random_checkpoint, ["L7H0"], samples=8)
    with pytest.raises(InputError, match="did you mean 'resample'"):
        ablation(random_checkpoint, ["all"], ["resampled"], samples=8)


@pytest.mark.parametrize("run", [attention_maps, ablation, patching, linear_probes])
def test_one_sample_is_an_error(random_checkpoint, run):
    with pytest.raises(InputError, match="2"):
        run(random_checkpoint, samples=1)


def test_patching_a_run_with_itself_changes_nothing(random_checkpoint):
    table = patching(random_checkpoint, samples=16).table("patching")
    clean = ablation(random_checkpoint, ["none"], ["zero"], samples=16).table("ablation").loc[0]
    own = table.query("group == 'self' and direction == '−X into X'").set_index("entries")
    assert own.loc["masked", "mse_to_base"] == clean["masked_mse_clean"]
    assert own.loc["observed", "mse_to_base"] == clean["observed_mse_clean"]


def test_patching_covers_all_layers_and_heads_both_ways(random_checkpoint):
    table = patching(random_checkpoint, samples=8).table("patching")
    counts = table.groupby("kind").size()
    assert counts.to_dict() == {"all": 4, "layer": 8, "head": 24, "control": 8}


def test_shuffled_targets_are_no_better_than_a_constant(random_checkpoint):
    table = linear_probes(random_checkpoint, samples=256, test_samples=128).table("probes")
    assert (table["control_mse"] > 0.95 * table["constant_mse"]).all()


def test_the_entry_is_read_off_the_embedding_where_observed_only(random_checkpoint):
    table = linear_probes(random_checkpoint, samples=512, test_samples=64).table("probes")
    entry = table.query("layer == 0 and target == 'entry'").set_index("entries")
    assert (entry["test_mse"] <= entry["test_mse_high"]).all()
    assert entry.loc["masked", "test_mse"] > 0.9 * entry.loc["masked", "constant_mse"]


def test_least_squares_is_that_of_numpy_and_shortest_when_columns_repeat():
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(50, 4)), generator.normal(size=(50, 2))
    assert smallest_solution(x.T @ x, x.T @ y) == pytest.approx(np.linalg.lstsq(x, y, rcond=None)[0])
    repeated = np.hstack([x, x[:, :1]])
    expected = np.linalg.lstsq(repeated, y, rcond=None)[0]
    assert smallest_solution(repeated.T @ repeated, repeated.T @ y) == pytest.approx(expected, abs=1e-6)


def test_passes_bring_those_they_need_and_name_the_nearest():
    assert [entry.name for entry in select_passes(["ablation"])] == ["taxonomy", "ablation"]
    assert [entry.name for entry in select_passes()] == list(PASSES)
    with pytest.raises(UsageError, match="did you mean 'probes'"):
        select_passes(["probe"])
