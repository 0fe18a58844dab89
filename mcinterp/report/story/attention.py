"""What does it need? The main score with the attention of all heads made uniform, at one checkpoint."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from mcinterp.analysis.judged import NEGLIGIBLE, Judged
from mcinterp.report.figures.ablation import ablation_rows
from mcinterp.report.numbers import interval, is_absent, number
from mcinterp.report.parts import Link
from mcinterp.report.scores import Scores, batch, change
from mcinterp.report.story.finding import Finding, State
from mcinterp.report.story.pictures import line
from mcinterp.report.story.told import Told
from mcinterp.report.views.ablation import row_of


def attention(told: Told) -> Finding | None:
    """Whether the choice that attention makes is worth anything: from the ablation of all heads, or the course."""
    found = _ablated(told) or _followed(told)
    if found is None:
        return None
    scores, ratio, judged, said, where, step = found
    words = f"with the attention of every head made uniform, {scores.the} is {ratio} times as large"
    sentence = {
        "above": f"It needs attention: {words}",
        "below": f"Attention harms it: {words}",
        "equal": f"It does not need attention: {words}",
    }.get(judged.side, f"Whether it needs attention is not told: {words}")
    states: dict[str, State] = {"above": "found", "below": "found", "equal": "no change"}
    state = states.get(judged.side, "undecided")
    question = "What does it need?" if told.here is not None or not told.drops else _question(told, step)
    control = f"{_on_plateau(told)}{said}"
    return Finding("need", question, sentence, f"{ratio} times", state, control, where, _picture(told, step))


_Found = tuple[Scores, str, Judged, str, Link, int]
"""Scores, the ratio, the change judged, its interval in words, where it is shown, and of which step it is."""


def _ablated(told: Told) -> _Found | None:
    result = told.result("ablation")
    if result is None or told.step is None:
        return None
    scores, row = Scores.of(result), row_of(ablation_rows(result), "uniform", group="all")
    if row is None or is_absent(row[scores.ratio]):
        return None
    said = f"change {_ends(row, scores.delta)} ({batch(row['n'], row['seed'], scores.samples)}), paired"
    judged = change(row, scores.delta, row[scores.clean])
    return scores, number(row[scores.ratio]), judged, said, told.at("ablation"), told.step


def _followed(told: Told) -> _Found | None:
    frame = told.rows("course", "uniform")
    if frame.empty:
        return None
    step = told.here if told.here is not None else int(frame["step"].max())
    rows = frame[frame["step"] == step]
    if rows.empty or is_absent(rows.iloc[0]["ratio"]):
        return None
    row, scores = rows.iloc[0], Scores.of(told.compared["course"])
    judged = Judged.of(row, "change", negligible=NEGLIGIBLE * abs(float(row["clean"])))
    said = f"change {_ends(row, 'change')} ({batch(row['n'], row['seed'], scores.samples)}), paired"
    return scores, number(row["ratio"]), judged, said, told.beside("course"), step


def _ends(row: pd.Series, column: str) -> str:
    return interval(*(row[f"{column}{end}"] for end in ("", "_low", "_high")))


def _question(told: Told, step: int) -> str:
    return "What does it need after?" if step >= float(str(told.transition["end"])) else "What does it need?"


def _on_plateau(told: Told) -> str:
    """The same on the plateau, beside what it is later."""
    step, frame = told.plateau_step("course", "uniform"), told.rows("course", "uniform")
    if step is None or step == told.step:
        return ""
    row = frame[frame["step"] == step].iloc[0]
    return f"on the plateau (step {number(step)}) × {number(row['ratio'])}; "


def _picture(told: Told, step: int) -> Markup:
    frame = told.rows("course", "uniform")
    if frame.empty:
        return Markup()
    words = "the score with uniform attention over that without, by step"
    return line(frame["step"].tolist(), frame["ratio"].tolist(), words, told.drops, step)
