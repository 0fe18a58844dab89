"""What ablating and patching a head alone does."""

from __future__ import annotations

import pandas as pd

from mcinterp.report.figures import over_steps_figure
from mcinterp.report.numbers import interval, number
from mcinterp.report.parts import FigureView, Section
from mcinterp.report.tables import table_view
from mcinterp.report.views.head.course import Course, first_columns, meanings, missing

HIDDEN = {
    "group",
    "heads",
    "kind",
    "seed",
    "p_value",
    "n_controls",
    "total_mse",
    "total_mse_clean",
    "control_delta_min",
}
HIDDEN |= {"control_delta_max", "head"}
"""Columns left to the CSV files."""


def ablation_section(course: Course) -> Section:
    """What the ablation of this head alone does, at every step."""
    frame = course.rows("ablation", "ablation", "heads")
    if frame.empty:
        return Section("ablation", "Ablated alone", [missing("This head was ablated on its own")])
    frame = first_columns(frame, ["step", "method", "masked_mse_clean", "masked_mse", "masked_ratio", "masked_delta"])
    figures = [] if frame["masked_delta"].isna().all() else [_ablation_figure(course, frame)]
    table = table_view(frame, meanings(course, "ablation"), "Every ablation of this head", hide=HIDDEN, folded=True)
    return Section("ablation", "Ablated alone", [ablation_sentence(course.head, frame)], figures, [table])


def _ablation_figure(course: Course, frame: pd.DataFrame) -> FigureView:
    return FigureView(
        "Change of the masked MSE when this head alone is ablated, with 95 % interval: above 0 the ablation hurts.",
        over_steps_figure(frame, "masked_delta", "method", "change of the masked MSE", course.transition),
    )


def ablation_sentence(head: str, frame: pd.DataFrame) -> str:
    """What the first method does at the last step, and where it does most."""
    method = frame["method"].iloc[0]
    rows = frame[(frame["method"] == method) & frame["masked_delta"].notna()]
    if rows.empty:
        return "No entry was masked, so that there is no masked error to change."
    last, n = rows.iloc[-1], rows["step"].nunique()
    text = (
        f"Ablating {head} alone ({method}, n = {number(last['n'])}) {_verb(last)} the masked MSE at step "
        f"{number(last['step'])}: change {_delta(last)}, × {number(last['masked_ratio'])}{_against(last)}."
    )
    if n == 1:
        return text
    most = rows.loc[rows["masked_delta"].abs().idxmax()]
    clear = ((rows["masked_delta_low"] > 0) | (rows["masked_delta_high"] < 0)).sum()
    return (
        f"{text} Over the {n} analysed steps the largest change is {_delta(most)}, at step {number(most['step'])}; the "
        f"interval excludes 0 at {number(int(clear))} of them."
    )


def _verb(row: pd.Series) -> str:
    if row["masked_delta_low"] > 0:
        return "raises"
    return "lowers" if row["masked_delta_high"] < 0 else "does not measurably change"


def _against(row: pd.Series) -> str:
    verdict = row.get("verdict")
    return f"; against other heads of its layer: {verdict}" if isinstance(verdict, str) and verdict else ""


def _delta(row: pd.Series) -> str:
    return interval(row["masked_delta"], row["masked_delta_low"], row["masked_delta_high"])


def patching_section(course: Course) -> Section:
    """What patching this head alone does, at every step."""
    frame = course.rows("patching", "patching", "heads")
    if frame.empty:
        return Section("patching", "Patched alone", [missing("This head was patched on its own")])
    frame = _with_self(frame, course).assign(what=lambda rows: rows["direction"] + ", " + rows["entries"])
    caption = (
        "How much nearer the output is to the source's matrix than to the base's when this head alone carries the "
        "source's, with 95 % interval. Dashed: nothing exchanged (the control self)."
    )
    figure = over_steps_figure(frame, "nearer", "what", "MSE to base − MSE to source", course.transition, ["unpatched"])
    first = ["step", "direction", "entries", "nearer", "unpatched"]
    words = {**meanings(course, "patching"), "unpatched": "nearer of the control self: nothing exchanged"}
    table = table_view(
        first_columns(frame, first), words, "Every patch of this head", hide=HIDDEN | {"what"}, folded=True
    )
    return Section(
        "patching", "Patched alone", [patching_sentence(course.head, frame)], [FigureView(caption, figure)], [table]
    )


def _with_self(frame: pd.DataFrame, course: Course) -> pd.DataFrame:
    """The rows with what the control `self` has in its place."""
    keys = ["step", "direction", "entries"]
    control = course.tables.rows("self", "patching", "patching", "group")
    if control.empty:
        return frame.assign(unpatched=float("nan"))
    control = control[[*keys, "nearer"]].rename(columns={"nearer": "unpatched"}).drop_duplicates(keys)
    return frame.merge(control, how="left", on=keys)


def patching_sentence(head: str, frame: pd.DataFrame) -> str:
    """Where the head alone brings the masked entries at the last step."""
    rows = frame[(frame["direction"] == frame["direction"].iloc[0]) & (frame["entries"] == "masked")]
    rows = rows[rows["nearer"].notna()]
    if rows.empty:
        return "No entry was masked, so that there is nothing to bring nearer."
    row = rows.iloc[-1]
    side = "base's matrix than to the source's" if row["nearer"] < 0 else "source's matrix than to the base's"
    text = (
        f"With {head} alone patched ({row['direction']}, n = {number(row['n'])}) the masked entries are nearer to the "
        f"{side} at step {number(row['step'])}: MSE to base − MSE to source is "
        f"{interval(row['nearer'], row['nearer_low'], row['nearer_high'])}"
    )
    known = pd.notna(row["unpatched"])
    return f"{text}; with nothing exchanged it is {number(row['unpatched'])}." if known else f"{text}."
