"""Figures of the heads of two checkpoints that are paired, and what the two are called."""

from __future__ import annotations

from mcinterp.report.figures.compare import MOST_PAIRS, PAIRS, pair_maps_figure, similarity_figure
from mcinterp.report.numbers import number
from mcinterp.report.parts import FigureView
from mcinterp.report.scores import Scores
from mcinterp.results import Result

SIMILARITY = (
    "Score of every head of {a} (rows) with every head of {b} (columns, in the order of their partners; dots: who is "
    "paired with whom): the correlation of their attention less uniform attention over the same {n} {samples}, 1 for "
    "the same attention, about 0 for attention that has nothing in common."
)
MAPS = (
    "Where both heads of each pair look, averaged over {samples}, the most alike first{which}: left the head of {a}, "
    "right that of {b}; queries down, keys across; colours end at the larger of the two maxima."
)
CHANGED_MAPS = (
    "Where the most changed heads look, averaged over {samples}: left at {a}, right at {b}; queries down, keys across; "
    "colours end at the larger of the two maxima."
)
MORE_MAPS = "The same of pairs {first} to {last}."


def labels(result: Result) -> tuple[str, str]:
    """What the two are called."""
    return str(result.facts["a"]["label"]), str(result.facts["b"]["label"])


def pair_figures(result: Result) -> list[FigureView]:
    """Who is like whom, and the maps of the pairs, some at a time."""
    a, b = labels(result)
    if "changed" in result.tables:
        caption = CHANGED_MAPS.format(a=a, b=b, samples=Scores.of(result).samples)
        return [FigureView(caption, pair_maps_figure(result))]
    matches, samples = result.table("matches"), Scores.of(result).samples
    n, total = number(int(matches["n"].iloc[0])), min(len(matches), MOST_PAIRS)
    which = f"; of {len(matches)} pairs the first {total} are drawn" if len(matches) > total else ""
    figures = [FigureView(SIMILARITY.format(a=a, b=b, n=n, samples=samples), similarity_figure(result))]
    for first in range(0, total, PAIRS):
        last = min(first + PAIRS, total)
        caption = (
            MAPS.format(a=a, b=b, which=which, samples=samples)
            if not first
            else MORE_MAPS.format(first=first + 1, last=last)
        )
        figures.append(FigureView(caption, pair_maps_figure(result, first, last)))
    return figures
