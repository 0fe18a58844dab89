"""The section on the model's algorithm: it says what the numbers say, whatever they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forged import Forge

from mcinterp.report import write_report
from mcinterp.report.parts import Cell
from mcinterp.report.views import VIEWS
from mcinterp.report.views.changes import changes_table
from mcinterp.results import Result, Table
from mcinterp.studies.matrix_completion.config import TaskConfig
from mcinterp.studies.matrix_completion.figures.algorithm import LIMIT, algorithm_bins_figure, algorithm_figure
from mcinterp.studies.matrix_completion.passes.algorithm import Problem, explained, posed_problem
from mcinterp.studies.matrix_completion.views import algorithm

TASK = TaskConfig(rows=4, cols=4, rank=1, p_mask=0.25, v_min=-2.0, v_max=2.0)


@pytest.fixture(scope="module")
def problem() -> Problem:
    return posed_problem(TASK, 80, 2)


def answers_of(problem: Problem, name: str) -> np.ndarray:
    return problem.completions.values[problem.completions.names.index(name)]


@pytest.fixture(scope="module")
def noise(problem: Problem) -> np.ndarray:
    return np.random.default_rng(3).normal(size=problem.truth.shape)


@pytest.fixture(scope="module")
def learned(problem: Problem, noise: np.ndarray) -> Result:
    """A model that answers the row's mean, with a little noise."""
    return explained(answers_of(problem, "row mean") + 0.05 * noise, problem, noise)


@pytest.fixture(scope="module")
def plateau(problem: Problem, noise: np.ndarray) -> Result:
    """A model that answers nearly 0."""
    return explained(0.01 * noise, problem, noise)


def with_rows(result: Result, candidate: str, **values: Any) -> Result:
    frame = result.table("candidates").copy()
    for column, value in values.items():
        frame.loc[frame["candidate"] == candidate, column] = value
    tables = {**result.tables, "candidates": Table(frame, result.tables["candidates"].columns)}
    return replace(result, tables=tables)


def test_the_nearest_candidate_is_named_with_what_it_leaves(learned: Result) -> None:
    nearest, truth, combined, control = algorithm.sentences(learned)
    assert nearest.startswith(
        "Of 29 candidates, “row mean” is nearest to the model's predictions at masked entries (n ="
    )
    assert "(n = 80): it leaves 0.0" in nearest
    assert nearest.endswith(", which tells the two apart.")
    assert "so the model is nearer to “row mean” than to the truth" in truth
    assert "the errors of model and candidate correlate by 0.9" in truth
    assert combined.startswith("On matrices it was not fitted on, the best non-negative combination")
    assert "computed for other matrices" in control
    assert "of 28 candidates" in control or "of 29 candidates" in control


def test_an_answer_of_zero_is_called_that(plateau: Result) -> None:
    nearest, *others = algorithm.sentences(plateau)
    assert nearest.startswith("None of 29 candidates comes out nearer")
    assert not any("truth" in sentence for sentence in others)


def test_predictions_that_are_all_zero_explain_nothing(problem: Problem, noise: np.ndarray, tmp_path: Path) -> None:
    nothing = explained(0 * noise, problem, noise)
    nothing.save(tmp_path / "algorithm")
    section = algorithm.view(Result.load(tmp_path / "algorithm"), {})
    assert section.sentences == [
        "The model's predictions at masked entries are all 0, so that there is nothing to explain."
    ]
    cells = [cells for _, _, _, cells in algorithm.rows({1: {"algorithm": nothing}})]
    assert cells[1] == [Cell("–")]


def test_the_verdict_on_the_truth_follows_the_interval(learned: Result) -> None:
    reversed_ = with_rows(learned, "the truth", behind=-0.2, behind_low=-0.3, behind_high=-0.1)
    assert "so the model is nearer to the truth than to “row mean”" in algorithm.sentences(reversed_)[1]
    open_ = with_rows(learned, "the truth", behind=0.1, behind_low=-0.1, behind_high=0.3)
    assert "not measurably nearer to “row mean” than to the truth" in algorithm.sentences(open_)[1]


def test_candidates_that_are_as_near_are_named(learned: Result) -> None:
    tied = with_rows(learned, "column mean", behind=0.01, behind_low=-0.01, behind_high=0.02)
    assert algorithm.sentences(tied)[0].endswith("; as near as the best to within 0.02: “column mean”.")
    sure = with_rows(learned, "column mean", behind=0.01, behind_low=0.005, behind_high=0.015)
    assert algorithm.sentences(sure)[0] == algorithm.sentences(tied)[0]


def test_an_interval_that_is_huge_makes_no_tie(learned: Result) -> None:
    huge = with_rows(learned, "least squares", behind=55541.0, behind_low=-52479.0, behind_high=163561.0)
    text = algorithm.sentences(huge)[0]
    assert text.endswith("; undecided, since their paired intervals hold 0 and more than that: “least squares”.")
    assert "as near as" not in text


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.1, 0.2, ", less than"), (-0.2, -0.1, ", more than"), (-0.1, 0.1, ", not measurably different from")],
)
def test_the_verdict_on_the_combination_follows_the_interval(
    learned: Result, low: float, high: float, verdict: str
) -> None:
    table = learned.tables["combination"]
    frame = table.frame.assign(gain=(low + high) / 2, gain_low=low, gain_high=high)
    result = replace(learned, tables={**learned.tables, "combination": Table(frame, table.columns)})
    assert verdict in algorithm.sentences(result)[2]


def test_stored_and_shown(learned: Result, tmp_path: Path) -> None:
    learned.save(tmp_path / "algorithm")
    stored = Result.load(tmp_path / "algorithm")
    section = VIEWS["algorithm"][1](stored, {})
    assert section.sentences == algorithm.sentences(learned)
    assert len(section.figures) == 4  # the nearest candidates, then all of them
    titles = [table.caption for table in section.tables]
    assert "Masked entries by number observed" in titles
    first = section.tables[0]
    assert [cells[0].text for cells in first.rows][:1] == ["row mean"]
    assert [column.label for column in first.columns][:3] == [
        "candidate",
        "left of the mean square",
        "behind the nearest",
    ]
    assert len(section.tables[2].rows) == 30


def test_the_figure_orders_candidates_and_marks_those_off_the_scale(learned: Result, plateau: Result) -> None:
    for result in (learned, plateau):
        frame = result.table("candidates").sort_values("to_model", kind="stable")
        figure = algorithm_figure(result)
        assert list(figure.layout.yaxis.categoryarray) == frame["candidate"].tolist()
        shown = figure.data[-1]
        assert list(shown.x) == pytest.approx(frame["unexplained"].clip(upper=LIMIT).tolist())
        off = [symbol == "triangle-right" for symbol in shown.marker.symbol]
        assert off == (frame["unexplained"] > LIMIT).tolist()
        assert all(bar is None for bar, far in zip(shown.error_x.array, off, strict=True) if far)
    assert any(off)


def test_the_figure_of_bins_draws_the_nearest(learned: Result) -> None:
    figure = algorithm_bins_figure(learned, "by_observed", "observed")
    frame = learned.table("by_observed")
    assert figure.data[0].name == "model to truth"
    assert list(figure.data[0].y) == frame.drop_duplicates("bin")["model_mse"].tolist()
    assert figure.data[1].name == "row mean"
    assert list(figure.data[1].y) == frame[frame["candidate"] == "row mean"]["to_model"].tolist()
    assert [trace.visible for trace in figure.data] == [True, True, True, True, "legendonly", "legendonly"]


def test_what_changed(learned: Result, plateau: Result) -> None:
    steps = {1: {"algorithm": plateau}, 2: {}, 3: {"algorithm": learned}}
    rows = {label: cells for _, label, _, cells in algorithm.rows(steps)}
    assert [cell.text for cell in rows["nearest candidate"]] == ["zero", "–", "row mean"]
    assert rows["nearest candidate"][0].note == "leaves 1.00 [1.00, 1.00]"
    assert float(rows["left by row mean"][0].text.split()[0].replace(",", "")) > 1
    assert rows["left by row mean"][2].text.startswith("0.0")
    assert "left by the truth" in rows
    assert algorithm.rows({1: {}}) == []
    assert changes_table(steps, {}).rows
    only_zero = {label for _, label, _, _ in algorithm.rows({1: {"algorithm": plateau}})}
    assert "left by zero" not in only_zero


def test_on_a_page(learned: Result, tmp_path: Path) -> None:
    forge = Forge(steps=(9000,))
    folder = forge.write(tmp_path, ["probes"])
    learned.save(folder / "data" / "step-00009000" / "algorithm")
    write_report(folder)
    page = (folder / "step-00009000.html").read_text(encoding="utf-8")
    assert "What algorithm is it?" in page
    assert "“row mean” is nearest" in page
    assert "by_conditioning.csv" in page
    assert "nearest candidate" in (folder / "index.html").read_text(encoding="utf-8")


def test_a_table_without_controls_has_no_control_sentence(learned: Result) -> None:
    frame = learned.table("candidates").assign(control_correlation_low=np.nan, control_correlation_high=np.nan)
    tables = {**learned.tables, "candidates": Table(frame, learned.tables["candidates"].columns)}
    assert len(algorithm.sentences(replace(learned, tables=tables))) == 3
