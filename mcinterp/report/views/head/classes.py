"""Which classes a head has from when to when, and how it scores."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from mcinterp.report.figures import over_steps_figure
from mcinterp.report.numbers import fixed, interval, number, plural
from mcinterp.report.palette import AMBIGUOUS, CONTROL, NONE
from mcinterp.report.parts import Cell, Column, FigureView, Section, TableView
from mcinterp.report.scores import an
from mcinterp.report.tables import table_view
from mcinterp.report.views.head.course import Course, first_columns, meanings, missing
from mcinterp.report.views.taxonomy import scored
from mcinterp.report.views.timeline import kind_title, square, taxonomy_colours

MANY = 4
"""So many changes of class are told one by one."""


def classes_section(course: Course) -> Section:
    """Class of the head and its scores at every step."""
    scores, colours = course.rows("taxonomy", "scores"), taxonomy_colours(course.having("taxonomy"))
    if scores.empty:
        return Section("taxonomy", "Its classes", [missing("a taxonomy of this head")])
    figures = [_scores_figure(course, scores[scores["kind"] == kind], kind, colours) for kind in kinds_of(scores)]
    shown, words = first_columns(scores, ["step", "kind", "class"]), meanings(course, "taxonomy")
    table = table_view(shown, words, "Every score", {"head"}, True, colours)
    return Section(
        "taxonomy",
        "Its classes",
        best_sentences(scores),
        figures,
        [_strip(course, colours), table],
        legend=colours,
    )


def kinds_of(scores: pd.DataFrame) -> list[str]:
    """The kinds of classes that a head was scored for."""
    return [] if scores.empty else list(dict.fromkeys(scores["kind"]))


def _scores_figure(course: Course, scores: pd.DataFrame, kind: str, colours: Mapping[str, str]) -> FigureView:
    return FigureView(
        f"Score for each {kind} with 95 % interval: 0 is uniform attention, 1 a perfect member. Dashed: the threshold "
        "that the interval must lie above.",
        over_steps_figure(
            scores,
            "score",
            "class",
            f"score for {an(kind)}",
            course.transition,
            ["threshold"],
            colours=lambda name: colours.get(name, CONTROL),
        ),
    )


def best_sentences(scores: pd.DataFrame) -> list[str]:
    """The highest score of each kind at the last step, against its controls."""
    last = scores[scores["step"] == scores["step"].max()]
    rows = [last[last["kind"] == kind] for kind in kinds_of(scores)]
    return [_best_sentence(own.loc[own["score"].idxmax()]) for own in rows if own["score"].notna().any()]


def _best_sentence(row: pd.Series) -> str:
    return (
        f"At step {number(row['step'])} its highest score for {an(row['kind'])} is {scored(row)}, where a uniform head "
        f"has {fixed(row['uniform'], 2)} and the best head of an untrained model {fixed(row['untrained_max'], 2)}."
    )


def class_sentences(course: Course) -> list[str]:
    """Which class the head has from when to when; a sentence for each kind."""
    scores = course.rows("taxonomy", "scores")
    if scores.empty:
        return []
    return [class_sentence(course.head, kind, labels(course, kind), scores) for kind in kinds_of(scores)]


def labels(course: Course, kind: str) -> dict[int, str]:
    """Step → the head's class of a kind, or none."""
    heads = course.rows("taxonomy", "heads")
    return {} if heads.empty or kind not in heads else dict(zip(heads["step"], heads[kind], strict=True))


def class_sentence(head: str, kind: str, named: Mapping[int, str], scores: pd.DataFrame) -> str:
    """When the head takes on and gives up classes of a kind."""
    steps, values = list(named), list(named.values())
    if not steps:
        return f"The {kind} of {head} is not stored."
    never = set(values) == {NONE}
    nearest = f"; {_highest(scores[scores['kind'] == kind])}" if never else ""
    if len(steps) == 1:
        return f"At step {number(steps[0])}, the only one analysed, {head} {_is(values[0], kind)}{nearest}."
    changes = [at for at in range(1, len(steps)) if values[at] != values[at - 1]]
    if not changes:
        where = "any" if never else "all"
        return f"{head} {_is(values[0], kind)} at {where} of the {len(steps)} analysed steps{nearest}."
    told = [
        f"{_becomes(values[at], kind)} between steps {number(steps[at - 1])} and {number(steps[at])}"
        for at in changes[:MANY]
    ]
    if len(changes) > MANY:
        told.append(f"changes {plural(len(changes) - MANY, 'more time')}")
    return (
        f"{head} {_is(values[0], kind)} at step {number(steps[0])}; it {', '.join(told)}. At the last step, "
        f"{number(steps[-1])}, it {_is(values[-1], kind)}."
    )


def _is(label: str, kind: str) -> str:
    named = {NONE: f"fits no {kind}", AMBIGUOUS: f"fits more than one {kind} alike"}
    return named.get(label, f"is {an(label)} head")


def _becomes(label: str, kind: str) -> str:
    named = {NONE: f"stops fitting any {kind}", AMBIGUOUS: f"comes to fit more than one {kind} alike"}
    return named.get(label, f"becomes {an(label)} head")


def _highest(scores: pd.DataFrame) -> str:
    if scores["score"].isna().all():
        return "its scores are not defined"
    row = scores.iloc[int(scores["score"].argmax())]
    score = interval(row["score"], row["score_low"], row["score_high"])
    return (
        f"its highest score is {score}, for {row['class']} at step {number(row['step'])}, where the threshold is "
        f"{number(row['threshold'])}"
    )


def _strip(course: Course, colours: Mapping[str, str]) -> TableView:
    """The class at every step as a strip of squares that lead to the steps' pages."""
    taxonomies = course.having("taxonomy")
    steps = list(taxonomies)
    columns = [
        Column("class"),
        *(Column(number(step), f"step {number(step)}", href=course.pages[step]) for step in steps),
    ]
    rows = []
    for kind in kinds_of(course.rows("taxonomy", "scores")):
        named = labels(course, kind)
        squares = [square(course.head, step, named.get(step), course.pages[step], colours) for step in steps]
        rows.append((Cell(kind_title(taxonomies, kind)), *squares))
    return TableView(f"Class of {course.head} at every step", columns, rows, kind="timeline")
