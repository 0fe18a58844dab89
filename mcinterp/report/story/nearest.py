"""Which algorithm are its answers nearest to? From the distances to those that the task knows."""

from __future__ import annotations

from mcinterp.analysis.judged import Judged
from mcinterp.report.numbers import interval, number
from mcinterp.report.story.finding import Finding
from mcinterp.report.story.pictures import bars
from mcinterp.report.story.told import Told

QUESTION = "Which algorithm does it answer like?"
DRAWN = 4
"""Algorithms in the picture, the nearest ones."""


def nearest(told: Told) -> Finding | None:
    """The nearest algorithm at the places that are looked at first."""
    frame, step = told.rows("oracles", "nearest"), told.step
    rows = frame[frame["step"] == step] if not frame.empty else frame
    if rows.empty:
        return None
    result = told.compared["oracles"]
    row, distances = rows.iloc[0], told.rows("oracles", "distances")
    own = distances[(distances["step"] == step) & (distances["context"] == row["context"])].sort_values("distance")
    best, apart = own.iloc[0], number(own.iloc[0]["distance"])
    margin = interval(*(row[f"margin{end}"] for end in ("", "_low", "_high")))
    told_apart = Judged.of(row, "margin").say(
        f"Nearest to {row['nearest']}",
        f"Not told apart between {row['nearest']} and {row['second']}",
        f"Not told apart between {row['nearest']} and {row['second']}",
    )
    null = ", which looks at nothing but the last token" if row["null"] else ""
    return Finding(
        "nearest",
        QUESTION,
        f"{told_apart}{null}: {result.facts['divergence']} {apart} at step {number(step)}",
        apart,
        "found" if Judged.of(row, "margin").side == "above" else "undecided",
        f"{row['second']} is {margin} farther; an untrained model {number(best['untrained'])} away",
        told.beside("oracles"),
        bars(dict(zip(own["oracle"].head(DRAWN), own["distance"].head(DRAWN), strict=True)), "distance, nearest first"),
    )
