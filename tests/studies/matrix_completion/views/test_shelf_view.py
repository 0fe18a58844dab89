"""The section on the hidden shelf: it says what the numbers say, whatever they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mcinterp.report.parts import Section
from mcinterp.results import Result, Table
from mcinterp.runs import Run
from mcinterp.studies.matrix_completion.figures.shelf import shelf_figure, shelf_heads_figure
from mcinterp.studies.matrix_completion.passes.shelf import hidden_shelf
from mcinterp.studies.matrix_completion.passes.shelf_answers import BEST, CUBE
from mcinterp.studies.matrix_completion.passes.shelf_verdicts import stretch_words
from mcinterp.studies.matrix_completion.views.shelf import sentences, view

ENDS = ("", "_low", "_high")
SHELF = {"state": "shelf", "first": 3000, "last": 4000, "before": 2000, "after": 5000}


@pytest.fixture(scope="module")
def measured(trained_folder: Path) -> Result:
    return hidden_shelf(Run(trained_folder), samples=16)


def told(result: Result, facts: dict[str, Any] | None = None, **cells: tuple[float, float, float]) -> list[str]:
    """The sentences with other facts and numbers: of a column, `answers__gain`, or of a row, `heads__all__share`."""
    frames = {name: table.frame.copy() for name, table in result.tables.items()}
    for place, values in cells.items():
        table, *who, column = place.split("__")
        rows = frames[table][frames[table].columns[1]] == who[0].replace("_", " ") if who else slice(None)
        for end, value in zip(ENDS, values, strict=True):
            frames[table].loc[rows, f"{column}{end}"] = value
    tables = {name: Table(frame, result.tables[name].columns) for name, frame in frames.items()}
    return sentences(replace(result, facts={**result.facts, **(facts or {})}, tables=tables))


def test_the_state_is_told(measured: Result) -> None:
    none = {"state": "none", "first": None, "last": None, "before": None, "after": None}
    # Answers that are one number a matrix and nothing like the best one are no shelf either.
    assert told(measured, none)[0] == (
        "There is no hidden shelf: at no kept checkpoint before the loss falls are the answers mostly one number a "
        "matrix that goes with the best symmetric answer."
    )
    assert told(measured, none | {"state": "undecided"})[0].startswith("Whether there is a hidden shelf is undecided.")
    found = told(measured, SHELF)[0]
    assert found.startswith("There is a hidden shelf from step 3,000 to 4,000 (at 2,000 and 5,000 not, or not surely):")
    alone = told(measured, {**SHELF, "last": 3000, "before": None, "after": None})[0]
    assert alone.startswith("There is a hidden shelf at step 3,000: before")


def test_the_words_of_a_stretch() -> None:
    assert stretch_words(SHELF) == "from step 3,000 to 4,000"
    assert stretch_words({**SHELF, "last": 3000}) == "at step 3,000"
    assert not stretch_words({**SHELF, "state": "undecided"})


@pytest.mark.parametrize(
    ("size", "gain", "said"),
    [
        ((0.01, 0.005, 0.02), (0.01, 0.005, 0.02), "not to the letter; they already say something of the entries."),
        ((0.01, 0.005, 0.02), (-0.1, -0.2, -0.05), "not to the letter; they are worse than 0."),
        ((0.01, 0.005, 0.02), (0.0, -0.1, 0.1), "stands to its bound, not to the letter."),
        ((0.2, 0.1, 0.3), (0.0, -0.1, 0.1), "masked entries are no longer answered by 0 here"),
        ((0.05, 0.01, 0.1), (0.0, -0.1, 0.1), "is not told."),
    ],
)
def test_what_it_is_of_the_first_claim(
    measured: Result, size: tuple[float, float, float], gain: tuple[float, float, float], said: str
) -> None:
    assert said in told(measured, SHELF, answers__size=size, answers__gain=gain)[-1]
    without = told(measured, {**SHELF, "state": "none"}, answers__size=size)[-1]
    assert without.endswith("0.05, up to which they count as 0.")


@pytest.mark.parametrize(
    ("short", "said"),
    [
        ((0.0, -0.005, 0.005), "as much"),
        ((0.1, 0.05, 0.2), "below: more"),
        ((-0.1, -0.2, -0.05), "below: less"),
        ((0.0, -0.1, 0.1), "not told apart from that"),
    ],
)
def test_what_it_is_worth(measured: Result, short: tuple[float, float, float], said: str) -> None:
    possible = (0.04, 0.03, 0.05)
    assert any(said in sentence for sentence in told(measured, answers__short=short, answers__possible=possible))
    # As small a difference is much where little can be gained.
    little = told(measured, answers__short=(0.0, -0.005, 0.005), answers__possible=(0.004, 0.003, 0.005))
    assert any("not told apart from that" in sentence for sentence in little)


def candidate(name: str, column: str, values: tuple[float, float, float]) -> dict[str, tuple[float, float, float]]:
    return {f"candidates__{name}__{column}": values}


def test_the_nearest_candidate_and_the_cube_are_told(measured: Result) -> None:
    frame = measured.table("candidates")
    names = frame["candidate"].unique()
    assert frame.columns[1] == "candidate"
    low = {key: value for name in names for key, value in candidate(name, "correlation", (0.0, -0.1, 0.1)).items()}
    low |= {key: value for name in names for key, value in candidate(name, "behind", (0.6, 0.5, 0.7)).items()}
    assert any(sentence.startswith("No candidate goes with them") for sentence in told(measured, **low))
    best = {**low, **candidate(BEST, "correlation", (0.6, 0.5, 0.7)), **candidate(BEST, "behind", (0.0, 0.0, 0.0))}
    said = " ".join(told(measured, **best))
    assert f"they go most with {BEST}, told apart from the others" in said
    assert "The cube of the sum of the observed entries goes with them less: 0" in said
    near = " ".join(told(measured, **{**best, **candidate(CUBE, "behind", (0.1, -0.1, 0.3))}))
    assert f"not told apart from {CUBE}" in near
    assert "The cube of the sum of the observed entries is not told apart from that" in near


def test_no_slope_has_no_heads(measured: Result) -> None:
    nothing = {"heads__share": (float("nan"),) * 3}
    assert "so that no head carries one" in told(measured, **nothing)[-2]  # type: ignore[arg-type]
    half = {"heads__share": (0.8, 0.7, 0.9)}
    assert "more than half" in told(measured, **half)[-2]


def test_the_section_has_its_figures_and_tables(measured: Result) -> None:
    section: Section = view(measured, {})
    assert len(section.figures) == 2
    assert len(section.tables) == 3
    drops = [{"start": 10.0, "end": 20.0, "steepest": 15.0}]
    figure = shelf_figure(measured, drops)
    assert len(figure.layout.shapes) == 4
    assert figure.layout.xaxis.range[1] == pytest.approx(1.01 * 40)
    groups = measured.table("heads")["group"].unique().tolist()
    assert list(shelf_heads_figure(measured).layout.yaxis.categoryarray) == groups
