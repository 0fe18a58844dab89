"""Concept signals, paths, hidden capabilities and images, as sections of a page."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from mcinterp.analysis.judged import Judged
from mcinterp.report.numbers import interval, number, of_them, plural
from mcinterp.report.parts import FigureView, Section
from mcinterp.report.tables import table_view
from mcinterp.results import Result
from mcinterp.studies.concept_space.figures import accuracy_figure, samples_figure, space_figure, speed_figure
from mcinterp.studies.concept_space.hidden import (
    BEHIND,
    COMES_WITH,
    INTO_LAST_GAP,
    LATENT_BEHIND,
    TRAINED_BLUE,
    WITH_LAST_GAP,
)
from mcinterp.studies.concept_space.networks import GATED, MIDDLE, READINGS, UNGATED
from mcinterp.studies.concept_space.prompts import (
    INTO_LAST,
    LATENT,
    NAIVE,
    OVER,
    OVER_TRAINED,
    RANDOM,
    TOWARDS_RED,
    WITH_LAST,
)
from mcinterp.studies.concept_space.signals import COLOUR, SIGNALS, SIZE

SPACE = (
    "{reading}: paths of the held-out prompt, small blue, through concept space, mean over {n}, a dot for every "
    "checkpoint; squares are the four combinations (the open one was not trained on), a star is the mean turn, where "
    "all networks turn back."
)
SPEED = (
    "Steps at which colour (filled) and size (open) are told apart of trained prompts, over the colour signal of large "
    "discs, a dot for every network."
)
RIGHT = (
    "{reading}, {colours} colours: share of images of small blue that are right (of large blue for the trained prompt "
    "and its over-prompt), mean over {n} with 95 % intervals; dashed and dotted, prompts that should make none."
)
EMBEDDING = (
    "Gated, {colours} colours: share of images of small blue that are right, with the embedding that the prompt has at "
    "another checkpoint of the same network."
)
PICTURES = (
    "Images of a network by prompt (down) and step (across), each four from the same noises, gated, {colours} colours, "
    "seed {seed}; on the right, real images of small blue, which it was never shown."
)


LITTLE = 0.1
"""A smaller power of the signal is told as next to nothing."""


def signals(result: Result, _: Mapping[str, Result]) -> Section:
    """Show how much each concept changes images and prompts, and how often the judge is right."""
    judge, found = result.table("judge"), result.table("signals")
    worst = judge.sort_values("right_low").iloc[0]
    own = found[found["reading"] == GATED]
    colour = "; ".join(f"{row['colours']} {_ends(row, 'signal')}" for _, row in _of(own, COLOUR, "large").iterrows())
    size = _of(own, SIZE, "red").iloc[0]
    sentences = [
        f"The judge is right on {_ends(worst, 'right')} of the real images at the least ({worst['colours']} colours, "
        f"{worst['combination']}), of {plural(int(worst['n']), 'image')}.",
        f"Colour signal of large discs, by how strong colours are — {colour}. Size signal — {_ends(size, 'signal')}.",
    ]
    tables = [
        table_view(found, result.tables["signals"].columns, "Concept signals, in the image and in the prompt"),
        table_view(judge, result.tables["judge"].columns, "The judge on real images", folded=True),
    ]
    return Section(result.name, result.title, sentences, tables=tables)


def paths(result: Result, others: Mapping[str, Result]) -> Section:
    """Show the paths of the held-out prompt, how fast concepts are learned, and which comes first."""
    titles = {"order": "Which concept comes first", "turns": "Where the paths turn", "slopes": "Speed by signal"}
    tables = [
        table_view(result.table(name), result.tables[name].columns, title, folded=name == "slopes")
        for name, title in titles.items()
    ]
    sentences = [*_speeds(result), *_orders(result), *_turns(result)]
    return Section(result.name, result.title, sentences, list(_path_figures(result, others)), tables)


def hidden(result: Result, _: Mapping[str, Result]) -> Section:
    """Show when plain prompts, over-prompts and latent interventions make the held-out combination."""
    titles = {"gaps": "Which comes how much later", "nulls": "What should make nothing"}
    tables = [
        table_view(result.table(name), result.tables[name].columns, title, folded=name == "gaps")
        for name, title in titles.items()
    ]
    sentences = [*_behind(result), *_nulls(result), *_embeddings(result)]
    return Section(result.name, result.title, sentences, list(_right_figures(result)), tables)


def samples(result: Result, _: Mapping[str, Result]) -> Section:
    """Show images by prompt and step."""
    facts = result.facts
    figure = samples_figure(result.arrays["made"], result.arrays["real"], facts["prompts"], facts["steps"])
    caption = PICTURES.format(colours=facts["colours"], seed=facts["trained"])
    return Section(result.name, result.title, [], [FigureView(caption, figure)])


def _of(found: pd.DataFrame, concept: str, other: str) -> pd.DataFrame:
    return found[(found["concept"] == concept) & (found["other"] == other)]


def _path_figures(result: Result, others: Mapping[str, Result]) -> Iterator[FigureView]:
    curves, turns = result.table("curves"), result.table("turn")
    for reading in (GATED, UNGATED):
        own = curves[curves["reading"] == reading]
        steps = turns[turns["reading"] == reading].groupby("colours")["turn"]
        turned = {str(colours): float(np.exp(np.log(each).mean())) for colours, each in steps if each.notna().all()}
        caption = SPACE.format(reading=reading.capitalize(), n=plural(int(own["n"].iloc[0]), "network"))
        yield FigureView(caption, space_figure(own, turned))
    if SIGNALS in others:
        known = _of(others[SIGNALS].table("signals"), COLOUR, "large")
        signal = dict(zip(known["colours"], known["signal"], strict=True))
        yield FigureView(SPEED, speed_figure(result.table("learned"), signal))


def _right_figures(result: Result) -> Iterator[FigureView]:
    curves = result.table("curves")
    for (reading, colours), own in curves.groupby(["reading", "colours"], sort=False):
        n = plural(int(own["n"].iloc[0]), "network")
        shown, faint = (TRAINED_BLUE, NAIVE, LATENT, OVER, OVER_TRAINED), (TOWARDS_RED, RANDOM)
        caption = RIGHT.format(reading=str(reading).capitalize(), colours=colours, n=n)
        yield FigureView(caption, accuracy_figure(own, shown, faint))
    own = curves[(curves["reading"] == GATED) & (curves["colours"] == MIDDLE)]
    yield FigureView(
        EMBEDDING.format(colours=MIDDLE), accuracy_figure(own, (TRAINED_BLUE, NAIVE, WITH_LAST, INTO_LAST))
    )


def _speeds(result: Result) -> Iterator[str]:
    slopes = result.table("slopes")
    for reading in READINGS:
        own = {row["concept"]: row for _, row in slopes[slopes["reading"] == reading].iterrows()}
        colour, size = own[COLOUR], own[SIZE]
        said = Judged.of(colour, "slope", negligible=LITTLE).say(
            "rise with the colour signal",
            "fall with the colour signal",
            "do not certainly change with the colour signal",
            "hardly change with the colour signal",
        )
        yield (
            f"{reading.capitalize()}: steps to learn the colour {said}, with a power of {_ends(colour, 'slope')}; "
            f"those to learn the size, whose signal is the same, with one of {_ends(size, 'slope')}."
        )


def _orders(result: Result) -> Iterator[str]:
    for reading in (UNGATED, GATED):
        rows = result.table("order")
        told = "; ".join(_order(row) for _, row in rows[rows["reading"] == reading].iterrows())
        yield f"{reading.capitalize()}, steps to learn the colour over those to learn the size — {told}."


def _order(row: pd.Series) -> str:
    said = _judged(row, "order").say("the size is first", "the colour is first", "neither is first for certain")
    return f"{row['colours']} colours {_factor(row, 'order')}, {said}"


def _turns(result: Result) -> Iterator[str]:
    rows = result.table("turns")
    for reading in (GATED, UNGATED):
        told = "; ".join(
            f"{row['colours']} colours {_ends(row, 'start')} and {_ends(row, 'depth')}, and "
            f"{of_them(int(row['returned']), int(row['n']), 'network')} turn back to blue"
            for _, row in rows[rows["reading"] == reading].iterrows()
        )
        yield (
            f"{reading.capitalize()}, P(blue) of the held-out prompt before training, and at its least once the "
            f"size is learned — {told}."
        )


def _behind(result: Result) -> Iterator[str]:
    gaps = result.table("gaps")
    for (reading, colours), rows in gaps.groupby(["reading", "colours"], sort=False):
        own = {row["gap"]: row for _, row in rows.iterrows()}
        yield (
            f"{str(reading).capitalize()}, {colours} colours: the plain prompt "
            f"{_later(own[LATENT_BEHIND], 'the latent intervention')} and {_later(own[BEHIND], 'the over-prompt')}; "
            f"the latent intervention {_later(own[COMES_WITH], 'the trained prompt of large blue')}."
        )


def _later(row: pd.Series, other: str) -> str:
    """How much later one is than the other."""
    said = _judged(row, "value").say("is right later than", "is right earlier than", "is not certainly later than")
    if row["value"] != row["value"]:
        return f"cannot be compared with {other}"
    return f"{said} {other} (steps × {_factor(row, 'value')})"


def _nulls(result: Result) -> Iterator[str]:
    for null, rows in result.table("nulls").groupby("null", sort=False):
        known = rows.dropna(subset="right")
        if known.empty:
            yield f"Of {null} nothing is known: nowhere is the intervention beside it right in all networks."
            continue
        most = known.sort_values("right").iloc[-1]
        yield (
            f"When the intervention beside it is right, {null}, which should make no small blue, makes the most with "
            f"{most['reading']} networks of {most['colours']} colours: {_ends(most, 'right')} of the images."
        )


def _embeddings(result: Result) -> Iterator[str]:
    gaps = result.table("gaps")
    for colours, rows in gaps[gaps["reading"] == GATED].groupby("colours", sort=False):
        own = {row["gap"]: row for _, row in rows.iterrows()}
        yield (
            f"Gated, {colours} colours: an earlier checkpoint's embedding in the last network "
            f"{_later(own[INTO_LAST_GAP], 'the trained prompt')}, the last embedding in an earlier network "
            f"{_later(own[WITH_LAST_GAP], 'it')}."
        )


def _judged(row: pd.Series, name: str) -> Judged:
    return Judged.of(row, name)


def _factor(row: pd.Series, name: str) -> str:
    """A mean logarithm of a ratio as a ratio with its interval, and of how many networks it is a lower bound."""
    value, low, high = (math.exp(row[f"{name}{end}"]) for end in ("", "_low", "_high"))
    bound = f", a lower bound in {of_them(int(row['bounded']), int(row['n']), 'network')}" if row["bounded"] else ""
    return f"{interval(value, low, high)}{bound}"


def _ends(row: pd.Series, name: str) -> str:
    return interval(row[name], row[f"{name}_low"], row[f"{name}_high"]) if row[name] == row[name] else number(None)
