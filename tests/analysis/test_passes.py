"""Laws that the passes keep, their controls, and their errors."""

from __future__ import annotations

import numpy as np
import pytest

from mcinterp.analysis import PASSES, ablation, attention_maps, linear_probes, patching, select_passes
from mcinterp.analysis.passes.ablation import columns, random_groups
from mcinterp.analysis.passes.probe_fits import smallest_solution
from mcinterp.errors import InputError, UsageError
from mcinterp.model import Head, HeadSet
from mcinterp.studies.matrix_completion.config import TaskConfig
from mcinterp.studies.matrix_completion.task.completion import MatrixCompletion

ABLATION_COLUMNS = [
    *("step", "group", "heads", "method", "n", "seed", "observed_mse_clean", "observed_mse", "masked_mse_clean"),
    *("masked_mse", "total_mse_clean", "total_mse", "masked_ratio", "masked_delta", "masked_delta_low"),
    "masked_delta_high",
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
    assert (null[["masked_delta", "masked_delta_low", "masked_delta_high"]] == 0).all(axis=None)
    assert (null["masked_ratio"] == 1).all()


def test_every_head_all_and_none_are_ablated_by_every_method(ablated):
    table = ablated.table("ablation")
    heads = {f"L{layer}H{head}" for layer in range(2) for head in range(3)}
    for _, rows in table.groupby("method"):
        assert heads | {"all", "none"} <= set(rows["group"])


def test_controls_have_the_same_size_in_the_same_layers():
    heads = HeadSet.parse("L0H0,L0H1,L1H3", 2, 4)
    groups = random_groups(heads, n_heads=4, count=8, seed=0)
    assert len(set(groups)) == 8
    assert heads.heads not in {group.heads for group in groups}
    assert {tuple(len(own) for own in group.by_layer().values()) for group in groups} == {(2, 1)}


def test_a_single_head_is_compared_with_the_others_of_its_layer():
    groups = random_groups(HeadSet.parse("L1H0", 2, 4), n_heads=4, count=10, seed=0)
    assert {group.heads[0] for group in groups} == {Head(1, 1), Head(1, 2), Head(1, 3)}


def test_all_heads_have_no_control(ablated):
    rows = ablated.table("control").query("kind == 'all'")
    assert set(rows["verdict"]) == {"no control of this size"}
    assert rows["excess"].isna().all()


def test_the_control_of_a_head_is_the_mean_of_the_others(random_checkpoint):
    result = ablation(random_checkpoint, ["L0H0", "L0H1", "L0H2"], ["zero"], samples=16)
    delta = result.table("ablation").set_index("group")["masked_delta"]
    control = result.table("control").set_index("group")
    assert control.loc["L0H0", "control_delta"] == pytest.approx((delta["L0H1"] + delta["L0H2"]) / 2)
    assert control.loc["L0H0", "excess"] == pytest.approx(delta["L0H0"] - control.loc["L0H0", "control_delta"])
    assert control["q_value"].between(control["p_value"] - 1e-12, 1).all()


def test_a_class_without_members_says_so(random_checkpoint):
    result = ablation(random_checkpoint, ["masked-row"], ["uniform"], samples=8)
    assert list(result.table("control")["verdict"]) == ["no head in this class"]


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
