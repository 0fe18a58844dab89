"""What moved first? From the onsets of what comparisons follow, beside that of the loss."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from mcinterp.report.numbers import number
from mcinterp.report.scores import capital
from mcinterp.report.story.finding import Finding
from mcinterp.report.story.pictures import bars
from mcinterp.report.story.told import Told

QUESTION = "What moved first?"
FOLLOWED = ("embeddings", "plateau", "formation")
"""Comparisons with a table of onsets."""
DRAWN = 4
"""Measures in the picture, the earliest."""


def first(told: Told) -> Finding | None:
    """The measure that is before the loss by most steps for sure, of all that are followed from the plateau on."""
    if told.here is not None or not told.drops:
        return None
    followed = list(_onsets(told))
    if not followed:
        return None
    before = sorted((one for one in followed if one[2] > 0), key=lambda one: -one[2])
    control = f"{len(followed)} measures followed, told apart where the gaps between checkpoints lie apart"
    if not before:
        said = "Nothing that was followed moves before the loss"
        return Finding("first", QUESTION, said, "", "no change", control, told.beside(followed[0][0]))
    comparison, name, least = before[0]
    others = f"; {len(before) - 1} others move before it too" if len(before) > 2 else ""
    steps = f"{number(least)} steps"
    return Finding(
        "first",
        QUESTION,
        f"{capital(name)}: at least {steps} before the loss{others}",
        steps,
        "found",
        control,
        told.beside(comparison),
        bars({one[1]: one[2] for one in before[:DRAWN]}, "steps before the loss, at least"),
    )


def _onsets(told: Told) -> Iterator[tuple[str, str, int]]:
    """Comparison, measure, and how many steps it is before the loss at least; 0 for what is not."""
    for comparison in FOLLOWED:
        frame = told.rows(comparison, "lead")
        if frame.empty:
            continue
        loss = frame[frame["measure"] == "loss"].iloc[0]
        for _, row in frame[frame["measure"] != "loss"].iterrows():
            yield comparison, str(row["measure"]), _ahead(row, loss)


def _ahead(row: pd.Series, loss: pd.Series) -> int:
    return int(loss["onset_after"] - row["onset"]) if row["verdict"] == "before" else 0
