"""How masks are called and drawn for readers."""

from __future__ import annotations

import re

import numpy as np
import pytest
from markupsafe import Markup

from mcinterp.report.parts import Picture
from mcinterp.report.widget import Family
from mcinterp.studies.matrix_completion.task.masks import MASKS
from mcinterp.studies.matrix_completion.views.masks import draw_small, mask_title


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("random", "random masks"),
        ("none", "nothing masked"),
        ("rows:3", "row 3 masked"),
        ("cols:0,2,4", "columns 0, 2 and 4 masked"),
        ("block:1-3,2-4", "rows 1–3 × columns 2–4 masked"),
        ("checkerboard", "checkerboard"),
        ("one-per-row", "one observed entry a row"),
        ("masked-rows:2@1,4@3", "rows 2 and 4 masked but for 2,1 and 4,3"),
        ("masked-rows:0@4", "row 0 masked but for 0,4"),
        ("column-run:2@1-3,0", "column 2 observed in rows 1–3, column 0 in its first and last row"),
        ("column-run:2@0-4", "column 2 observed in rows 0–4"),
        ("drawn:110/011", "drawn by hand"),
        ("mine", "mine"),
    ],
)
def test_a_mask_is_called_what_it_is(name: str, title: str) -> None:
    assert mask_title(name) == title


def test_every_kind_of_mask_is_called_something_else_than_its_name() -> None:
    details = {"rows": ":1", "cols": ":1", "block": ":0-1,0-1", "masked-rows": ":1@1", "column-run": ":1@0-1"}
    named = {kind: mask_title(kind + details.get(kind, "")) for kind in MASKS}
    assert [kind for kind, title in named.items() if title == kind] == ["checkerboard"]


def test_a_small_drawing_has_a_square_an_entry_in_its_colour() -> None:
    drawing = draw_small(np.array([[1.0, 0.0, 0.5]]))
    assert re.findall(r'fill="(#\w+)"', drawing) == ["#56B4E9", "#FFFFFF", "#AADAF4"]
    assert 'width="34" height="11.33"' in drawing


@pytest.mark.parametrize(
    ("name", "spelled"), [("random", ""), ("checkerboard", ""), ("drawn", ""), ("mine", ""), ("rows:3", "rows:3")]
)
def test_a_name_stands_beside_the_title_where_that_does_not_tell_it(name: str, spelled: str) -> None:
    picture = Picture(Markup(""), "", "", mask_title(name))
    assert Family(name, picture).spelled == spelled
