"""Colours, in one place: the Okabe–Ito palette, which stays apart under every common colour blindness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, cycle, repeat

import pandas as pd

CLASSES = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#F0E442", "#4D4D4D")
"""Colours of the classes of heads, in the order in which a task names them."""
NONE, NO_CLASS = "none", "#E4E7EB"
"""What a head without a class is called, and its colour."""
AMBIGUOUS = "ambiguous"
"""What a head is called that is of several classes alike; it has no colour of its own."""

SERIES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Colours of anything else that is told apart, in order."""

VERDICTS = {"holds": "#009E73", "does not hold": "#D55E00", "undecided": "#BCC4CD"}
"""Colour of what became of a claim."""

INK, MUTED, GRID, CONTROL = "#1F2933", "#616E7C", "#E4E7EB", "#BCC4CD"
BLUES = [[0.0, "#FFFFFF"], [1.0, "#56A5D8"]]


ON_DARK = {
    "#1F2933": "#E6EAEE",
    "#616E7C": "#A3AEBA",
    "#E4E7EB": "#333C46",
    "#BCC4CD": "#75808C",
    "#B9BEC5": "#5A636D",
    "#4D4D4D": "#B4B4B4",
    "#FFFFFF": "#14191F",
    "rgba(255,255,255,0.75)": "rgba(20,25,31,0.75)",
}
"""What the figures' quiet colours become where text is light; assets/figures.js has the same, which a test sees to."""


def class_colours(kinds: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """A colour for every class, and for none; classes beyond the palette are grey.

    Args:
        kinds: kinds of classes, each with its classes, in the order of the task.
    """
    names = dict.fromkeys(name for classes in kinds.values() for name in classes if name != NONE)
    return {**dict(zip(names, chain(CLASSES, repeat(CONTROL)), strict=False)), NONE: NO_CLASS}


def table_colours(classes: pd.DataFrame) -> dict[str, str]:
    """The same for a table with columns `kind` and `class`."""
    return class_colours({str(kind): list(rows["class"]) for kind, rows in classes.groupby("kind", sort=False)})


def part_colours(parts: Sequence[str]) -> dict[str, str]:
    """Colours of the scores that are over parts of a sample, the main one first."""
    return dict(zip(parts, cycle((SERIES[1], SERIES[0], *SERIES[2:])), strict=False))


def class_short(name: str) -> str:
    """At most two letters for a head class."""
    return "–" if name == NONE else "".join(part[0] for part in name.split("-") if part)[:2].upper()


def text_on(colour: str) -> str:
    """Black or white, whichever reads better on a colour (relative luminance of WCAG)."""
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    luminance = sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    return "#000000" if luminance > 0.19 else "#FFFFFF"
