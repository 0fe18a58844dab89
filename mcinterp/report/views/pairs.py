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
    "Where each head looks, averaged over {samples}, the most changed first{which}: left at {a}, right at {b}; queries "
    "down, keys across; colours end at the larger of the two maxima. Beside a head's name its score at the two steps."
)
MORE_MAPS = "The same of {several} {first} to {last}."
LEADING = 2
"""So many figures of heads are seen at once."""


def labels(result: Result) -> tuple[str, str]:
    """What the two are called."""
    return str(result.facts["a"]["label"]), str(result.facts["b"]["label"])


def pair_figures(result: Result) -> list[FigureView]:
    """The heads' maps, some at a time; of two runs before them who is like whom."""
    a, b = labels(result)
    samples = Scores.of(result).samples
    if "changed" in result.tables:
        return _maps(result, CHANGED_MAPS, len(result.table("changed")), "heads")
    matches = result.table("matches")
    n = number(int(matches["n"].iloc[0]))
    similar = FigureView(SIMILARITY.format(a=a, b=b, n=n, samples=samples), similarity_figure(result))
    return [similar, *_maps(result, MAPS, len(matches), "pairs")]


def _maps(result: Result, caption: str, count: int, several: str) -> list[FigureView]:
    """Figures of as many maps as are drawn, the first with this caption."""
    a, b = labels(result)
    drawn = min(count, MOST_PAIRS)
    which = f"; of {count} {several} the first {drawn} are drawn" if count > drawn else ""
    first = caption.format(a=a, b=b, which=which, samples=Scores.of(result).samples)
    figures = [FigureView(first, pair_maps_figure(result))]
    for start in range(PAIRS, drawn, PAIRS):
        end = min(start + PAIRS, drawn)
        more = MORE_MAPS.format(several=several, first=start + 1, last=end)
        figures.append(FigureView(more, pair_maps_figure(result, start, end)))
    return figures
