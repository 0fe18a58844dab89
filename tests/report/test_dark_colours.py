"""The figures' colours in dark pages: what the script exchanges is what the figures draw with."""

from __future__ import annotations

import re
from pathlib import Path

import mcinterp.report
from mcinterp.report.palette import CLASSES, CONTROL, GRID, INK, MUTED

REPORT = Path(mcinterp.report.__file__).parent


def exchanged() -> set[str]:
    """The colours that the script gives another value in the dark."""
    script = (REPORT / "assets" / "figures.js").read_text()
    table = re.search(r"const ON_DARK = \{(.*?)\};", script, re.DOTALL)
    assert table
    return set(re.findall(r'"([^"]+)": "', table[1]))


def test_every_grey_of_the_palette_has_a_dark_one() -> None:
    assert {INK, MUTED, GRID, CONTROL, CLASSES["none"][1], CLASSES["input-processing"][1]} <= exchanged()


def test_every_exchanged_colour_is_one_that_is_drawn() -> None:
    sources = "".join(path.read_text() for path in [REPORT / "palette.py", *(REPORT / "figures").glob("*.py")])
    assert {colour for colour in exchanged() if f'"{colour}"' not in sources} == set()
