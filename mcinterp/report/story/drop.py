"""When did it drop? From the stored curve of the training and its transitions."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from markupsafe import Markup

from mcinterp.report.numbers import number
from mcinterp.report.scores import capital, curve_name
from mcinterp.report.story.finding import Finding
from mcinterp.report.story.pictures import line
from mcinterp.report.story.told import Told
from mcinterp.results import Result

QUESTION = "When did it drop?"
STILL = 0.05
"""A curve whose ends differ by a smaller share is told as one that did not move."""


def drop(told: Told) -> Finding | None:
    """The drop, the largest where there are several; or that there is none, or that it cannot be told."""
    if told.run is None or told.here is not None:
        return None
    transition = told.run.facts.get("transition") or {}
    curve = curve_of(told.run)
    if told.drops:
        return _dropped(told, transition, curve)
    return _not_dropped(told, transition, curve)


def curve_of(run: Result) -> pd.Series:
    """The progress score by step, as far as it is known."""
    frame, score = run.table("curve"), str(run.facts.get("progress_score", ""))
    return frame.set_index("step")[score].dropna() if score in frame else pd.Series(dtype=float)


def _dropped(told: Told, largest: Mapping[str, object], curve: pd.Series) -> Finding:
    steepest, several = float(str(largest["steepest"])), len(told.drops) > 1
    times = f"{len(told.drops)} times, most of all" if several else "once, fastest"
    where, signal = f"step {number(round(steepest))}", told.drops[0].get("signal")
    many = signal is None or several  # an earlier version's drop has none
    noise = "beyond the noise before it" if many else f"the fall is {number(signal, 2)} times the noise before it"
    return Finding(
        "drop",
        QUESTION,
        f"{told.progress} falls abruptly {times} at {where}",
        where,
        "found",
        f"confidence {largest.get('confidence')}: {noise}",
        told.beside("training", "the curve"),
        picture(told, curve, steepest),
    )


def picture(told: Told, curve: pd.Series, mark: float | None = None) -> Markup:
    """The curve with its drops."""
    return line(curve.index.tolist(), curve.tolist(), f"{told.progress} by step", told.drops, mark)


def _not_dropped(told: Told, transition: Mapping[str, object], curve: pd.Series) -> Finding:
    where = told.beside("training", "the curve")
    if len(curve) < 2:
        return Finding("drop", QUESTION, "It was not trained: there is no curve", "", "not measured", "", where)
    if transition.get("confidence") == "undecided":
        said = "Whether it dropped cannot be told: the curve has too few points"
        return Finding("drop", QUESTION, said, "", "undecided", "none: a drop could hide between the points", where)
    sentence, last, still = _gradual(told.progress, float(curve.iloc[0]), float(curve.iloc[-1]))
    return Finding(
        "drop",
        QUESTION,
        sentence,
        last,
        "no change" if still else "found",
        "no stretch of the curve stands out from its noise",
        where,
        picture(told, curve),
    )


def _gradual(name: str, first: float, last: float) -> tuple[str, str, bool]:
    """What a curve without a drop does, its last value in that sentence, and whether it stays where it was."""
    still = _moved((first, last)) < STILL
    goes = "stays at" if still else "falls gradually to" if last < first else "rises to"
    return f"No abrupt drop: {name} {goes} {number(last)} (at first {number(first)})", number(last), still


def learned(told: Told) -> Finding | None:
    """Of a run without a drop, the score that moved most: what rose of what is told beside the loss, else what fell."""
    if told.run is None or told.drops or told.here is not None:
        return None
    frame = told.run.table("curve")
    names = [str(name) for name in frame if name != "step" and frame[name].dropna().size > 1]
    ends = {name: (float(own.iloc[0]), float(own.iloc[-1])) for name in names for own in [frame[name].dropna()]}
    rising = {name: ends[name] for name in told.run.facts.get("beside", ()) if name in ends and _rises(ends[name])}
    ends = rising or ends
    if not ends:
        return None
    name = max(ends, key=lambda each: _moved(ends[each]))
    first, last = ends[name]
    still, own = _moved((first, last)) < STILL, frame.set_index("step")[name].dropna()
    called, verb = curve_name(told.run, name), "stays at" if still else "rises to" if last > first else "falls to"
    return Finding(
        "learned",
        "What has it learned?",
        f"{_begun(called)} {verb} {number(last)} over training (at first {number(first)})",
        number(last),
        "no change" if still else "found",
        "none: a curve over training batches, averaged over stretches of steps",
        told.beside("training", "the curves"),
        line(own.index.tolist(), own.tolist(), f"{called} by step"),
    )


def _begun(name: str) -> str:
    """A name at the beginning of a sentence, unless it is a symbol."""
    return name if "_" in name else capital(name)


def _rises(ends: tuple[float, float]) -> bool:
    return ends[1] > ends[0] and _moved(ends) >= STILL


def _moved(ends: tuple[float, float]) -> float:
    """How far apart two values are, as a share of the larger."""
    most = max(abs(ends[0]), abs(ends[1]))
    return abs(ends[1] - ends[0]) / most if most else 0.0
