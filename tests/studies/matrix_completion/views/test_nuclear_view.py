"""What the section on nuclear norm minimisation says: right in both directions, and where a value is missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from forged import Forge

from mcinterp.config import RunConfig
from mcinterp.report import write_report
from mcinterp.report.views.changes import changes_table
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint
from mcinterp.studies.matrix_completion.config import ModelConfig, TaskConfig
from mcinterp.studies.matrix_completion.figures.nuclear import (
    completion_error_figure,
    nuclear_norm_figure,
    regularised_figure,
)
from mcinterp.studies.matrix_completion.passes.nuclear_norm import nuclear_norm
from mcinterp.studies.matrix_completion.views.nuclear import sentences, view


@pytest.fixture(scope="module")
def result() -> Result:
    task = TaskConfig(rows=4, cols=3, rank=1, v_min=-2.0, v_max=2.0)
    model = ModelConfig(n_layers=1, n_heads=1, d_model=8, d_mlp=8, init_std="width")
    checkpoint = Checkpoint.untrained(RunConfig(task=task, model=model), seed=3)
    return nuclear_norm(checkpoint, 12, 12, (0.1, 0.5), (0.002, 0.0022, 0.05), checked=2)


def changed(result: Result, name: str, **columns: object) -> Result:
    table = result.tables[name]
    return replace(result, tables={**result.tables, name: Table(table.frame.assign(**columns), table.columns)})


def forged(result: Result, error: float, norm: float) -> Result:
    """The same with these differences, model − minimiser, and intervals of ± 0.01 about them."""
    for name, value in (("errors", error), ("norms", norm)):
        columns = {"difference": value, "difference_low": value - 0.01, "difference_high": value + 0.01}
        result = changed(result, name, **columns)
    return result


def test_an_untrained_model_is_worse_and_its_numbers_are_on_the_page(result: Result, tmp_path: Path) -> None:
    result.save(tmp_path / "data" / "step-00000100" / "nuclear")
    write_report(tmp_path)
    page = (tmp_path / "step-00000100.html").read_text(encoding="utf-8")
    assert (
        "At the p_mask of its training (0.3, n = 12 fresh matrices, seed 0) the model has a larger L than nuclear norm "
        "minimisation" in page
    )
    assert "with a larger nuclear norm, is about the trained model, after its drop." in page
    smaller = "smaller than the minimiser&#39;s for none of 3 values, larger for all 3 values"
    assert f"Over p_mask from 0.1 to 0.5 the model&#39;s L is {smaller}" in page
    assert f"Over the λ of the regularised problem the model&#39;s L is {smaller}" in page
    assert "Controls: 0 of 36 minimisers exceed the truth&#39;s nuclear norm (none may)" in page
    assert "cvxpy with Clarabel finds the same least value" in page
    for score in result.table("errors")["solver_mse"]:
        assert f'data-sort="{float(score)!r}"' in page
    index = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "Nuclear norm minimisation, at the p_mask of the training" in index
    assert "L: model (minimiser)" in index


@pytest.mark.parametrize(
    ("error", "norm", "expected", "verdict"),
    [
        (-0.5, 0.5, "has a smaller L than nuclear norm minimisation, with a larger nuclear norm", "holds here"),
        (
            -0.5,
            -0.5,
            "has a smaller L than nuclear norm minimisation, with a smaller nuclear norm",
            "does not hold here",
        ),
        (0.0, 0.0, "by L, with its nuclear norm, to within 1 %", "does not hold here"),
        (
            0.0,
            -0.5,
            "is not told apart from nuclear norm minimisation by L, with a smaller nuclear",
            "does not hold here",
        ),
        (0.5, 0.5, "has a larger L than nuclear norm minimisation, with a larger nuclear norm", "does not hold"),
    ],
)
def test_the_claim_follows_the_intervals(
    result: Result, error: float, norm: float, expected: str, verdict: str
) -> None:
    said = sentences(at(forged(result, error, norm), 9000), {"training": Forge().training()})
    assert expected in said[0]
    assert f"a smaller L with a larger nuclear norm, {verdict}" in said[0]
    counts = {
        -1: "for all 3 values, larger for none of 3 values",
        1: "for none of 3 values, larger for all 3 values",
        0: "not told apart for all 3 values",
    }
    assert counts[int(np.sign(error))] in said[1]


def test_wide_intervals_decide_nothing(result: Result) -> None:
    wide = {"difference": 0.0, "difference_low": -0.5, "difference_high": 0.5}
    for name in ("errors", "norms"):
        result = changed(result, name, **wide)
    said = sentences(at(result, 9000), {"training": Forge().training()})[0]
    assert "is not told apart from nuclear norm minimisation by L, with a nuclear norm not told apart from its" in said
    assert said.endswith("a smaller L with a larger nuclear norm, is not decided here.")


def at(result: Result, step: int) -> Result:
    return replace(result, provenance={"step": step})


@pytest.mark.parametrize(
    ("step", "drop", "phase"),
    [
        (1000, 5000, "on the plateau before the drop."),
        (5100, 5000, "within the drop."),
        (9000, None, "of a run without a drop."),
    ],
)
def test_the_papers_finding_is_asked_of_a_trained_model_alone(
    result: Result, step: int, drop: int | None, phase: str
) -> None:
    said = sentences(at(forged(result, 0.5, -0.5), step), {"training": Forge(drop=drop).training()})[0]
    assert said.endswith(f"is about the trained model, after its drop; this checkpoint is one {phase}")
    assert "does not hold" not in said


def test_violated_controls_are_said(result: Result) -> None:
    assert "Controls: 6 of 36 minimisers exceed" in sentences(changed(result, "solver", above_truth=2), {})[-1]


def test_missing_rows_and_values_are_left_out(result: Result) -> None:
    gone = changed(result, "errors", trained=False)
    assert not any("the paper" in sentence.lower() for sentence in sentences(gone, {}))
    unknown = changed(result, "errors", difference=np.nan, difference_low=np.nan, difference_high=np.nan)
    assert not any("nan" in sentence or "paper" in sentence for sentence in sentences(unknown, {}))
    empty = result.tables["regularised"]
    none = replace(result, tables={**result.tables, "regularised": Table(empty.frame.iloc[:0], empty.columns)})
    section = view(none, {})
    assert len(section.figures) == 3
    assert not any("λ" in sentence for sentence in section.sentences)
    cells = changes_table({1: {"nuclear": gone}, 2: {}}, {}).rows
    assert [cell.text for cell in cells[0][1:]] == ["–", "–"]


def test_figures_draw_what_is_stored(result: Result) -> None:
    errors = result.table("errors")
    for entries in ("total", "masked"):
        drawn = {trace.name: trace for trace in completion_error_figure(result, entries).data if trace.name}
        stored = errors[errors["entries"] == entries]
        assert list(drawn["model"].y) == stored["model_mse"].tolist()
        assert list(drawn["nuclear norm minimisation"].x) == [0.1, 0.3, 0.5]
    norms = nuclear_norm_figure(result)
    assert {trace.name for trace in norms.data if trace.name} == {"model", "nuclear norm minimisation", "truth"}
    low, high = norms.data[0], norms.data[1]
    assert list(low.y) == result.table("norms")["model_norm_low"].tolist()
    assert list(high.y) == result.table("norms")["model_norm_high"].tolist()
    regularised = regularised_figure(result)
    assert list(regularised.layout.xaxis.tickvals) == [0.002, 0.05]
    assert list(regularised.data[-1].y) == result.table("regularised")["total_mse"].tolist()[1:]


def test_a_loaded_result_is_shown_alike(result: Result, tmp_path: Path) -> None:
    result.save(tmp_path / "nuclear")
    loaded = Result.load(tmp_path / "nuclear")
    assert sentences(loaded, {}) == sentences(result, {})
    pd.testing.assert_frame_equal(loaded.table("solver"), result.table("solver"))
