"""Taxonomy: which class each head belongs to and how every class scores."""

from __future__ import annotations

from collections.abc import Mapping

from mcinterp.report.figures import scores_figure
from mcinterp.report.numbers import number, plural
from mcinterp.report.parts import FigureView, Section
from mcinterp.report.tables import table_view
from mcinterp.results import Result

KINDS = {"family": ("families", "a family"), "group": ("groups", "a group")}


def view(result: Result, checkpoint: Mapping[str, Result]) -> Section:
    """Show the classes of a checkpoint's heads."""
    heads, scores = result.tables["heads"], result.tables["scores"]
    caption = (
        "Score of every head for every class: families, then groups; ✓ where the class fits. "
        "0 is uniform attention, 1 a perfect member."
    )
    return Section(
        result.name,
        result.title,
        [sentence(result)],
        [FigureView(caption, scores_figure(result))],
        [
            table_view(heads.frame, heads.columns, "Class of every head"),
            table_view(scores.frame, scores.columns, "Every score with its controls", folded=True),
        ],
        legend=classes(result),
    )


def classes(taxonomy: Result) -> list[str]:
    """Every class the heads were scored for, families first."""
    return [*taxonomy.facts["families"], *taxonomy.facts["groups"]]


def members(taxonomy: Result) -> dict[str, list[str]]:
    """Class → its heads; empty for a class without any."""
    rows = taxonomy.table("heads").to_dict("records")
    return {
        name: [row["head"] for row in rows if row[kind] == name]
        for kind, (fact, _) in KINDS.items()
        for name in taxonomy.facts[fact]
    }


def sentence(result: Result) -> str:
    """How many heads fit which class."""
    clauses = [_clause(result, kind) for kind in KINDS]
    rows = result.table("heads")
    neither = ((rows["family"] == "none") & (rows["group"] == "none")).sum()
    return f"Of {plural(len(rows), 'head')}, {clauses[0]} and {clauses[1]}; {number(int(neither))} fit no class."


def _clause(result: Result, kind: str) -> str:
    fact, article = KINDS[kind]
    sizes = {name: len(heads) for name, heads in members(result).items() if name in result.facts[fact] and heads}
    detail = ", ".join(f"{name} {size}" for name, size in sizes.items())
    return f"{sum(sizes.values())} fit {article} ({detail})" if sizes else f"none fits {article}"
