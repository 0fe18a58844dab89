"""The sections of switching and of retrained components, made of real results and of forged numbers."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mcinterp.analysis import analyse, component_dynamics, model_switching
from mcinterp.report import write_report
from mcinterp.report.views import components as components_view
from mcinterp.report.views import switching as switching_view
from mcinterp.results import Result, Table
from mcinterp.runs import Run, retrain


@pytest.fixture(scope="module")
def folder(trained_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = Path(shutil.copytree(trained_folder, tmp_path_factory.mktemp("page") / "run"))
    retrain(path, "positions", steps=30, device="cpu")
    retrain(path, "mlp", steps=30, control=True, device="cpu")
    return path


@pytest.fixture(scope="module")
def switching(folder: Path) -> Result:
    return model_switching(Run(folder), samples=8)


@pytest.fixture(scope="module")
def components(folder: Path) -> Result:
    return component_dynamics(Run(folder), samples=8)


def edited(result: Result, name: str, change: dict[str, Any], **where: Any) -> Result:
    """The result with values of some rows of a table changed."""
    frame = result.table(name).copy()
    rows = np.logical_and.reduce([frame[column] == value for column, value in where.items()] or [frame.index >= 0])
    for column, value in change.items():
        frame[column] = frame[column].astype(object if isinstance(value, str) else float)
        frame.loc[rows, column] = value
    return replace(result, tables={**result.tables, name: Table(frame, result.tables[name].columns)})


def told(result: Result, change: dict[str, Any]) -> str:
    """The sentence about attention of the last checkpoint in the first."""
    where = {"direction": "after → before", "component": "attention-qkv", "entries": "masked"}
    return switching_view.sentences(edited(result, "pre_post", change, **where))[1]


def test_the_page_of_a_run_has_both_sections(folder: Path, tmp_path: Path) -> None:
    analyse(Run(folder), tmp_path, [], passes=["switching", "components"], samples=8)
    write_report(tmp_path)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert '<section id="switching"' in page
    assert '<section id="components"' in page
    assert page.count('data-plot="switching-figure-') == 5
    assert 'data-plot="components-figure-1"' in page
    for name in ("pre_post", "exchange", "exchangeable", "curves", "transitions", "times", "control"):
        assert f"{name}.csv" in page
    # 6 checkpoints × 9 rows in three sweeps stay in their file.
    assert len(page) < 400_000


def test_switching_sentences_follow_the_interval(switching: Result) -> None:
    numbers = {"recipient_mse": 0.1, "switched_mse": 0.04, "change": -0.06, "change_low": -0.07, "change_high": -0.05}
    moved = {"moved": 0.75, "moved_low": 0.625, "moved_high": 0.875}
    falls = told(switching, numbers | moved)
    assert falls.startswith(
        "Step 0 with attention-qkv of step 40 (n = 8 fresh matrices, seed 0): L_mask falls, 0.100 → 0.0400 (change "
        "−0.060 [−0.070, −0.050]), 75 [62, 88] % of the way to that of step 40; L_obs goes from "
    )
    assert ". With everything-but:attention: L_mask " in falls
    assert "L_mask rises" in told(switching, {"change_low": 0.01, "change_high": 0.02})
    assert "does not measurably change" in told(switching, {"change_low": -0.01, "change_high": 0.02})
    nan = float("nan")
    absent = told(switching, {"moved": nan, "moved_low": nan, "moved_high": nan})
    assert "of the way" not in absent.partition(" With ")[0]
    assert "nan" not in absent


def test_switching_says_its_batch_once(switching: Result) -> None:
    others, first, second, last = switching_view.sentences(switching)
    assert [text.count("n = 8 fresh matrices, seed 0") for text in (first, second, others, last)] == [1, 0, 0, 0]
    assert second.startswith("Step 40 with attention-qkv of step 0 (the same matrices): L_mask ")


def test_switching_says_whether_its_controls_hold(switching: Result) -> None:
    exact = "Controls: switching nothing changes nothing, and switching everything gives the donor, both exactly."
    assert exact in switching_view.sentences(switching)
    broken = edited(switching, "pre_post", {"change": 0.5}, kind="nothing")
    (sentence,) = (text for text in switching_view.sentences(broken) if "control" in text.lower())
    assert "The controls fail" in sentence
    assert "changes an MSE by 0.500" in sentence


def test_switching_tells_when_components_become_exchangeable(switching: Result) -> None:
    result = switching
    for name, step in (("tokens", 8.0), ("mlp", 8.0), ("positions", 17.0), ("read-out", float("nan"))):
        result = edited(result, "exchangeable", {"from_step": step}, component=name)
    others = [
        n for n in result.table("exchangeable")["component"] if n not in ("tokens", "mlp", "positions", "read-out")
    ]
    for name in others:
        result = edited(result, "exchangeable", {"from_step": 40.0}, component=name)
    sentence = switching_view.sentences(result)[0]
    assert "begin at step 8: mlp, tokens; step 17: positions; step 40: attention-qkv" in sentence
    assert sentence.endswith("the last step only: read-out.")
    assert "everything," not in sentence
    assert "5% of the error of answering 0 at masked entries" in sentence


def test_switching_of_a_single_checkpoint(folder: Path) -> None:
    result = model_switching(Run(folder), [40], samples=8)
    section = switching_view.view(result, {})
    assert section.sentences == ["There is one checkpoint only (step 40), so that every switch changes nothing."]
    assert len(section.figures) == 3
    json.loads(section.figures[2].figure.to_json())


def test_heat_maps_show_the_stored_changes(switching: Result) -> None:
    figures = switching_view.view(switching, {}).figures
    exchange, plateau = switching.table("exchange"), switching.facts["plateau"]
    for figure, comparison in zip(figures[:3], ("into the last", "later → earlier", "earlier → later"), strict=True):
        trace = json.loads(figure.figure.to_json())["data"][0]
        rows = exchange[exchange["comparison"] == comparison]
        expected = rows["change"].to_numpy().reshape(-1, 9).T / plateau
        assert np.array(trace["z"]) == pytest.approx(expected)
        assert trace["y"] == rows["component"].unique().tolist()
    ends = json.loads(figures[1].figure.to_json())["layout"]["xaxis"]["ticktext"]
    assert ends[0] == "40"


def test_the_drop_is_marked_where_there_is_one(switching: Result) -> None:
    training = Result("training", "Training", {}, {"transition": {"found": True, "start": 8, "end": 20}})
    texts = [
        annotation["text"]
        for figure in switching_view.view(switching, {"training": training}).figures[:3]
        for annotation in json.loads(figure.figure.to_json())["layout"]["annotations"]
    ]
    assert texts == ["drop starts", "drop ends"] * 3
    assert "annotations" not in json.loads(switching_view.view(switching, {}).figures[0].figure.to_json())["layout"]


def test_without_retrainings_the_command_is_named(trained: Run) -> None:
    result = component_dynamics(trained)
    training = Result("training", "Training", {}, {"run": "tiny"})
    section = components_view.view(result, {"training": training})
    assert "The command `mcinterp retrain tiny` does so" in section.absent
    assert not section.figures
    assert not section.tables
    broken = replace(result, facts={**result.facts, "left_out": ["mlp-seed1: it has not done a step"]})
    assert components_view.view(broken, {}).absent.endswith("Left out: mlp-seed1: it has not done a step.")


def test_components_are_told_in_the_order_of_their_drops(components: Result) -> None:
    nan = float("nan")
    row = {"n": 1, "found": 1, "reached_half": 1, "reached_fifth": 1}
    bounds = {f"{name}{end}": nan for name in ("start", "half_at", "fifth_at") for end in ("_low", "_high")}
    rows = [
        {
            "component": "whole model",
            "kind": "run",
            **row,
            **bounds,
            "start": 4260.5,
            "half_at": 5248.0,
            "fifth_at": 9e3,
        },
        {"component": "mlp", "kind": "component", **row, **bounds, "start": nan, "half_at": 50.0, "fifth_at": nan}
        | {"found": 0},
        {
            "component": "tokens",
            "kind": "component",
            **row,
            **bounds,
            "start": 198.0,
            "half_at": 306.0,
            "fifth_at": 551.0,
        },
        {"component": "positions", "kind": "component", **row, **bounds}
        | {"n": 3, "found": 2, "start": 1101.0, "start_low": 1000.0, "start_high": 1202.0, "half_at": 1633.0}
        | {"fifth_at": nan},
        {"component": "mlp", "kind": "control", **row, **bounds, "start": nan, "half_at": 50.0, "fifth_at": 50.0}
        | {"found": 0},
    ]
    times = Table.of(components.tables["times"].columns, rows)
    plateaus, levels, *_ = components_view.sentences(replace(components, tables={**components.tables, "times": times}))
    assert plateaus == (
        "Trained alone, these leave the run's plateau in a sudden drop, the latest first: positions at step "
        "1,101 [1,000, 1,202] (2 of 3 seeds), tokens at step 198; the whole model leaves it at step 4,260. Without a "
        "sudden drop from that plateau: mlp."
    )
    assert "mlp 50 and –; tokens 306 and 551; positions 1,633 and –; whole model 5,248 and 9,000." in levels


def test_a_drop_within_the_warm_up_is_told(components: Result) -> None:
    drop = {"found": 1.0, "from_run_plateau": 1.0, "start": 100.0, "warmup_steps": 500.0}
    result = edited(components, "transitions", drop, component="positions")
    texts = components_view.sentences(result)
    expected = "Within the 500 steps of warm-up, when the learning rate is still small: positions (seed 1)."
    assert expected in texts
    late = edited(result, "transitions", {"start": 501.0}, component="positions")
    assert not any("warm-up" in text for text in components_view.sentences(late))


def test_a_drop_from_another_level_is_told_apart(components: Result) -> None:
    drop = {"found": 1.0, "from_run_plateau": 0.0, "plateau": 0.0466, "start": 834.0, "warmup_steps": 900.0}
    texts = components_view.sentences(edited(components, "transitions", drop, component="positions"))
    expected = "A plateau at another level, with a drop from there: positions (seed 1) at 0.0466 until step 834."
    assert expected in texts
    assert not any("warm-up" in text for text in texts)
    assert not any("another level" in text for text in components_view.sentences(components))


def test_a_run_without_a_plateau_says_so(components: Result) -> None:
    first = components_view.sentences(components)[0]
    assert first == "The run itself has no plateau and drop that its components could be compared with."


def test_components_say_what_is_unfinished_and_whether_controls_hold(components: Result) -> None:
    texts = components_view.sentences(components)
    assert "Control: with the original component put back, every retrained model is the run's own, exactly." in texts
    assert any(text.startswith("Control: trained on without being re-initialised") and "mlp" in text for text in texts)
    result = edited(components, "transitions", {"done": 12.0}, component="positions")
    result = edited(result, "control", {"restored_change": -0.25}, component="positions")
    texts = components_view.sentences(result)
    assert any("Not finished: positions (seed 1, 12.0 of 30 steps)." in text for text in texts)
    assert any("The control fails" in text and "by up to 0.250" in text for text in texts)


def test_every_curve_is_drawn_and_drops_are_marked(components: Result) -> None:
    drop = {"found": 1.0, "start": 5.0, "steepest": 9.0, "end": 14.0}
    result = edited(components, "transitions", drop, component="positions")
    result = replace(result, facts={**result.facts, "plateau": 0.1})
    (figure,) = components_view.view(result, {}).figures
    traces = json.loads(figure.figure.to_json())["data"]
    lines = [trace["name"] for trace in traces if trace["mode"] == "lines"]
    assert lines == ["whole model", "mlp, not re-initialised", "positions, seed 1"]
    (marks,) = (trace for trace in traces if trace["mode"] == "markers")
    assert marks["x"] == [5, 9, 14]
    curve = components.table("curves").query("component == 'positions'")
    at = float(np.exp(np.interp(9, curve["step"], np.log(curve["masked_mse"]))))
    assert marks["y"][1] == pytest.approx(at)


def test_tables_hold_what_is_stored(components: Result) -> None:
    section = components_view.view(components, {})
    assert [len(table.rows) for table in section.tables] == [3, 3, 2]
    assert pd.isna(components.table("times")["start"]).all()
