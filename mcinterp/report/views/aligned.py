"""Several runs: when each drops, how their plateaus compare, and how alike their drops are once aligned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from mcinterp.analysis.judged import Judged
from mcinterp.report.figures.aligned import aligned_figure, by_step_figure, classes_figure
from mcinterp.report.headers import header
from mcinterp.report.numbers import interval, is_absent, number, plural
from mcinterp.report.palette import table_colours
from mcinterp.report.parts import FigureView, Section
from mcinterp.report.scores import capital, curve_name
from mcinterp.report.tables import table_view
from mcinterp.results import Result

BY_STEP = "{score} of every run, averaged over stretches of {width}; dotted: the fastest fall of each run that drops."
ALIGNED = "{score} of the runs that drop, each shifted so that its fastest fall is at 0{mean}."
MEAN = "; black: their mean{law} with its 95 % band over {n} runs, where all of them are"
NO_BAND = "; a band over runs needs three of them"
CLASSES = (
    "Share of the heads of each class of {kind} at some checkpoints of every run; runs differ in dashes and marks."
)
LEADING = 2
"""So many figures are seen at once: the main score by step, and aligned."""
LIKE = 1.1
"""Curves that differ by a smaller factor once aligned are said to be alike."""
Row = Mapping[Any, Any]


def view(result: Result, _: Mapping[str, Result]) -> Section:
    """Show a comparison of several runs."""
    captions = {
        "runs": ("Every run", False),
        "averages": ("Averages over the runs that drop", False),
        "fields": (f"Where configurations differ from that of {result.facts['runs'][0]}", True),
        "classes": ("Heads of each class at some checkpoints", True),
    }
    colours = table_colours(result.table("classes"))
    tables = [
        table_view(_readable(result.table(name)), result.tables[name].columns, caption, folded=folded, colours=colours)
        for name, (caption, folded) in captions.items()
        if not result.table(name).empty
    ]
    return Section(result.name, result.title, sentences(result), _figures(result), tables, leading=LEADING)


def sentences(result: Result) -> list[str]:
    """Which runs drop, when, and how alike they are."""
    parts = [_drops(result), _without(result), _heights(result), _steps(result), _alike(result)]
    return [part for part in parts if part]


def _figures(result: Result) -> list[FigureView]:
    score = capital(curve_name(result, result.facts["progress_score"]))
    width = plural(int(result.facts["width"]), "step")
    figures = [FigureView(BY_STEP.format(score=score, width=width), by_step_figure(result))]
    dropped = result.facts["dropped"]
    for name in result.facts["scores"] if dropped else ():
        figures.append(
            FigureView(
                ALIGNED.format(score=capital(curve_name(result, name)), mean=_mean(result, name)),
                aligned_figure(result, name),
            )
        )
    classes = result.table("classes")
    for kind, (several, under) in result.facts["kind_words"].items():
        words = f"{several} ({under})" if under else several
        shown = classes[(classes["kind"] == kind) & classes["aligned_step"].notna() & (classes["class"] != "none")]
        if not shown.empty and shown["heads"].any():
            figures.append(FigureView(CLASSES.format(kind=words), classes_figure(result, kind)))
    return figures


def _mean(result: Result, score: str) -> str:
    n = len(result.facts["dropped"])
    if n < result.facts["least_runs"]:
        return NO_BAND
    law = " (of logarithms)" if score in result.facts["logarithmic"] else ""
    return MEAN.format(law=law, n=n)


def _drops(result: Result) -> str:
    runs, score = result.table("runs"), curve_name(result, result.facts["progress_score"])
    found = runs[runs["found"]]
    if found.empty:
        none = "Neither run" if len(runs) == 2 else f"None of {plural(len(runs), 'run')}"
        return f"{none} shows a sudden drop of {score}, so that nothing can be aligned."
    who = _all(len(runs)) if len(found) == len(runs) else f"{len(found)} of {plural(len(runs), 'run')}"
    verb = "drop" if len(found) > 1 else "drops"
    when = "; ".join(f"{row['run']} at {number(round(row['steepest']))}" for row in found.to_dict("records"))
    return f"{who} {verb}; {score} falls fastest at these steps: {when}."


def _all(count: int) -> str:
    return "Both runs" if count == 2 else f"All {count} runs"


def _without(result: Result) -> str:
    runs = result.table("runs")
    flat = list(runs[~runs["found"]]["run"])
    if not flat or len(flat) == len(runs):
        return ""
    why = "; ".join(f"{run} ({result.facts['statements'][run]})" for run in flat)
    return f"Left out of the alignment and of all averages, without a drop: {why}."


def _heights(result: Result) -> str:
    row = _averages(result).get("plateau")
    if row is None or row["n"] < 2:
        return ""
    last = _averages(result)["last_score"]
    return (
        f"The plateaus are {_range(row)} high, on average {_interval(row)} (n = {row['n']} runs); the last level is "
        f"{_range(last)}, on average {_interval(last)}."
    )


def _steps(result: Result) -> str:
    rows = _averages(result)
    if not rows or rows["steepest"]["n"] < 2:
        return ""
    steepest, duration = rows["steepest"], rows["duration"]
    values = [
        f"{_interval(row, whole=True)}, from {number(round(row['lowest']))} to {number(round(row['highest']))}"
        for row in (steepest, duration)
    ]
    few = " An interval over runs needs three of them." if is_absent(steepest["value_low"]) else ""
    return f"The mean step of the fastest fall is {values[0]}; the drop lasts {values[1]} steps.{few}"


def _alike(result: Result) -> str:
    """What aligning does to the differences between curves."""
    spread = result.facts["spread"]
    aligned, by_step = spread.get("aligned"), spread.get("by_step")
    if aligned is None or by_step is None:
        return ""
    factors = f"{number(aligned)} when aligned, of {number(by_step)} by step"
    told = f"Across the drops the curves differ by a factor of {factors}"
    if aligned < LIKE <= by_step:
        return f"{told}: they differ in when they drop, and hardly in how."
    verdict = Judged(aligned, aligned, aligned, by_step, (LIKE - 1) * by_step).say(
        "aligning them makes them less alike",
        "aligning them makes them more alike, but how they drop differs too",
        "what aligning does is undecided",
        "aligning them hardly changes how alike they are",
    )
    return f"{told}: {verdict}."


def _averages(result: Result) -> dict[str, Row]:
    return {row["quantity"]: row for row in result.table("averages").to_dict("records")}


def _interval(row: Row, whole: bool = False) -> str:
    ends = [row["value"], row["value_low"], row["value_high"]]
    return interval(*(round(end) if whole and not is_absent(end) else end for end in ends))


def _range(row: Row) -> str:
    low, high = number(row["lowest"]), number(row["highest"])
    return low if low == high else f"{low} to {high}"


def _readable(frame: pd.DataFrame) -> pd.DataFrame:
    """Quantities in words, and steps of a drop without decimals, which mean nothing: they are middles of stretches."""
    if "quantity" in frame:
        frame = frame.assign(quantity=frame["quantity"].map(header))
    steps = [name for name in ("start", "steepest", "end", "duration") if name in frame]
    return frame.assign(**{name: frame[name].round() for name in steps})
