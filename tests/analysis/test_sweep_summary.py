"""The summary of a sweep against planted curves and a slow computation from the files."""

from __future__ import annotations

import csv
import statistics
from pathlib import Path

import numpy as np
import pytest
from planted_sweep import PLATEAU, STEPS, plant_sweep
from slow_statistics import interval
from small_sweep import write_grid

from mcinterp.analysis import sweep_summary
from mcinterp.analysis.sweep import _RUN_COLUMNS, last_steps
from mcinterp.config import RunConfig
from mcinterp.errors import CheckpointError
from mcinterp.results import Result
from mcinterp.runs import load_sweep, run_sweep


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return plant_sweep(tmp_path_factory.mktemp("planted"))


@pytest.fixture(scope="module")
def summary(folder: Path) -> Result:
    return sweep_summary(folder)


def slow_interval(values: list[float]) -> tuple[float, float, float]:
    """Mean and 95 % interval, from the definition."""
    mean = statistics.fmean(values)
    return (mean, *interval(mean, np.array(values) - mean))


def slow_scores(path: Path) -> list[float]:
    with (path / "metrics.csv").open() as file:
        return [float(row["masked_mse"]) for row in csv.DictReader(file)]


def test_every_run_has_its_row(summary: Result) -> None:
    runs = summary.table("runs").set_index("run")
    assert list(runs["n_layers"]) == [1, 1, 1, 2, 2, 2]
    assert list(runs["seed"]) == [0, 1, 2, 0, 1, 2]
    assert list(runs["state"]) == [
        "finished",
        "failed: the loss became 1e+05 at step 501",
        "not started",
        "finished",
        "finished",
        "finished",
    ]
    assert list(runs["finished"]) == [True, False, False, True, True, True]
    assert list(runs["steps_done"]) == [STEPS, 500, 0, STEPS, STEPS, STEPS]
    assert list(runs["n"]) == [200, 50, 0, 200, 200, 200]
    assert summary.facts["states"] == {"finished": 4, "failed": 1, "not started": 1}
    assert runs["seconds"].iloc[3] == STEPS / 100


def test_drops_are_where_they_were_planted(summary: Result) -> None:
    runs = summary.table("runs").set_index("run")
    assert list(runs["found"]) == [False, False, False, True, True, True]
    for seed, drop in ((0, 2000), (1, 1800), (2, 1900)):
        row = runs.loc[f"n_layers=2,seed={seed}"]
        assert row["plateau"] == pytest.approx(PLATEAU, rel=0.02)
        assert row["start"] == pytest.approx(drop, abs=60)
        assert drop < row["steepest"] < row["end"]
        assert row["end"] == pytest.approx(drop + 200, abs=60)
    assert runs.loc["n_layers=1,seed=0", ["start", "steepest", "end"]].isna().all()


def test_last_scores_are_those_of_a_slow_computation(summary: Result, folder: Path) -> None:
    runs = summary.table("runs")
    for _, row in runs[runs["steps_done"] > 0].iterrows():
        expected = slow_interval(slow_scores(folder / row["run"])[-row["n"] :])
        assert row[["last_score", "last_score_low", "last_score_high"]].tolist() == pytest.approx(expected, rel=1e-9)
        assert row["share_of_plateau"] == pytest.approx(expected[0] / row["plateau"], rel=1e-9)
    assert runs[runs["steps_done"] == 0]["last_score"].isna().all()


def test_groups_average_finished_runs_over_seeds(summary: Result) -> None:
    runs, groups = summary.table("runs"), summary.table("groups").set_index("n_layers")
    deep = runs[runs["n_layers"] == 2]
    assert groups.loc[2, ["seed", "runs", "n", "dropped"]].tolist() == ["0 1 2", 3, 3, 3]
    assert groups.loc[1, ["seed", "runs", "n", "dropped"]].tolist() == ["0 1 2", 3, 1, 0]
    for name in ("steepest", "last_score", "share_of_plateau"):
        columns = [name, f"{name}_low", f"{name}_high"]
        assert groups.loc[2, columns].tolist() == pytest.approx(slow_interval(deep[name].tolist()), rel=1e-9)
    # One finished run: a mean without an interval, and no drop to average.
    assert groups.loc[1, "last_score"] == runs["last_score"][0]
    assert groups.loc[1, ["last_score_low", "last_score_high", "steepest", "steepest_low"]].isna().all()


def test_curves_average_every_step_once(summary: Result, folder: Path) -> None:
    curves = summary.table("curves")
    assert set(curves["run"]) == set(summary.table("runs").query("steps_done > 0")["run"])
    for name, rows in curves.groupby("run"):
        scores = slow_scores(folder / str(name))
        assert rows["n"].sum() == len(scores)
        assert len(rows) == 120
        begin = 0
        for _, row in rows.iterrows():
            part = scores[begin : begin + int(row["n"])]
            begin += int(row["n"])
            assert row[["score", "score_low", "score_high"]].tolist() == pytest.approx(slow_interval(part), rel=1e-9)
            assert row["step"] == begin - (len(part) - 1) / 2


def test_it_can_be_stored_and_read(summary: Result, tmp_path: Path) -> None:
    summary.save(tmp_path / "summary")
    stored = Result.load(tmp_path / "summary")
    assert stored.facts == summary.facts
    for name in summary.tables:
        expected = summary.table(name)
        assert stored.tables[name].columns == summary.tables[name].columns
        for column in expected.select_dtypes("number"):
            np.testing.assert_allclose(stored.table(name)[column], expected[column], rtol=1e-12)


def test_a_real_sweep_without_a_drop_or_other_seeds(tmp_path: Path) -> None:
    grid = write_grid(tmp_path / "grid.yaml", {"model.d_mlp": [16, 32]}, steps=40)
    run_sweep(load_sweep(grid), tmp_path / "out", device="cpu")
    summary = sweep_summary(tmp_path / "out")
    runs, groups = summary.table("runs"), summary.table("groups")
    assert runs.columns[:3].tolist() == ["run", "d_mlp", "seed"]
    assert runs["n"].tolist() == [last_steps(40)] * 2 == [4, 4]
    assert not runs["found"].any()
    assert groups["n"].tolist() == [1, 1]
    assert groups["seed"].tolist() == ["0", "0"]
    assert groups["last_score_low"].isna().all()
    assert groups["last_score"].tolist() == runs["last_score"].tolist()


def test_a_sweep_over_seeds_alone_is_one_group(tmp_path: Path) -> None:
    grid = write_grid(tmp_path / "grid.yaml", {"training.seed": [4, 9]}, steps=30)
    run_sweep(load_sweep(grid), tmp_path / "out", device="cpu")
    groups = sweep_summary(tmp_path / "out").table("groups")
    assert groups[["seed", "runs", "n"]].to_numpy().tolist() == [["4 9", 2, 2]]
    assert np.isfinite(groups["last_score_low"]).all()


def test_no_field_of_the_configuration_is_called_like_a_column() -> None:
    fields = {name for section in RunConfig().model_dump().values() for name in section or ()}
    assert fields & _RUN_COLUMNS.keys() == {"seed"}


def test_a_folder_without_a_sweep_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no sweep at"):
        sweep_summary(tmp_path)
