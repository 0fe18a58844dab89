"""Errors: one root, and the nearest valid name."""

from __future__ import annotations

import inspect

import pytest

from mcinterp import errors
from mcinterp.errors import McinterpError, nearest_name, reason


def test_every_error_has_the_same_root() -> None:
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, Exception)]
    assert len(kinds) == 15
    assert all(issubclass(kind, McinterpError) for kind in kinds)


def test_where_no_name_is_valid_none_is_listed() -> None:
    assert nearest_name("steps", []) == ""


def test_a_file_that_is_not_there_is_named_once() -> None:
    assert reason(FileNotFoundError(2, "No such file or directory", "here")) == "No such file or directory"
    assert reason(ValueError("no number")) == "no number"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("stesp", "; did you mean 'steps'?"),
        ("zzz", "; valid: rank, seed, steps"),
        ("", "; valid: rank, seed, steps"),
    ],
)
def test_the_nearest_name_or_all_of_them(name: str, sentence: str) -> None:
    assert nearest_name(name, ["steps", "rank", "seed"]) == sentence
