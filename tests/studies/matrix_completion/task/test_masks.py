"""Masks: every name against an array written by hand, masks drawn by hand, and errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mcinterp.errors import InputError
from mcinterp.studies.matrix_completion.task.masks import observed_mask, random_observed
from mcinterp.studies.matrix_completion.task.structured import column_run_masks


def drawn(*rows: str) -> torch.Tensor:
    """`o` is observed, `.` is masked."""
    return torch.tensor([[letter == "o" for letter in row] for row in rows])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("none", drawn("oooo", "oooo", "oooo")),
        ("rows:0,2", drawn("....", "oooo", "....")),
        ("rows:1", drawn("oooo", "....", "oooo")),
        ("cols:3", drawn("ooo.", "ooo.", "ooo.")),
        ("cols:0, 1", drawn("..oo", "..oo", "..oo")),
        ("block:0-1,2-3", drawn("oo..", "oo..", "oooo")),
        ("block:2,0-2", drawn("oooo", "oooo", "...o")),
        ("checkerboard", drawn("o.o.", ".o.o", "o.o.")),
        ("one-per-row", drawn("o...", ".o..", "..o.")),
        ("masked-rows:0@1,2@3", drawn(".o..", "oooo", "...o")),
        ("masked-rows:1@0", drawn("oooo", "o...", "oooo")),
    ],
)
def test_named_masks_on_three_rows_of_four(name: str, expected: torch.Tensor) -> None:
    assert torch.equal(observed_mask(name, 3, 4), expected)


def test_one_per_row_wraps_where_there_are_more_rows_than_columns() -> None:
    assert torch.equal(observed_mask("one-per-row", 5, 2), drawn("o.", ".o", "o.", ".o", "o."))


def test_column_run_by_hand() -> None:
    expected = drawn(".o..o", "ooooo", "o.oo.", ".oo.o", "oo.oo")
    assert torch.equal(observed_mask("column-run:2@1-3", 5, 5), expected)


def longest_run(column: list[bool]) -> int:
    return max(len(run) for run in "".join("o" if seen else "." for seen in column).split("."))


@pytest.mark.parametrize(("rows", "cols"), [(7, 7), (9, 4)])
@pytest.mark.parametrize("column", [0, 2, 3])
def test_column_run_is_the_longest_run_of_any_column(rows: int, cols: int, column: int) -> None:
    observed = observed_mask(f"column-run:{column}@1-4", rows, cols)
    assert observed[:, column].tolist() == [1 <= row <= 4 for row in range(rows)]
    others = [longest_run(observed[:, other].tolist()) for other in range(cols) if other != column]
    assert max(others) <= 2


def test_a_column_beside_the_run_has_the_longest_hole() -> None:
    expected = drawn(".o.oo", "ooo.o", "o.o..", ".oo.o", "oo.oo")
    assert torch.equal(observed_mask("column-run:2@1-3,3", 5, 5), expected)


@pytest.mark.parametrize("rows", range(1, 11))
@pytest.mark.parametrize("cols", range(1, 9))
def test_who_follows_the_longest_run_is_told_from_who_follows_anything_else(rows: int, cols: int) -> None:
    masks = column_run_masks(rows, cols)
    assert len(masks) != 1
    # Fewer rows have no mask like that, and one column has to have the run, one most entries, and one the longest hole.
    assert bool(masks) == (rows > 4 and cols > 2)
    for column, name in masks.items():
        observed = observed_mask(name, rows, cols).T
        others = [other for other in range(cols) if other != column]
        runs, holes = ([longest_run(own.tolist()) for own in way] for way in (observed, ~observed))
        counts = observed.sum(1).tolist()
        assert all(runs[column] > runs[other] for other in others)
        assert any(holes[column] < holes[other] for other in others)
        assert any(counts[column] < counts[other] for other in others)
        assert any(counts[column] > counts[other] for other in others)
        assert max(counts) < rows


def test_the_papers_structured_mask() -> None:
    observed = observed_mask("masked-rows:3@1,6@5", 7, 7)
    assert observed.sum().item() == 49 - 12
    assert observed[3].tolist() == [False, True, False, False, False, False, False]
    assert observed[6].tolist() == [False, False, False, False, False, True, False]


HAND = [[True, False], [False, True], [True, True]]


@pytest.mark.parametrize("mask", [HAND, np.array(HAND), torch.tensor(HAND), np.broadcast_to(np.array(HAND), (3, 2))])
def test_masks_drawn_by_hand(mask: object) -> None:
    assert torch.equal(observed_mask(mask, 3, 2), torch.tensor(HAND))


def test_a_mask_drawn_by_hand_is_copied() -> None:
    mask = np.array(HAND)
    observed = observed_mask(mask, 3, 2)
    mask[:] = False
    assert torch.equal(observed, torch.tensor(HAND))


@pytest.mark.parametrize(
    ("mask", "sentence"),
    [
        ("chekerboard", "no mask is called 'chekerboard'; did you mean 'checkerboard'?"),
        ("random", "no mask is called 'random'; valid: block, checkerboard"),
        ("rows:7", "row 7 is outside 0 … 2"),
        ("rows:", "'' is not a row number"),
        ("rows:-1", "'-1' is not a row number"),
        ("rows:²", "'²' is not a row number"),
        ("cols:x", "'x' is not a column number"),
        ("cols:4", "column 4 is outside 0 … 3"),
        ("block:0-1", "expected block:ROWS,COLUMNS"),
        ("block:2-1,0-1", "'2-1' ends before it starts"),
        ("masked-rows:1", "'' is not a column number"),
        ("masked-rows:1@9", "column 9 is outside 0 … 3"),
        ("column-run:1", "'' is not a row number"),
        ("none:3", "it takes no detail, got '3'"),
        ("checkerboard:3", "it takes no detail"),
        ([[1, 0, 1, 1]] * 3, "a mask must be boolean (True where observed), got torch.int64"),
        ([[True] * 3] * 4, "a mask must have shape (3, 4), got (4, 3)"),
        ([[True], [True, False]], "a mask must be a rectangular boolean array"),
        ([["a"]], "a mask must be a rectangular boolean array"),
    ],
)
def test_wrong_masks_are_refused(mask: object, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        observed_mask(mask, 3, 4)
    assert sentence in str(caught.value)


@pytest.mark.parametrize("p_mask", [0.1, 0.3, 0.9])
def test_entries_are_masked_with_the_probability_asked_for(p_mask: float) -> None:
    observed = random_observed(4000, 5, 6, p_mask, torch.Generator().manual_seed(0))
    assert observed.shape == (4000, 5, 6)
    assert (~observed).float().mean().item() == pytest.approx(p_mask, abs=0.005)
    each = (~observed).float().mean(0)
    assert (each - p_mask).abs().max().item() < 0.04


@pytest.mark.parametrize(("p_mask", "all_observed"), [(0.0, True), (1.0, False)])
def test_the_two_certain_masks(p_mask: float, all_observed: bool) -> None:
    observed = random_observed(200, 7, 7, p_mask, torch.Generator().manual_seed(0))
    assert bool((observed == all_observed).all())
