"""The section on matrix sizes: sentences from the numbers, in both directions, and rows of the table of changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mcinterp.analysis import analyse, training_summary
from mcinterp.config import RunConfig
from mcinterp.report import write_report
from mcinterp.report.numbers import interval, number
from mcinterp.report.views.training import run_facts
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint, Run
from mcinterp.studies.matrix_completion.config import ModelConfig, TaskConfig
from mcinterp.studies.matrix_completion.figures.sizes import sizes_figure
from mcinterp.studies.matrix_completion.passes.by_size import errors_by_size
from mcinterp.studies.matrix_completion.views.sizes import rows, sentences, view

TWO, THREE = "2\u00a0×\u00a02", "3\u00a0×\u00a03"
MODEL = ModelConfig(n_layers=1, n_heads=2, d_model=8, d_mlp=16, init_std=0.3)


def checkpoint(**task: object) -> Checkpoint:
    config = TaskConfig(**{"rows": 3, "cols": 4, "rank": 1, "v_min": -2.0, "v_max": 2.0, **task})
    return Checkpoint.untrained(RunConfig(task=config, model=MODEL), seed=2)


@pytest.fixture(scope="module")
def result() -> Result:
    return errors_by_size(checkpoint(sizes=((2, 2), (3, 3), (3, 4))), samples=20)


def changed(result: Result, row: int, **values: float) -> Result:
    """The same with other numbers in one row."""
    table = result.tables["sizes"]
    frame = table.frame.copy()
    for name, value in values.items():
        frame.loc[row, name] = value
    return replace(result, tables={"sizes": Table(frame, table.columns)})


def test_the_sentences_are_the_numbers(result: Result) -> None:
    first, control, others = sentences(result)
    row = result.table("sizes").iloc[0]
    assert first.startswith("L_mask (n = 20 fresh matrices, seed 0, of each size) is ")
    assert f"{interval(row['mse'], row['mse_low'], row['mse_high'])} on {TWO} matrices, " in first
    assert f"answering 0 ({number(row['zero_mse'])}); " in first
    assert first.index(TWO) < first.index(THREE)
    assert control.startswith("Control: padding changes no answer beyond rounding (by at most ")
    assert others == "The other sections look at matrices without padding, 3\u00a0×\u00a04."


def test_the_verdict_follows_the_interval(result: Result) -> None:
    for low, high, words in ((0.1, 0.2, "better than"), (-0.2, -0.1, "worse than"), (-0.1, 0.1, "not told apart from")):
        text = sentences(changed(result, 0, gain_low=low, gain_high=high))[0]
        assert f", {words} answering 0" in text.split(";")[0]


def test_padding_that_leaks_is_said(result: Result) -> None:
    text = sentences(changed(result, 2, padding_difference=0.25))[1]
    assert text.startswith("Control failed: padding changes answers by up to 0.25")


def test_absent_values_are_said(result: Result) -> None:
    nan = float("nan")
    absent = changed(result, 0, mse=nan, mse_low=nan, mse_high=nan, gain=nan, gain_low=nan, gain_high=nan)
    assert f"not defined on {TWO} matrices, which have no masked entry; " in sentences(absent)[0]
    assert view(absent, {}).figures[0].json
    assert rows({5: {"sizes": absent}})[0][3][0].text == "–"


def test_sizes_that_were_not_trained_on_are_named() -> None:
    crossed = checkpoint(sizes=((2, 4), (3, 2)))
    texts = sentences(errors_by_size(crossed, sizes=[(2, 4), (3, 3)], samples=20))
    assert " on 2\u00a0×\u00a04 matrices, " in texts[0]
    assert f" on {THREE} matrices (not trained on), " in texts[0]
    assert texts[2].endswith("without padding, 3\u00a0×\u00a04, a size that the model was not trained on.")


def test_one_size_has_a_sentence_and_a_table_only() -> None:
    result = errors_by_size(checkpoint(), samples=20)
    section = view(result, {})
    assert len(section.sentences) == 1
    assert section.sentences[0].startswith("L_mask (n = 20 fresh matrices, seed 0, of each size) is ")
    assert list(section.figures) == []
    assert len(section.tables) == 1
    assert rows({0: {"sizes": result}}) == []


def test_the_figure_has_every_size_once(result: Result) -> None:
    figure = sizes_figure(result)
    assert [trace.name for trace in figure.data] == [
        "L_mask of answering 0",
        "L_mask",
        "L_obs",
    ]
    for trace in figure.data:
        assert list(trace.y) == ["2 × 2", "3 × 3", "3 × 4"]
    table = result.table("sizes")
    assert list(figure.data[1].x) == table[table["entries"] == "masked"]["mse"].tolist()


def test_the_table_of_changes_has_a_row_a_size(result: Result) -> None:
    block = rows({0: {"sizes": result}, 7: {}})
    assert [(heading, label) for heading, label, _, _ in block] == [
        ("L_mask by matrix size", size) for size in ("2 × 2", "3 × 3", "3 × 4")
    ]
    row = result.table("sizes").iloc[0]
    cell, nothing = block[0][3]
    assert cell.text == interval(row["mse"], row["mse_low"], row["mse_high"])
    assert cell.note.endswith(f"answering 0: {number(row['zero_mse'])}")
    assert nothing.text == "–"


def test_a_stored_result_becomes_a_page(trained: Run, tmp_path: Path) -> None:
    analyse(trained, tmp_path, [40], passes=["sizes"], samples=16)
    page = write_report(tmp_path).parent / "step-00000040.html"
    assert "L_mask (n = 16 fresh matrices, seed 0, of each size) is " in page.read_text(encoding="utf-8")


def test_the_runs_facts_name_its_sizes(trained: Run) -> None:
    training = training_summary(trained)
    assert dict(run_facts(training))["task"].startswith("matrix-completion, 5 × 5, rank 1")
    config = {**training.facts["config"], "task": {**training.facts["config"]["task"], "sizes": [[4, 5], [5, 5]]}}
    several = replace(training, facts={**training.facts, "config": config})
    assert dict(run_facts(several))["task"].startswith("matrix-completion, 4 × 5, 5 × 5, rank 1")
