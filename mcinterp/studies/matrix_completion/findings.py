"""What a page of a run says first of a model of matrices: what it answers, and which completion that is nearest to."""

from __future__ import annotations

import pandas as pd

from mcinterp.analysis.judged import Judged
from mcinterp.report.numbers import is_absent, number
from mcinterp.report.scores import Scores
from mcinterp.report.story.answers import against_zero, answers_question, answers_step, better, score_row
from mcinterp.report.story.finding import Finding, State
from mcinterp.report.story.pictures import bars
from mcinterp.report.story.told import Told
from mcinterp.studies.matrix_completion.known_answers import ZERO
from mcinterp.studies.matrix_completion.passes.shelf_verdicts import stretch_words

SMALL = 0.05
"""Observed entries whose error is a smaller share of that of answering 0 are copied; answers whose mean square is a
smaller share of the entries' are told as 0."""
DRAWN = 4
"""Completions in the picture, the nearest ones."""


def answered(told: Told) -> Finding | None:
    """Whether observed entries are copied, and whether masked ones are answered better than by 0, or by 0."""
    step, known = answers_step(told), told.rows("course", "known")
    if step is None or known.empty:
        return None
    scores = Scores.of(told.compared["course"])
    seen, hidden = (score_row(told, step, name) for name in ("observed", "masked"))
    if is_absent(hidden["of_zero"]) or is_absent(seen["of_zero"]):
        return None
    size = _size(known, step, float(hidden["zero"]))
    ratio = f"{number(hidden['of_zero'])} times"
    sentence = (
        f"{_copies(seen)} and {_at_masked(hidden, size)}: L_mask is {ratio} that of answering 0 (step {number(step)})"
        f"{_on_shelf(told)}"
    )
    state: State = "undecided" if _copied(seen) == "undecided" else "found"
    return Finding(
        "before",
        answers_question(told),
        sentence,
        ratio,
        state,
        f"{against_zero(hidden, scores)}; L_obs is {number(100 * seen['of_zero'])} % of that of answering 0",
        told.beside("course"),
        bars({"L_obs": float(seen["of_zero"]), "L_mask": float(hidden["of_zero"])}, "errors over those of answering 0"),
    )


def _size(known: pd.DataFrame, step: int, mean_square: float) -> float:
    """Mean square of the answers at masked entries, which is how far they are from 0, over that of the entries."""
    rows = known[(known["step"] == step) & (known["answers"] == ZERO)]
    return float(rows.iloc[0]["distance"]) / mean_square


def _on_shelf(told: Told) -> str:
    """Of a run, where before its drop the answers are one number a matrix; empty where that is nowhere known."""
    shelf = told.compared.get("shelf")
    stretch = stretch_words(shelf.facts) if shelf is not None and told.here is None else ""
    return f"; {stretch} mostly by one number a matrix" if stretch else ""


def _copied(seen: pd.Series) -> str:
    if seen["of_zero_high"] < SMALL:
        return "copied"
    return "not copied" if seen["of_zero_low"] > SMALL else "undecided"


def _copies(seen: pd.Series) -> str:
    return {"copied": "It copies observed entries", "not copied": "It does not copy observed entries"}.get(
        _copied(seen), "Whether it copies observed entries is not told,"
    )


def _at_masked(hidden: pd.Series, size: float) -> str:
    if size < SMALL:
        return "answers about 0 at masked ones"
    return {"above": "answers masked ones better than by 0", "below": "answers masked ones worse than by 0"}.get(
        better(hidden).side, "answers masked ones no better than by 0"
    )


def nearest(told: Told) -> Finding | None:
    """The completion that the answers at masked entries are nearest to, and whether it is told apart from others."""
    result = told.result("algorithm")
    if result is None:
        return None
    frame = result.table("candidates")
    frame = frame[frame["defined"].notna()].sort_values("unexplained", kind="stable")
    if frame.empty or is_absent(frame.iloc[0]["unexplained"]):
        return None
    best, left = frame.iloc[0], f"{number(100 * frame.iloc[0]['unexplained'])} %"
    alike = [str(row["candidate"]) for _, row in frame.iloc[1:].iterrows() if _as_near(row)]
    nothing = best["candidate"] == ZERO
    said = (
        f"No completion is nearer to its answers than 0 is, which leaves {left} of them"
        if nothing
        else f"{str(best['candidate']).capitalize()}: it leaves {left} of its answers at masked entries"
    )
    also = f"; {len(alike)} of {len(frame) - 1} others are as near" if alike and not nothing else ""
    state: State = "no change" if nothing else "undecided" if alike else "found"
    return Finding(
        "nearest",
        "Which algorithm does it answer like?",
        f"{said}{also}",
        left,
        state,
        f"computed for other matrices it leaves {number(100 * best['control_scaled_unexplained'])} %; n = "
        f"{number(int(best['n']))}",
        told.at("algorithm"),
        bars(
            dict(zip(frame["candidate"].head(DRAWN), frame["unexplained"].head(DRAWN), strict=True)),
            "share of the answers that each leaves, nearest first",
        ),
    )


def _as_near(row: pd.Series) -> bool:
    """Whether a candidate that is not far off is not told apart from the nearest."""
    near = float(row["unexplained"]) < 1
    return near and Judged.of(row, "behind").side in ("undecided", "equal")
