"""The one-dimensional system of the ghost mechanism: what was measured of it, beside its closed forms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from mcinterp.report.numbers import interval, number, plural
from mcinterp.report.parts import FigureView, Section
from mcinterp.report.tables import table_view
from mcinterp.results import Result
from mcinterp.studies.ghost_points.figures.exact import (
    ghost_loss_figure,
    ghost_rates_figure,
    oscillation_figure,
    velocity_figure,
)

LEARNS = (
    "Velocity against state at stages of a run at a tenth of the critical rate. Its lowest point, at x = 0, is r: what "
    "training lowers, and where a root would appear at r = 0."
)
DIES = (
    "The same of a run at one and a half times the critical rate, one that its first step over the optimum leads into "
    "the no-learning zone, where the gradient is 0."
)
LOSS = (
    "Loss of a run that starts at {start:g} times the optimum, at {relative:g} of the critical learning rate; dashed: "
    "its closed form, until the optimum; grey: with the switch time itself as parameter. Shaded: the drop found."
)
RATES = "Share of runs in the no-learning zone at the end, with 95 % intervals, by learning rate; dashed: 3π⁴/(32 T⁵)."
OSCILLATION = "Mean |r − optimum| of settled runs, with 95 % intervals; dashed: ⅜ of the relative learning rate."


def velocity(result: Result, others: Mapping[str, Result]) -> Section:
    """Show the velocity fields."""
    runs = result.table("stages")["run"].unique()
    captions = {"learns": LEARNS, "dies": DIES}
    figures = [FigureView(captions.get(run, str(run)), velocity_figure(result, run)) for run in runs]
    tables = {
        "stages": ("Stages of the two runs", False),
        "passage": ("Numerical integration beside the closed form", True),
        "lowest": ("Lowest velocity at any epoch", True),
    }
    return _section(result, _velocity_sentences(result), figures, tables)


def _velocity_sentences(result: Result) -> list[str]:
    lowest, passage = result.table("lowest"), result.table("passage").iloc[0]
    rooted = int(lowest["roots"].sum())
    return [
        f"Of {plural(int(lowest['n'].sum()), 'run')} below the critical learning rate {rooted or 'none'} had a root of "
        f"its velocity at any epoch; the lowest velocity of all was {number(lowest['lowest'].min())} times the edge of "
        "the no-learning zone.",
        f"The state spends {number(passage['ghost_share'])} of its switch time where the velocity is at most twice its "
        f"lowest (n = {int(passage['n'])} values of r).",
    ]


def critical(result: Result, others: Mapping[str, Result]) -> Section:
    """Show the critical learning rates."""
    frame, slope = result.table("critical"), result.table("scaling").iloc[0]
    words = [
        f"{interval(row['ratio'], row['ratio_low'], row['ratio_high'])} at T = {row['target']:g}"
        for row in frame.to_dict("records")
    ]
    sentences = [
        f"The lowest learning rate at which a run ends in the no-learning zone, over 3π⁴/(32 T⁵), is {_listed(words)}. "
        "Random starts can find it only from above.",
        f"The slope of its logarithm on that of T is {_slope(slope)}.",
    ]
    tables = {"critical": ("Critical learning rates", False), "scaling": ("Power of T", True)}
    return _section(result, sentences, [], tables)


def rates(result: Result, others: Mapping[str, Result]) -> Section:
    """Show what becomes of runs at each learning rate."""
    frame = result.table("rates")
    below, above = frame[frame["relative"] < 1], frame[frame["relative"] > 1]
    dead = round((below["dead"] * below["n"]).sum())
    sentences = [
        f"Below the critical rate {dead or 'none'} of {plural(int(below['n'].sum()), 'run')} ended in the no-learning "
        f"zone, above it {_range(above['dead'], '.0%')}."
    ]
    full, part = above[above["dead"] == 1], above[above["dead"] < 1]
    if len(full) and len(part):
        sentences.append(
            f"All did from {full['relative'].min():g} times it on; where fewer do, the others have settled in a "
            "cycle that comes over the optimum from too far above."
        )
    return _section(result, sentences, [FigureView(RATES, ghost_rates_figure(result))], {"rates": ("Runs", True)})


def zone(result: Result, others: Mapping[str, Result]) -> Section:
    """Show the no-learning zone."""
    frame = result.table("zone")
    sentences = [
        f"The largest gradient in the zone is {number(frame['largest_gradient'].max())}; the lowest r that has one is "
        f"{_range(frame['edge_ratio'], '.12g')} times π²/(16 T²).",
        f"Of {plural(int(frame['landed'].sum()), 'run')} that landed there {int(frame['left'].sum()) or 'none'} left "
        f"it; the furthest that r moved there is {number(frame['moved'].max())}.",
    ]
    return _section(result, sentences, [], {"zone": ("The zone, by T", True)})


def oscillation(result: Result, others: Mapping[str, Result]) -> Section:
    """Show how runs settle."""
    frame, slope = result.table("oscillation"), result.table("slope").iloc[0]
    few = frame["relative"] <= result.facts["small_rate"]
    small, large = frame[few], frame[~few]
    sentences = [
        f"Up to {result.facts['small_rate']:g} of the critical rate the mean distance from the optimum is "
        f"{_range(small['ratio'], '.4f')} times ηT³/π², half of the step at the optimum; the slope of its logarithm on "
        f"that of the rate is {_slope(slope)}."
    ]
    if len(large):
        sentences.append(
            f"At larger rates it is {_range(large['ratio'], '.3f')} times that: steps are no longer small beside the "
            "optimum, and runs may settle in short cycles."
        )
    figures = [FigureView(OSCILLATION, oscillation_figure(result))]
    return _section(result, sentences, figures, {"oscillation": ("Settled runs", True), "slope": ("Slope", True)})


def drops(result: Result, others: Mapping[str, Result]) -> Section:
    """Show what the detector finds."""
    marks = result.table("marks").set_index("curve")
    sentences = [*_drop_sentences(result), *_nearest(result)]
    sentences += [f"Of the run drawn here it says: {marks.loc['learned', 'statement']!s}."]
    figures = [FigureView(LOSS.format(**result.facts["drawn"]), ghost_loss_figure(result))]
    tables = {
        "drops": ("The detector beside the closed form", True),
        "starts": ("From further and nearer starts", True),
        "marks": ("The curves drawn", True),
    }
    return _section(result, sentences, figures, tables)


def _drop_sentences(result: Result) -> list[str]:
    frame = result.table("drops")
    sentences = [
        f"By learning rate and length of the curve, the detector found a drop in {_range(frame['found'], '.0%')} of "
        f"the runs, and without a ghost in {_range(frame['control_found'], '.0%')}."
    ]
    if frame["start"].isna().all():
        return sentences
    words = {
        "start": "its start is off the closed form's",
        "end": "its end off the epoch at the optimum",
        "steepest": "its steepest point off that epoch",
    }
    off = [f"{text} by {_range(frame[name], '+.1%')}" for name, text in words.items()]
    sentences.append(f"On average {_listed(off)}.")
    return sentences


def _nearest(result: Result) -> list[str]:
    """From where on the plateau is too short beside the fall."""
    frame = result.table("starts").sort_values("start")
    seen, unseen = frame[frame["found"]], frame[~frame["found"]]
    if not len(seen) or not len(unseen) or unseen["start"].max() > seen["start"].min():
        return []
    return [
        f"Runs that start at {unseen['start'].max():g} times the optimum or nearer have a plateau too short "
        f"beside their fall to be told from a gradual one; it finds drops from {seen['start'].min():g} times on."
    ]


def _slope(row: pd.Series) -> str:
    return interval(row["slope"], row["slope_low"], row["slope_high"])


def _range(values: pd.Series, form: str) -> str:
    """The least and the most of several numbers, once where they print the same."""
    ends = [format(end, form).replace("-", "−") for end in (values.min(), values.max())]
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def _section(
    result: Result, sentences: Sequence[str], figures: Sequence[FigureView], tables: Mapping[str, tuple[str, bool]]
) -> Section:
    views = [
        table_view(result.table(name), result.tables[name].columns, caption, folded=folded)
        for name, (caption, folded) in tables.items()
    ]
    return Section(result.name, result.title, sentences, figures, views)


def _listed(parts: Sequence[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
