"""Which known algorithm a run's checkpoints answer like, and which mixture of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby

import pandas as pd

from mcinterp.analysis.judged import NEGLIGIBLE, Judged
from mcinterp.analysis.passes.oracle_mixtures import ALL, NULLS, OTHERS, SINGLE
from mcinterp.report.figures import oracle_contexts_figure, over_steps_figure
from mcinterp.report.numbers import interval, number
from mcinterp.report.parts import FigureView, Section
from mcinterp.report.scores import batch, capital
from mcinterp.report.tables import table_view
from mcinterp.report.views.plateau import transition_of
from mcinterp.results import Result

UNDECIDED = "no algorithm is told apart as the nearest"


def view(result: Result, beside: Mapping[str, Result]) -> Section:
    """Show a run's distances to algorithms by step and context, and their mixtures."""
    tables = result.tables
    titles = {
        "nearest": "The nearest algorithm by step and context",
        "mixtures": "What mixtures leave",
        "weights": "Their weights",
        "distances": "Every distance",
    }
    return Section(
        result.name,
        result.title,
        sentences(result),
        list(_figures(result, transition_of(beside))),
        [
            table_view(tables[name].frame, tables[name].columns, title, folded=name != "nearest")
            for name, title in titles.items()
        ],
    )


def sentences(result: Result) -> list[str]:
    """The nearest algorithm at the last step and along the way, and what a mixture of all leaves."""
    return [_last(result), _phases(result), *_mixture(result)]


def _last(result: Result) -> str:
    rows = _main(result, "nearest")
    row, where = rows.iloc[-1], result.facts["contexts"][0]
    samples = batch(row["n"], row["seed"], result.facts["sample_names"][1])
    distances = _main(result, "distances")
    found = distances[(distances["step"] == row["step"]) & (distances["oracle"] == row["nearest"])].iloc[0]
    margin = interval(row["margin"], row["margin_low"], row["margin_high"])
    said = Judged.of(row, "margin").say(
        f"nearest to {row['nearest']}{_null(row)}, before {row['second']} by {margin}",
        UNDECIDED,
        f"not told apart between {row['nearest']} and {row['second']}, {margin} behind",
    )
    return (
        f"At step {number(row['step'])} the answers at {where} places ({samples}) are {said}; the distance to "
        f"{row['nearest']} is {interval(found['distance'], found['distance_low'], found['distance_high'])} "
        f"({result.facts['divergence']}; an untrained model's {number(found['untrained'])})."
    )


def _null(row: pd.Series) -> str:
    return ", which looks at nothing but the last token" if row["null"] else ""


def _phases(result: Result) -> str:
    """The stretches of steps at which one algorithm is nearest."""
    rows = _main(result, "nearest")
    told = [(row["nearest"] if row["verdict"] == "nearest" else "", row["step"]) for _, row in rows.iterrows()]
    parts = []
    for name, group in groupby(told, key=lambda each: each[0]):
        steps = [step for _, step in group]
        where = f"at step {number(steps[0])}" if len(steps) == 1 else f"from {number(steps[0])} to {number(steps[-1])}"
        parts.append(f"{where} {name or UNDECIDED}")
    return f"Nearest by step: {'; '.join(parts)}."


def _mixture(result: Result) -> Iterator[str]:
    rows = result.table("mixtures")
    rows = rows[rows["step"] == rows["step"].max()].set_index("base")
    whole, single = rows.loc[ALL], rows.loc[SINGLE]
    verdict = Judged.of(whole, "gain").say(
        "less than the best one alone", "more than the best one alone", "not told apart from the best one alone"
    )
    controls = [
        f"{words} {_left(rows.loc[base])}"
        for base, words in ((NULLS, "those without context alone"), (OTHERS, "those of other samples"))
        if base in rows.index
    ]
    yield (
        f"There, a mixture of all algorithms, fitted on one half of the samples, leaves a distance of {_left(whole)} "
        f"on the other: {verdict} ({_left(single)}). Controls: {', '.join(controls)}."
    )
    if NULLS in rows.index:
        small = NEGLIGIBLE * float(single["left"])
        if Judged.beside(rows.loc[NULLS], "left", whole, "left", small).side != "above":
            yield "That what looks at the context explains more than what does not is not shown."


def _left(row: pd.Series) -> str:
    return interval(row["left"], row["left_low"], row["left_high"])


def _main(result: Result, table: str) -> pd.DataFrame:
    """The rows of the context that is looked at first."""
    frame = result.table(table)
    return frame[frame["context"] == result.facts["contexts"][0]].sort_values("step", kind="stable")


def _figures(result: Result, transition: Mapping[str, object]) -> Iterator[FigureView]:
    words, where = result.facts["divergence"], result.facts["contexts"][0]
    shaded = "by step (shaded: the drop of the loss), with 95 % interval"
    distances, last = _main(result, "distances"), int(result.table("distances")["step"].max())
    yield FigureView(
        f"{capital(words)}, at {where} places, {shaded}; dashed: an untrained model.",
        over_steps_figure(distances, "distance", "oracle", words, transition, ["untrained"]),
    )
    if len(result.facts["contexts"]) > 2:
        yield FigureView(
            f"{capital(words)} at step {number(last)}, by how many tokens have been seen, with 95 % interval.",
            oracle_contexts_figure(result, last),
        )
    yield FigureView(
        "Weights of the mixture of all algorithms by step, mean of the two halves' (shaded: the drop of the loss).",
        over_steps_figure(result.table("weights"), "weight", "oracle", "weight", transition),
    )
    mixtures = result.table("mixtures")
    yield FigureView(
        f"What mixtures leave of the answers, {shaded}: of all algorithms, the best one, and controls.",
        over_steps_figure(mixtures, "left", "base", words, transition),
    )
