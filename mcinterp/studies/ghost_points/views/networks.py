"""Trained recurrent networks of the ghost mechanism: who learns and who dies, dead ones revived, velocities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from mcinterp.report.numbers import ABSENT, interval, is_absent, number, plural
from mcinterp.report.parts import FigureView, Section
from mcinterp.report.tables import table_view
from mcinterp.results import Result
from mcinterp.studies.ghost_points.figures.networks import (
    network_losses_figure,
    network_outcomes_figure,
    network_velocity_figure,
)

LOSSES = "Losses of the first networks of every learning rate, on a logarithmic axis."
SWEEPS = {
    "rate": "By learning rate: share of networks whose loss ends low, and of those that had dropped and are back, "
    "with exact 95 % intervals.",
    "gain": "The same by the gain of the output σ(gain · (κ − 1)), at the preset's learning rate.",
    "rank": "By the rank of the recurrent weights, with a trained read-out; here the loss has to end below 1 % of its "
    "first, as in the paper.",
}
MEASURES = {"rate": "learned", "gain": "learned", "rank": "strictly"}
"""The measure of success along each sweep."""
LEARNS = {"learned": "has learned in the end", "strictly": "ends below 1 % of its first loss"}
VELOCITY = (
    "Velocity κ̇ = −κ + n·tanh(m κ + b) of the preset's network at stages of its training; bold, the way from where the "
    "task begins to the threshold at 1 (dashed), at which the output is ½."
)
WHERE = {
    "untrained": "before training",
    "plateau": "before the drop",
    "drop": "in the drop",
    "after": "after it",
    "end": "in the end",
}


def networks(result: Result, others: Mapping[str, Result]) -> Section:
    """Show what became of the networks."""
    outcomes = result.table("outcomes")
    figures = [FigureView(LOSSES, network_losses_figure(result))]
    parts = {str(sweep): rows for sweep, rows in outcomes.groupby("sweep", sort=False)}
    figures += [
        FigureView(SWEEPS[sweep], network_outcomes_figure(rows, sweep, MEASURES[sweep]))
        for sweep, rows in parts.items()
    ]
    sentences = [_along(sweep, rows) for sweep, rows in parts.items()] + [_detected(result)]
    tables = [
        table_view(outcomes, result.tables["outcomes"].columns, "What became of the networks"),
        table_view(result.table("drops"), result.tables["drops"].columns, "What the detector finds in their losses"),
    ]
    return Section(result.name, result.title, sentences, figures, tables)


def _along(sweep: str, rows: pd.DataFrame) -> str:
    """The shares that learned, along a sweep."""
    words = {"rate": "learning rate", "gain": "gain of the output", "rank": "rank"}
    measure = MEASURES[sweep]
    values = ", ".join(f"{row[sweep]:g}: {row[measure]:.0%}" for row in rows.to_dict("records"))
    n = plural(int(rows["n"].iloc[0]), "network")
    text = f"Share of {n} that {LEARNS[measure]}, by {words[sweep]} — {values}"
    died = rows[rows["died"] > 0]
    if died.empty:
        return f"{text}; none had dropped and died."
    values = ", ".join(f"{row[sweep]:g}: {row['died']:.0%}" for row in died.to_dict("records"))
    return f"{text}; had dropped and died — {values}."


def _detected(result: Result) -> str:
    rate = result.facts["reference_rate"]
    rows = result.table("drops")
    row = rows[rows["rate"] == rate].iloc[0]
    if not row["n_found"]:
        return f"At the learning rate {rate:g} the detector finds a drop in no network's loss."
    start = interval(row["start"], row["start_low"], row["start_high"])
    return (
        f"At the learning rate {rate:g} the detector finds a drop in {row['found']:.0%} of the networks' losses, which "
        f"starts at update {start} on average (n = {int(row['n_found'])}), and at {rows['rate'].min():g} in "
        f"{rows.iloc[int(rows['rate'].argmin())]['found']:.0%}."
    )


def revival(result: Result, others: Mapping[str, Result]) -> Section:
    """Show what a lower gain does to dead networks."""
    frame = result.table("revival")
    if frame.empty:
        return Section(result.name, result.title, ["No network died, so that none could be revived."])
    first = frame.iloc[0]
    words = [f"{_share(row, 'after')} at gain {row['gain']:g}" for row in frame.to_dict("records")]
    sentences = [
        f"{plural(int(first['n']), 'network')} that had dropped and died at gain {first['gain']:g} went on for "
        f"{plural(int(first['updates']), 'update')} at learning rate {first['rate']:g}. Then the share of steps on the "
        f"right side of ½ was {', '.join(words)}.",
        f"Their gradient, {_power(first)} at gain {first['gain']:g}, is {_power(frame.iloc[-1])} with the same weights "
        f"at gain {frame['gain'].iloc[-1]:g}.",
    ]
    tables = [table_view(frame, result.tables["revival"].columns, "Dead networks, by the gain that they go on with")]
    return Section(result.name, result.title, sentences, tables=tables)


def fields(result: Result, others: Mapping[str, Result]) -> Section:
    """Show velocities over training, and whether ghosts stand in them."""
    windows = result.table("windows")
    tables = [
        table_view(windows, result.tables["windows"].columns, "Roots and ghosts on the way to the threshold"),
        table_view(result.table("stages"), result.tables["stages"].columns, "The network that is drawn", folded=True),
    ]
    figures = [FigureView(VELOCITY, network_velocity_figure(result))]
    return Section(result.name, result.title, _field_sentences(windows, result), figures, tables)


def _field_sentences(windows: pd.DataFrame, result: Result) -> list[str]:
    n = int(windows["n"].max())
    if not n:
        return ["No network has a drop, so that there is no before and after."]
    rows = [row for row in windows.to_dict("records") if row["checkpoints"]]
    free = [f"{row['rootless']:.0%} {WHERE[row['window']]}" for row in rows]
    ghosts = [f"{row['ghost']:.0%} {WHERE[row['window']]}" for row in rows]
    sentences = [
        f"Share of {plural(n, 'network')} whose velocity leads to the threshold at some checkpoint, without a root "
        f"on the way: {', '.join(free)}.",
        f"Share with a ghost, a speed near zero inside such a way: {', '.join(ghosts)}.",
    ]
    lowest = [
        f"{interval(row['lowest'], row['lowest_low'], row['lowest_high'])} {WHERE[row['window']]}"
        for row in rows
        if not is_absent(row["lowest"])
    ]
    if lowest:
        sentences.append(f"Lowest speed on such ways, over the fastest there: {', '.join(lowest)}.")
    return [*sentences, f"Of the network drawn here the detector says: {result.facts['transition']}. {_roots(result)}"]


def _roots(result: Result) -> str:
    """Where the velocity of the network that is drawn has its root, stage by stage."""
    rows = result.table("stages").to_dict("records")
    places = ", ".join(f"{number(row['root'])} ({row['stage']})" for row in rows)
    return f"Its root nearest to the beginning is at {places}; the threshold is at {number(result.facts['threshold'])}."


def _share(row: Mapping[Any, Any], name: str) -> str:
    return interval(row[name], row[f"{name}_low"], row[f"{name}_high"])


def _power(row: pd.Series) -> str:
    return ABSENT if is_absent(row["gradient"]) else f"about {number(10 ** float(row['gradient']), 2)}"
