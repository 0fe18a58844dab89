"""Taxonomy: which class each head belongs to and how every class scores."""

from __future__ import annotations

from collections.abc import Mapping

from mcinterp.report.figures import scores_figure
from mcinterp.report.numbers import number, plural
from mcinterp.report.palette import NONE, class_colours
from mcinterp.report.parts import FigureView, Section
from mcinterp.report.scores import an
from mcinterp.report.tables import table_view
from mcinterp.results import Result


def view(result: Result, checkpoint: Mapping[str, Result]) -> Section:
    """Show the classes of a checkpoint's heads."""
    heads, scores = result.tables["heads"], result.tables["scores"]
    several = [words[0] for words in result.facts["kind_words"].values()]
    order = f": {', then '.join(several)}" if len(several) > 1 else ""
    caption = (
        f"Score of every head for every class{order}; ✓ where the class fits. 0 is uniform attention, 1 a perfect "
        "member."
    )
    colours = class_colours(result.facts["kinds"])
    return Section(
        result.name,
        result.title,
        [sentence(result)],
        [FigureView(caption, scores_figure(result))],
        [
            table_view(heads.frame, heads.columns, "Class of every head", colours=colours),
            table_view(scores.frame, scores.columns, "Every score with its controls", folded=True, colours=colours),
        ],
        legend={name: colour for name, colour in colours.items() if name != NONE},
    )


def classes(taxonomy: Result) -> list[str]:
    """Every class the heads were scored for, kind by kind."""
    return [name for names in taxonomy.facts["kinds"].values() for name in names]


def members(taxonomy: Result) -> dict[str, list[str]]:
    """Class → its heads; empty for a class without any."""
    rows = taxonomy.table("heads").to_dict("records")
    return {
        name: [row["head"] for row in rows if row[kind] == name]
        for kind, names in taxonomy.facts["kinds"].items()
        for name in names
    }


def sentence(result: Result) -> str:
    """How many heads fit which class."""
    kinds = list(result.facts["kinds"])
    rows = result.table("heads")
    unfit = (rows[kinds] == NONE).all(axis=1).sum()
    clauses = " and ".join(_clause(result, kind) for kind in kinds)
    return f"Of {plural(len(rows), 'head')}, {clauses}; {number(int(unfit))} fit no class."


def _clause(result: Result, kind: str) -> str:
    of_kind = result.facts["kinds"][kind]
    sizes = {name: len(heads) for name, heads in members(result).items() if name in of_kind and heads}
    detail = ", ".join(f"{name} {size}" for name, size in sizes.items())
    return f"{sum(sizes.values())} fit {an(kind)} ({detail})" if sizes else f"none fits {an(kind)}"
