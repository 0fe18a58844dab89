"""Taxonomy: which class each head belongs to and how every class scores."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from mcinterp.analysis.judged import Judged
from mcinterp.report.figures import scores_figure
from mcinterp.report.numbers import interval, number, plural
from mcinterp.report.palette import AMBIGUOUS, NONE, class_colours
from mcinterp.report.parts import FigureView, Section
from mcinterp.report.scores import an, capital
from mcinterp.report.tables import table_view
from mcinterp.report.views.position_blocks import block_figures, block_sentences, block_tables
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
        [sentence(result), *nearest_sentences(result), *unscored_sentences(result), *block_sentences(result)],
        [FigureView(caption, scores_figure(result)), *block_figures(result)],
        [
            table_view(heads.frame, heads.columns, "Class of every head", hide=_said_twice(result), colours=colours),
            table_view(scores.frame, scores.columns, "Every score with its controls", folded=True, colours=colours),
            *block_tables(result),
        ],
        legend={name: colour for name, colour in colours.items() if name != NONE},
    )


def _said_twice(result: Result) -> list[str]:
    """Columns that say no more than others do of these heads."""
    heads, kinds = result.table("heads"), result.facts["kinds"]
    same = [kind for kind in kinds if f"{kind}_all" in heads and (heads[f"{kind}_all"] == heads[kind]).all()]
    return [*(f"{kind}_all" for kind in same), *(f"{kind}_{end}" for kind in kinds for end in ("nearest", "above"))]


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
    fit = f"{sum(sizes.values())} fit {an(kind)} ({detail})" if sizes else f"none fits {an(kind)}"
    between = int((result.table("heads")[kind] == AMBIGUOUS).sum())
    return f"{fit}, {number(between)} more than one alike" if between else fit


def nearest_sentences(result: Result) -> list[str]:
    """Of each kind, how near the nearest head is that fits none."""
    heads, scores = result.table("heads"), result.table("scores")
    told = []
    for kind in result.facts["kinds"]:
        unfit = heads[heads[kind] == NONE]
        if f"{kind}_above" in heads and unfit[f"{kind}_above"].notna().any():
            row = unfit.loc[unfit[f"{kind}_above"].idxmax()]
            own = scores[(scores["head"] == row["head"]) & (scores["class"] == row[f"{kind}_nearest"])]
            told += [
                f"Of heads without {an(kind)} the nearest to one is {row['head']}: {scored(one)}."
                for _, one in own.head(1).iterrows()
            ]
    return told


def scored(row: pd.Series) -> str:
    """A head's score for a class against what it would need to fit, from a row of the table `scores`."""
    score = interval(row["score"], row["score_low"], row["score_high"])
    judged = Judged.of(row, "score", reference=row["threshold"])
    side = judged.say("above", "below", "not shown to be above")
    said = f"{row['class']} {score}, {side} the threshold {number(row['threshold'])}"
    if row.get("everywhere", True):
        return said
    return f"{said}, {'but' if judged.side == 'above' else 'and'} at {row['least_place']} below uniform attention"


def unscored_sentences(result: Result) -> list[str]:
    """Which classes the task is too small to score."""
    return [f"{capital(name)} is not scored: {why}." for name, why in result.facts.get("unscored", {}).items()]
