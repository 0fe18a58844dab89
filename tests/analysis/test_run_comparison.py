"""Several runs aligned at their drops: planted curves whose drops are known, and runs without one."""

from __future__ import annotations

import statistics
from pathlib import Path

import numpy as np
import pytest
from planted_runs import plant_run
from planted_sweep import PLATEAU, planted_curve
from scipy import stats
from small_run import small_config

from mcinterp.analysis import compare_runs
from mcinterp.config import load_preset
from mcinterp.errors import InputError
from mcinterp.results import Result
from mcinterp.runs import Run

DROPS = {"one": (2000, 0.02), "two": (1800, 0.01), "three": (2300, 0.02), "flat": (None, PLATEAU)}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    folder = tmp_path_factory.mktemp("aligned")
    return [
        plant_run(folder / name, planted_curve(drop, last, seed), seed)
        for seed, (name, (drop, last)) in enumerate(DROPS.items())
    ]


@pytest.fixture(scope="module")
def found(runs: list[Run]) -> Result:
    return compare_runs(runs, samples=4)


def test_every_run_has_its_drop(found: Result, runs: list[Run]) -> None:
    table = found.table("runs").set_index("run")
    assert list(table.index) == list(DROPS)
    assert list(table["found"]) == [True, True, True, False]
    assert list(table["seed"]) == [0, 1, 2, 3]
    for run in runs:
        row, expected = table.loc[run.name], run.transition
        for name in ("plateau", "start", "steepest", "end", "level_after"):
            assert row[name] == pytest.approx(getattr(expected, name), nan_ok=True)
        if expected.found:
            assert row["steepest"] == pytest.approx(DROPS[run.name][0] + 100, abs=110)
            assert row["duration"] == pytest.approx(expected.end - expected.start)
    assert found.facts["dropped"] == ["one", "two", "three"]
    assert "no drop" in found.facts["statements"]["flat"]


def test_averages_leave_out_the_run_without_a_drop(found: Result) -> None:
    table = found.table("runs").query("found")
    for row in found.table("averages").to_dict("records"):
        values = table[row["quantity"]].tolist()
        half = stats.t.ppf(0.975, 2) * statistics.stdev(values) / np.sqrt(3)
        mean = statistics.fmean(values)
        assert row["n"] == 3
        assert (row["value"], row["value_low"], row["value_high"]) == pytest.approx((mean, mean - half, mean + half))
        assert (row["lowest"], row["highest"]) == (min(values), max(values))


def test_curves_are_means_of_the_measurements(found: Result, runs: list[Run]) -> None:
    table, width = found.table("curves"), found.facts["width"]
    assert width == 13
    for run in runs:
        metrics = run.metrics
        own = table[(table["run"] == run.name) & (table["score"] == "masked_mse")]
        assert own["n"].sum() == len(metrics)
        for row in own.iloc[[1, len(own) // 2, -2]].to_dict("records"):
            near = metrics[(metrics["step"] - row["step"]).abs() <= (width - 1) / 2]
            assert row["value"] == pytest.approx(near["masked_mse"].mean())
        if run.name == "flat":
            assert own["aligned_step"].isna().all()
        else:
            assert (own["step"] - own["aligned_step"]).unique() == pytest.approx([round(run.transition.steepest)])
    assert set(table["score"]) == {"masked_mse", "loss", "observed_mse", "masked_abs_mean"}


def test_the_mean_is_over_the_runs_that_drop(found: Result) -> None:
    curves = found.table("curves").query("score == 'masked_mse' and run != 'flat'")
    mean = found.table("aligned").query("score == 'masked_mse'")
    assert (mean["n"] == 3).all()
    for row in mean.iloc[::40].to_dict("records"):
        logs = np.log(curves[curves["aligned_step"] == row["aligned_step"]]["value"])
        assert len(logs) == 3
        low, high = stats.t.interval(0.95, 2, logs.mean(), stats.sem(logs))
        expected = np.exp([logs.mean(), low, high])
        assert [row["value"], row["value_low"], row["value_high"]] == pytest.approx(expected)
    # The plateau before, the lower level after.
    ends = mean.sort_values("aligned_step")["value"].iloc[[5, -5]].tolist()
    assert ends == pytest.approx([PLATEAU, (0.02 * 0.01 * 0.02) ** (1 / 3)], rel=0.05)


def test_aligning_makes_shifted_curves_alike(found: Result, runs: list[Run], tmp_path: Path) -> None:
    assert 1 < found.facts["spread"]["aligned"] < found.facts["spread"]["by_step"]
    same = planted_curve(1500, 0.02, 0)
    later = np.concatenate([planted_curve(None, 0.02, 9, 640), same[:-640]])
    pair = [plant_run(tmp_path / "a", same, 0), plant_run(tmp_path / "b", later, 1)]
    shifted = compare_runs(pair, samples=0)
    # The detector's stretches, 10 steps long here, are all that is between a shift and what is found of it.
    steepest = shifted.table("runs")["steepest"]
    assert steepest[1] - steepest[0] == pytest.approx(640, abs=10)
    assert shifted.facts["spread"]["aligned"] < 1.1 < 1.3 < shifted.facts["spread"]["by_step"]


def test_two_runs_have_no_band(runs: list[Run]) -> None:
    found = compare_runs(runs[:2], samples=0)
    assert (found.table("averages")["n"] == 2).all()
    assert found.table("averages")[["value_low", "value_high"]].isna().all(axis=None)
    mean = found.table("aligned")
    assert len(mean) > 100
    assert mean["value"].notna().all()
    assert mean[["value_low", "value_high"]].isna().all(axis=None)


@pytest.mark.parametrize("which", [[3, 0], [0, 3]])
def test_one_drop_is_nothing_to_align(runs: list[Run], which: list[int]) -> None:
    found = compare_runs([runs[index] for index in which], samples=0)
    assert found.table("aligned").empty
    assert (found.table("averages")["n"] == 1).all()
    assert found.table("averages")["value_low"].isna().all()
    assert found.facts["spread"] == {}


def test_classes_are_counted_at_checkpoints(found: Result, runs: list[Run]) -> None:
    table = found.table("classes")
    assert set(table["run"]) == set(DROPS)
    assert (table["step"] == 4000).all()
    totals = table.groupby(["run", "kind"])["share"].sum()
    assert totals.tolist() == pytest.approx([1.0] * 8)
    assert (table.groupby(["run", "kind"])["heads"].sum() == 4).all()
    assert compare_runs(runs[:2], samples=0).table("classes").empty


def test_differing_fields_are_named(found: Result) -> None:
    fields = found.table("fields")
    assert fields[["run", "field", "first", "own"]].to_numpy().tolist() == [
        ["two", "training.seed", "0", "1"],
        ["three", "training.seed", "0", "2"],
        ["flat", "training.seed", "0", "3"],
    ]


def test_a_task_without_heads_has_curves(tmp_path: Path) -> None:
    config = load_preset("delayed-switch", ["training.steps=400"])
    runs = [plant_run(tmp_path / name, planted_curve(200, 0.02, 0, 400), 0, config) for name in ("a", "b")]
    found = compare_runs(runs)
    assert found.table("classes").empty
    assert len(found.table("curves")) > 0


def test_what_cannot_be_compared_is_refused(runs: list[Run], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least two runs"):
        compare_runs(runs[:1])
    with pytest.raises(InputError, match="is given twice"):
        compare_runs([runs[0], runs[1], Run(runs[0].path)])
    with pytest.raises(InputError, match="as many labels"):
        compare_runs(runs[:2], labels=["a"])
    config = load_preset("delayed-switch", ["training.steps=400"])
    switch = plant_run(tmp_path / "switch", planted_curve(200, 0.02, 0, 400), 0, config)
    with pytest.raises(
        InputError, match=r"one is asked matrix-completion and switch delayed-switch: runs of two kinds"
    ):
        compare_runs([runs[0], switch])


def test_runs_of_the_same_name_are_told_apart(tmp_path: Path) -> None:
    curve = planted_curve(100, 0.02, 0, 200)
    same = [plant_run(tmp_path / folder / "run", curve, 0) for folder in ("a", "b")]
    found = compare_runs(same, samples=0)
    assert found.facts["runs"] == [str(run.path) for run in same]
    assert small_config().training.seed == 0


def test_it_is_stored_and_read(found: Result, tmp_path: Path) -> None:
    found.save(tmp_path / "r")
    again = Result.load(tmp_path / "r")
    assert again.facts == found.facts
    for name in found.tables:
        assert again.table(name).shape == found.table(name).shape
