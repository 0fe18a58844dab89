"""Is there a hidden shelf: rules on tables, which are fed forged ones in the tests."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from mcinterp.analysis.judged import Judged, Row

Verdict = Literal["shelf", "none", "undecided"]
MOST = 0.5
"""Answers are one number a matrix where more than this share of their variance is between matrices."""
FALLEN = 0.05
"""The loss is still on its plateau where it is less than this share below that of answering 0."""
LITTLE = 0.1
"""A smaller correlation, of a hundredth of the variance, is none."""


def verdict(answers: Row, best: Row) -> Verdict:
    """Whether a checkpoint is on the shelf.

    Args:
        answers: its row of `answers`.
        best: its row of `candidates` of the best symmetric answer.

    Returns:
        `shelf` if most of the answers' variance is between matrices, they go with the best symmetric answer more than
        with that to other matrices, and the loss has not fallen; `none` if one of these is surely not so, or all
        answers are the same; else `undecided`.
    """
    between = Judged.of(answers, "between", MOST).side
    follows = Judged.beside(best, "correlation", best, "control", LITTLE).side
    flat = Judged.of(answers, "gain", FALLEN).side
    if between == "above" and follows == "above" and flat == "below":
        return "shelf"
    surely_not = between in ("below", "missing") or follows in ("below", "equal", "missing") or flat == "above"
    return "none" if surely_not else "undecided"


@dataclass(frozen=True)
class Stretch:
    """The checkpoints that are on the shelf, one after the other.

    Attributes:
        state: `shelf`, `none`, or `undecided` where no checkpoint is on one and some may be.
        first, last: the longest stretch's steps; None without one.
        before, after: the kept steps around it; None where there is none.
    """

    state: Verdict
    first: int | None = None
    last: int | None = None
    before: int | None = None
    after: int | None = None


def stretch(steps: Sequence[int], verdicts: Sequence[Verdict]) -> Stretch:
    """The longest stretch of checkpoints that are on the shelf, the first of those that are as long.

    Args:
        steps: increasing.
        verdicts: of each.
    """
    runs = [(name, [at for at, _ in group]) for name, group in groupby(enumerate(verdicts), key=lambda each: each[1])]
    longest = max((places for name, places in runs if name == "shelf"), key=len, default=None)
    if longest is None:
        return Stretch("undecided" if "undecided" in verdicts else "none")
    first, last = longest[0], longest[-1]
    before = steps[first - 1] if first else None
    after = steps[last + 1] if last + 1 < len(steps) else None
    return Stretch("shelf", steps[first], steps[last], before, after)


def stretch_words(facts: Mapping[str, Any]) -> str:
    """From which kept checkpoint to which a stored shelf is, in words; empty without one."""
    first, last = facts["first"], facts["last"]
    if facts["state"] != "shelf":
        return ""
    return f"at step {first:,}" if first == last else f"from step {first:,} to {last:,}"


def explained_by(rows: Sequence[Row]) -> tuple[str, list[str]]:
    """The candidate whose correlation is the largest at a step, and those that are not told apart from it.

    Args:
        rows: of `candidates` at the step, without the truth; those without a correlation are passed over.

    Returns:
        empty where the largest correlation is not surely above `LITTLE`.
    """
    known = sorted((row for row in rows if not math.isnan(row["correlation"])), key=lambda row: -row["correlation"])
    if not known or Judged.of(known[0], "correlation", LITTLE).side != "above":
        return "", []
    alike = [str(row["candidate"]) for row in known[1:] if Judged.of(row, "behind").side != "above"]
    return str(known[0]["candidate"]), alike
