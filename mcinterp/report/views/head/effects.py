"""What ablating and patching a head alone does."""

from __future__ import annotations

import pandas as pd

from mcinterp.analysis.judged import Judged
from mcinterp.report.figures import over_steps_figure
from mcinterp.report.numbers import number
from mcinterp.report.parts import FigureView, Section
from mcinterp.report.scores import Scores, batch, capital
from mcinterp.report.tables import table_view
from mcinterp.report.views.ablation import delta, effect, hidden_columns
from mcinterp.report.views.head.course import Course, first_columns, meanings, missing
from mcinterp.report.views.patching import gap, nearer

HIDDEN = {"group", "heads", "kind", "seed", "head"}
"""Columns left to the CSV files."""


def ablation_section(course: Course) -> Section:
    """What the ablation of this head alone does, at every step."""
    frame = course.rows("ablation", "ablation", "heads")
    if frame.empty:
        return Section("ablation", "Ablated alone", [missing("an ablation of this head on its own")])
    scores = Scores.of(next(iter(course.having("ablation").values())))
    frame = first_columns(frame, ["step", "method", scores.clean, scores.mean, scores.delta, scores.share])
    figures = [] if frame[scores.delta].isna().all() else [_ablation_figure(course, frame, scores)]
    hide = HIDDEN | hidden_columns(scores)
    table = table_view(frame, meanings(course, "ablation"), "Every ablation of this head", hide=hide, folded=True)
    return Section("ablation", "Ablated alone", [ablation_sentence(course.head, frame, scores)], figures, [table])


def _ablation_figure(course: Course, frame: pd.DataFrame, scores: Scores) -> FigureView:
    title = f"change of {scores.the}"
    return FigureView(
        f"{capital(title)} when this head alone is ablated, with 95 % interval: above 0 the ablation hurts.",
        over_steps_figure(frame, scores.delta, "method", title, course.transition),
    )


def ablation_sentence(head: str, frame: pd.DataFrame, scores: Scores) -> str:
    """What the first method does at the last step, and where it does most."""
    method, column = frame["method"].iloc[0], scores.delta
    rows = frame[(frame["method"] == method) & frame[column].notna()]
    if rows.empty:
        return f"{scores.absent}, so that there is no {scores.said} to change."
    last, n = rows.iloc[-1], rows["step"].nunique()
    text = (
        f"Ablating {head} alone ({method}, {batch(last['n'], last['seed'], scores.samples)}) {effect(last, scores)} at "
        f"step {number(last['step'])}: change {delta(last, scores)}, × {number(last[scores.ratio])}{_against(last)}."
    )
    if n == 1:
        return text
    most = rows.loc[rows[column].abs().idxmax()]
    clear = sum(Judged.of(row, column).side in ("above", "below") for _, row in rows.iterrows())
    return (
        f"{text} Over the {n} analysed steps the largest change is {delta(most, scores)}, at step "
        f"{number(most['step'])}; it measurably differs from 0 at {number(clear)} of them."
    )


def _against(row: pd.Series) -> str:
    verdict = row.get("verdict")
    return f"; verdict: {verdict}" if isinstance(verdict, str) and verdict else ""


def patching_section(course: Course) -> Section:
    """What patching this head alone does, at every step."""
    frame = course.rows("patching", "patching", "heads")
    if frame.empty:
        return Section("patching", "Patched alone", [missing("a patching of this head on its own")])
    scores = Scores.of(next(iter(course.having("patching").values())))
    frame = _with_self(frame, course).assign(what=lambda rows: rows["direction"] + ", " + rows["entries"])
    caption = (
        f"How much nearer the output is to the source's {scores.sample} than to the base's when this head alone "
        "carries the source's, with 95 % interval. Dashed: nothing exchanged (the control self)."
    )
    figure = over_steps_figure(frame, "nearer", "what", gap(scores), course.transition, ["unpatched"])
    first = ["step", "direction", "entries", "nearer", "unpatched"]
    words = {**meanings(course, "patching"), "unpatched": "nearer of the control self: nothing exchanged"}
    table = table_view(
        first_columns(frame, first), words, "Every patch of this head", hide=HIDDEN | {"what"}, folded=True
    )
    return Section(
        "patching",
        "Patched alone",
        [patching_sentence(course.head, frame, scores)],
        [FigureView(caption, figure)],
        [table],
    )


def _with_self(frame: pd.DataFrame, course: Course) -> pd.DataFrame:
    """The rows with what the control `self` has in its place."""
    keys = ["step", "direction", "entries"]
    control = course.tables.rows("self", "patching", "patching", "group")
    if control.empty:
        return frame.assign(unpatched=float("nan"))
    control = control[[*keys, "nearer"]].rename(columns={"nearer": "unpatched"}).drop_duplicates(keys)
    return frame.merge(control, how="left", on=keys)


def patching_sentence(head: str, frame: pd.DataFrame, scores: Scores) -> str:
    """Where the head alone brings the main score's answers at the last step."""
    rows = frame[(frame["direction"] == frame["direction"].iloc[0]) & (frame["entries"] == scores.main)]
    rows = rows[rows["nearer"].notna()]
    if rows.empty:
        return f"{scores.absent}, so that there is nothing to bring nearer."
    row, sample = rows.iloc[-1], scores.sample
    side = Judged.of(row, "nearer").say(
        f"nearer to the source's {sample} than to the base's",
        f"nearer to the base's {sample} than to the source's",
        f"measurably nearer neither to the source's {sample} nor to the base's",
    )
    text = (
        f"With {head} alone patched ({row['direction']}, {batch(row['n'], row['seed'], scores.samples)}) the "
        f"{scores.where} are {side} at step {number(row['step'])}: {gap(scores)} is {nearer(row)}"
    )
    known = pd.notna(row["unpatched"])
    return f"{text}; with nothing exchanged it is {number(row['unpatched'])}." if known else f"{text}."
