"""What did it do before the drop, or does at a step? Its main score beside that of answers that know nothing."""

from __future__ import annotations

import pandas as pd

from mcinterp.analysis.judged import NEGLIGIBLE, Judged
from mcinterp.report.numbers import interval, is_absent, number
from mcinterp.report.scores import Scores, batch
from mcinterp.report.story.finding import Finding, State
from mcinterp.report.story.pictures import bars
from mcinterp.report.story.told import Told


def answers_step(told: Told) -> int | None:
    """The step whose answers are told of: the page's, else one of the plateau, else the last."""
    frame = told.rows("course", "scores")
    if frame.empty:
        return None
    if told.here is not None:
        return told.here if (frame["step"] == told.here).any() else None
    plateau = told.plateau_step("course", "scores")
    return plateau if plateau is not None else int(frame["step"].max())


def answers_question(told: Told) -> str:
    """What is asked of the answers at that step."""
    if told.here is not None:
        return "What does it answer?"
    return "What did it do before?" if told.drops else "Is it better than knowing nothing?"


def score_row(told: Told, step: int, score: str) -> pd.Series:
    """A row of the course's scores."""
    frame = told.rows("course", "scores")
    return frame[(frame["step"] == step) & (frame["score"] == score)].iloc[0]


def better(row: pd.Series) -> Judged:
    """By how much a score is better than knowing nothing, where it has to be a share of that to matter."""
    return Judged.of(row, "gained", negligible=NEGLIGIBLE * abs(float(row["zero"])))


def against_zero(row: pd.Series, scores: Scores) -> str:
    """The paired difference from answers that know nothing, as the control of a sentence."""
    apart = interval(*(row[f"gained{end}"] for end in ("", "_low", "_high")))
    return f"{scores.zero} ({batch(row['n'], row['seed'], scores.samples)}): {apart} better, paired"


def answers(told: Told) -> Finding | None:
    """The main score of the model beside that of answers that know nothing."""
    step = answers_step(told)
    if step is None:
        return None
    scores = Scores.of(told.compared["course"])
    row = score_row(told, step, scores.main)
    if is_absent(row["of_zero"]):
        return None
    side, ratio = better(row).side, number(row["of_zero"])
    said = {
        "above": f"it is better than {scores.zero}",
        "below": f"it is worse than {scores.zero}",
        "equal": f"it does what {scores.zero} does",
    }.get(side, f"it is not told apart from {scores.zero}")
    states: dict[str, State] = {"above": "found", "below": "found", "equal": "no change"}
    return Finding(
        "before",
        answers_question(told),
        f"At step {number(step)} {said}: {scores.the} is {ratio} times as large",
        f"{ratio} times",
        states.get(side, "undecided"),
        against_zero(row, scores),
        told.beside("course"),
        bars(
            {"model": float(row["value"]), "control": float(row["zero"])},
            f"{scores.the} beside that of {scores.zero}",
        ),
    )
