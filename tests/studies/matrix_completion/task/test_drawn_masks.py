"""Masks drawn by hand are masks however they are drawn, under a name of one's own; and so is one's own matrix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from mcinterp.errors import InputError
from mcinterp.studies.matrix_completion.config import TaskConfig
from mcinterp.studies.matrix_completion.task.completion import MatrixCompletion
from mcinterp.studies.matrix_completion.task.masks import observed_mask
from mcinterp.studies.matrix_completion.task.named_masks import named_masks, spelled_mask
from mcinterp.studies.matrix_completion.task.sequence import MatrixSequence

HAND = [[True, False, True, True], [False, True, True, True], [True, True, True, False]]
OTHER = [[True] * 4, [False] * 4, [True] * 4]
ARRAY = np.array(HAND)
TASK = MatrixCompletion(TaskConfig(rows=3, cols=4, rank=1, v_min=-2.0, v_max=2.0))
DRAWN: dict[str, Any] = {
    "array": ARRAY,
    "transposed twice": ARRAY.T.copy().T,
    "list": HAND,
    "tuple of arrays": tuple(ARRAY),
    "tensor": torch.tensor(HAND),
    "frame": pd.DataFrame(HAND, columns=list("abcd")),
    "frame of objects": pd.DataFrame(HAND).astype(object),
    "frame of nullable booleans": pd.DataFrame(HAND).astype("boolean"),
    "with a name": {"mine": HAND},
    "spelled": "drawn:1011/0111/1110",
}


@pytest.mark.parametrize("drawn", DRAWN.values(), ids=list(DRAWN))
def test_a_mask_is_the_same_however_it_is_drawn(drawn: Any) -> None:
    expected = torch.tensor(HAND)
    assert torch.equal(observed_mask(drawn, 3, 4), expected)
    batch = TASK.sample(5, torch.Generator().manual_seed(1), drawn)
    assert torch.equal(batch.observed, expected.flatten().expand(5, -1))
    assert spelled_mask(drawn, 3, 4) == "drawn:1011/0111/1110"
    assert len(named_masks(drawn, 3, 4)) == 1


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (ARRAY, ["drawn"]),
        (HAND, ["drawn"]),
        ([ARRAY], ["drawn"]),
        ([HAND, pd.DataFrame(OTHER)], ["drawn 1", "drawn 2"]),
        (np.stack([ARRAY, ~ARRAY]), ["drawn 1", "drawn 2"]),
        ({"mine": HAND, "theirs": "rows:1"}, ["mine", "theirs"]),
        (["random", {"mine": HAND}, OTHER, " checkerboard "], ["random", "mine", "drawn", "checkerboard"]),
        ([None, "rows:1"], ["random", "rows:1"]),
        ("cols:0", ["cols:0"]),
    ],
)
def test_masks_have_names(given: Any, names: list[str]) -> None:
    assert list(TASK.named_inputs(given)) == names


def test_spelled_masks_are_read_again() -> None:
    for name, mask in TASK.named_inputs([HAND, {"mine": OTHER}, "cols:1"]).items():
        again = TASK.spelled_inputs(mask)
        assert torch.equal(observed_mask(again, 3, 4), observed_mask(mask, 3, 4)), name
    assert [TASK.spelled_inputs(mask) for mask in TASK.named_inputs({"mine": "random"}).values()] == ["random"]


@pytest.mark.parametrize(
    ("mask", "sentence"),
    [
        ([[True] * 4] * 2, "a mask must have shape (3, 4), got (2, 4)"),
        (np.array(HAND).T, "a mask must have shape (3, 4), got (4, 3)"),
        (np.array(HAND).astype(int), "a mask must be boolean (True where observed), got torch.int64; where 1 is"),
        (np.full((3, 4), 0.5), "a mask must be boolean (True where observed), got torch.float64"),
        (pd.DataFrame([["yes"] * 4] * 3), "a rectangular boolean array, True where observed; it holds 'yes'"),
        (pd.DataFrame(HAND).astype("boolean").replace({True: None}), "True where observed; it holds"),
        ([[True], [True, False]], "a mask must be a rectangular boolean array, True where observed"),
        (np.ones((3, 4), dtype=bool), "must mask something, got True everywhere; mask 'none' is called so"),
        (np.zeros((3, 4), dtype=bool), "a mask must leave something observed, got False everywhere"),
        ("drawn:1011/0111", "expected 3 rows of 4 digits between /"),
        ("drawn:1011/0111/1112", "expected 3 rows of 4 digits between /"),
        ({"mine": HAND[:2]}, "a mask must have shape (3, 4), got (2, 4)"),
    ],
)
@pytest.mark.parametrize("door", [lambda mask: observed_mask(mask, 3, 4), TASK.named_inputs])
def test_a_mask_that_is_none_gets_one_sentence(mask: Any, sentence: str, door: Callable[[Any], Any]) -> None:
    with pytest.raises(InputError) as caught:
        door(mask)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ([], "at least one mask is needed, got none"),
        ({}, "at least one mask is needed, got none"),
        ([{"mine": HAND}, {"mine": OTHER}], "two masks are called 'mine'; give each a name of its own"),
        (["rows:1", "rows:1"], "two masks are called 'rows:1'"),
        ({"random": HAND}, "'random' is the name of another mask; give yours a name of its own"),
        ({"rows:1": HAND}, "'rows:1' is the name of another mask"),
        ({"": HAND}, "a mask's name must be a text, got ''"),
        ({3: HAND}, "a mask's name must be a text, got 3"),
        (["rows:1", "rows:9"], "row 9 is outside 0 … 2"),
    ],
)
def test_names_that_are_none_are_refused(given: Any, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        TASK.named_inputs(given)
    assert sentence in str(caught.value)


def test_several_masks_are_not_one() -> None:
    with pytest.raises(InputError, match="one mask is needed here, got 2"):
        TASK.sample(2, torch.Generator(), {"mine": HAND, "theirs": OTHER})


MATRIX = np.outer([1.0, -0.5, 1.5], [0.25, 0.5, -1.0, 1.0])


@pytest.mark.parametrize("task", [TASK, MatrixSequence(TASK.config)], ids=["completion", "sequence"])
@pytest.mark.parametrize(
    "matrices", [MATRIX[None], [MATRIX], [MATRIX.tolist()], [pd.DataFrame(MATRIX)], torch.tensor(MATRIX[None]).float()]
)
@pytest.mark.parametrize("mask", [HAND, pd.DataFrame(HAND), {"mine": ARRAY}, ARRAY[None], torch.tensor([HAND])])
def test_ones_own_matrix_makes_a_batch(task: Any, matrices: Any, mask: Any) -> None:
    batch = task.batch(matrices, mask)
    expected = task.batch(torch.tensor(MATRIX[None]).float(), torch.tensor([HAND]))
    assert torch.equal(batch.inputs, expected.inputs)
    assert torch.equal(batch.targets.view(3, 4), torch.tensor(MATRIX).float().round(decimals=2))
    assert torch.equal(batch.observed.view(3, 4), torch.tensor(HAND))


def test_one_mask_is_that_of_every_matrix() -> None:
    batch = TASK.batch([MATRIX, -MATRIX], "rows:1")
    assert batch.observed.view(2, 3, 4)[:, 1].any() == torch.tensor(False)
    assert batch.observed.sum() == 16


@pytest.mark.parametrize(
    ("matrices", "mask", "sentence"),
    [
        (MATRIX, HAND, r"must have shape \(n, 3, 4\), got \(3, 4\); put a single matrix in a list"),
        ([MATRIX.T], HAND, r"must have shape \(n, 3, 4\), got \(1, 4, 3\)$"),
        ([MATRIX], [HAND, HAND], r"must have shape \(n, 3, 4\), got \(1, 3, 4\) and \(2, 3, 4\)$"),
        ([MATRIX], [np.ones((3, 4))], "masks must be boolean .True where observed., got torch.float64"),
        ([MATRIX], np.ones((3, 4)), "a mask must be boolean"),
        ([MATRIX, MATRIX[:2]], HAND, "matrices must be numbers, all of one shape"),
        ([[["a"] * 4] * 3], HAND, "matrices must be numbers, all of one shape"),
        ([np.full((3, 4), np.nan)], HAND, "matrices hold NaN"),
        ([MATRIX * 10], HAND, "lie outside the vocabulary"),
    ],
)
def test_what_is_no_matrix_or_mask_is_refused(matrices: Any, mask: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        TASK.batch(matrices, mask)
