"""What the passes find in a model that went through its drop: the trained run in tests/data/tiny.

The run was made by `mcinterp train --preset tiny`. Of its checkpoints one on the plateau, one where the drop is
steepest and the last are kept; its metrics are averaged over stretches of ten steps.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from mcinterp.analysis import ablation, class_members, head_taxonomy, linear_probes, patching
from mcinterp.config import load_preset
from mcinterp.runs import Run

TINY = Path(__file__).parents[1] / "data" / "tiny"


@pytest.fixture(scope="module")
def run():
    return Run(TINY)


@pytest.fixture(scope="module")
def before(run):
    return run.checkpoint("first")


@pytest.fixture(scope="module")
def after(run):
    return run.checkpoint("last")


@pytest.fixture(scope="module")
def taxonomy(after):
    return head_taxonomy(after)


def uniform(checkpoint, **arguments):
    return ablation(checkpoint, ["all"], ["uniform"], **arguments).table("ablation").loc[0]


def test_the_run_is_the_preset(run):
    assert run.config == load_preset("tiny")


def test_the_drop_lies_between_the_checkpoints(run):
    transition = run.transition
    first, middle, last = run.steps
    assert transition.found
    assert transition.confidence == "high"
    assert transition.plateau == pytest.approx(1 / 9, rel=0.05)
    assert first < transition.start < middle < last
    assert run.select_steps("auto") == run.steps


def test_masked_error_ends_at_a_fifth_of_the_plateau_or_less(run, after):
    row = ablation(after, ["none"], ["uniform"], samples=2048, seed=7).table("ablation").loc[0]
    assert row["masked_mse_clean"] <= 0.2 * run.transition.plateau


def test_before_the_drop_attention_hardly_matters(before):
    row = uniform(before)
    assert row["masked_ratio"] == pytest.approx(1, abs=0.05)
    assert row["observed_mse"] < 0.01


def test_after_the_drop_masked_entries_need_attention_and_observed_ones_do_not(run, after):
    row, plateau = uniform(after), run.transition.plateau
    assert row["masked_mse"] == pytest.approx(plateau, rel=0.25)
    assert row["observed_mse"] < 0.1 * plateau
    assert row["masked_delta_low"] > 0


def test_patching_all_heads_moves_masked_answers_to_the_source(after):
    table = patching(after, ["all"]).table("patching")
    masked = table.query("entries == 'masked' and kind == 'custom'")
    assert (masked["nearer_low"] > 0).all()
    observed = table.query("entries == 'observed' and kind == 'custom'")
    assert (observed["nearer_high"] < 0).all()


def test_patching_controls_are_null(after):
    table = patching(after, ["all"]).table("patching").query("entries == 'masked'")
    clean = uniform(after, samples=256)["masked_mse_clean"]
    own = table.query("group == 'self'")
    assert own["mse_to_base"].to_numpy() == pytest.approx([clean, clean], rel=0.2)
    assert (table.query("group == 'other matrix'")["nearer_low"] < 0).all()


def test_before_the_drop_patching_steers_nothing(before):
    table = patching(before, ["all"]).table("patching").query("kind == 'custom' and entries == 'masked'")
    assert (table["nearer"].abs() < 0.02).all()


def test_heads_find_their_classes_in_the_drop(before, taxonomy):
    fitting = class_members(taxonomy)
    assert sum(map(len, fitting.values())) > 0
    early = class_members(head_taxonomy(before))
    assert sum(map(len, early.values())) < sum(map(len, fitting.values()))


def test_the_entry_becomes_readable_with_depth(after):
    table = linear_probes(after, samples=512).table("probes").query("target == 'entry' and entries == 'masked'")
    by_layer = table.set_index("layer")
    last = by_layer.loc[by_layer.index.max()]
    assert last["test_mse_high"] < 0.5 * last["control_mse_low"]
    assert by_layer.loc[0, "test_mse"] > 0.9 * by_layer.loc[0, "constant_mse"]
