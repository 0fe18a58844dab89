"""The figures' colours in dark pages: what the script exchanges is what the figures draw with."""

from __future__ import annotations

import re
from pathlib import Path

import mcinterp.report
from mcinterp.report.palette import CLASSES, CONTROL, GRID, INK, MUTED, NO_CLASS, ON_DARK

REPORT = Path(mcinterp.report.__file__).parent


def exchanged() -> dict[str, str]:
    """The colours that the script gives another value in the dark, and that value."""
    script = (REPORT / "assets" / "figures.js").read_text()
    table = re.search(r"const ON_DARK = \{(.*?)\};", script, re.DOTALL)
    assert table
    return dict(re.findall(r'"([^"]+)": "([^"]+)"', table[1]))


def test_notebooks_exchange_the_same() -> None:
    assert exchanged() == ON_DARK


def test_every_grey_of_the_palette_has_a_dark_one() -> None:
    assert {INK, MUTED, GRID, CONTROL, NO_CLASS, CLASSES[7]} <= exchanged().keys()


def test_every_exchanged_colour_is_one_that_is_drawn() -> None:
    palette = (REPORT / "palette.py").read_text().partition("ON_DARK = {")[0]  # not the table itself
    sources = palette + "".join(path.read_text() for path in (REPORT / "figures").glob("*.py"))
    assert {colour for colour in exchanged() if f'"{colour}"' not in sources} == set()
