"""A page for every attention head: what is stored of it at each analysed checkpoint, side by side."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mcinterp.report.assets import (
    CELLS,
    CONTENTS,
    DEFINITIONS,
    EXAMPLES,
    FIGURES,
    MAPS,
    PLACE,
    PLOTLY,
    TABLES,
    THEME,
)
from mcinterp.report.figures.curve import marked
from mcinterp.report.head_circuits import HeadCircuits
from mcinterp.report.head_maps import HeadMaps
from mcinterp.report.links import explorer_link
from mcinterp.report.numbers import number
from mcinterp.report.page import head_note, render
from mcinterp.report.parts import Cell, Link, Section, TableView
from mcinterp.report.scores import Scores
from mcinterp.report.tables import headed
from mcinterp.report.views import defined_passes
from mcinterp.report.views.condition import conditions_sentences
from mcinterp.report.views.examples import Examples
from mcinterp.report.views.head.attention import attention_section, nearest_section
from mcinterp.report.views.head.circuits import circuits_section
from mcinterp.report.views.head.classes import class_sentences, classes_section
from mcinterp.report.views.head.course import Course, Tables
from mcinterp.report.views.head.effects import ablation_section, patching_section
from mcinterp.report.views.head.examples import examples_section
from mcinterp.report.views.training import study_of_run
from mcinterp.results import Result

PAGE = re.compile(r"head-L[0-9]{1,4}H[0-9]{1,4}\.html")
SCRIPTS = (THEME, PLOTLY, PLACE, CONTENTS, TABLES, DEFINITIONS, FIGURES, EXAMPLES, CELLS, MAPS)
_HEAD = re.compile(r"L([0-9]{1,4})H([0-9]{1,4})")
_NAMED = {"attention": ("heads", "head"), "taxonomy": ("heads", "head"), "patching": ("patching", "heads")}
_NAMED |= {"ablation": ("ablation", "heads"), "circuits": ("heads", "head")}
"""Passes that tell of single heads: the table and the column with their names."""


def heads_of(results: Mapping[str, Result]) -> dict[str, str]:
    """Head → page, of every head that a checkpoint's results tell of, by layer and number."""
    found = {
        name
        for each, (table, column) in _NAMED.items()
        if each in results
        for name in results[each].table(table)[column].dropna().astype(str)
    }
    return {name: f"head-{name}.html" for name in sorted((name for name in found if _HEAD.fullmatch(name)), key=_place)}


def linked(sections: Sequence[Section], heads: Mapping[str, str]) -> list[Section]:
    """Sections whose tables and maps lead from the name of a head to its page."""
    return [
        replace(
            section,
            tables=[linked_table(view, heads) for view in section.tables],
            widget=section.widget and replace(section.widget, data={**section.widget.data, "pages": dict(heads)}),
        )
        for section in sections
    ]


def linked_table(view: TableView, heads: Mapping[str, str]) -> TableView:
    """The table with links from the names of heads to their pages."""
    return replace(view, rows=[tuple(_linked_cell(cell, heads) for cell in row) for row in view.rows])


def _linked_cell(cell: Cell, heads: Mapping[str, str]) -> Cell:
    return replace(cell, href=heads[cell.text]) if cell.text in heads and not (cell.href or cell.more) else cell


class HeadPages:
    """Gathers what head pages need while the checkpoints' results go by, then writes them.

    Args:
        run: name of the run.
        training: its `training` result, which knows the transition and the task; None where there is none.
        pages: step → page.
        folder: of the report, whose explorer the pages lead to where it has one.
        examples: of inputs, on which single heads were taken out; None where there are none.
    """

    def __init__(
        self,
        run: str,
        training: Result | None,
        pages: Mapping[int, str],
        folder: Path,
        examples: Examples | None = None,
    ) -> None:
        self._run, self._pages, self._folder, self._examples = run, pages, folder, examples
        self._transition, scores = marked(training), Scores.known(training)
        self._note, self._defined = head_note(study_of_run(training), scores), defined_passes(training)
        self._columns = scores.heads if scores else {}
        self._maps, self._circuits = HeadMaps(list(pages)), HeadCircuits(list(pages))
        self._steps: dict[int, Mapping[str, Result]] = {}
        self.pages: dict[str, str] = {}

    def add(self, step: int, results: Mapping[str, Result]) -> dict[str, str]:
        """Take in a checkpoint's results; returns its heads with their pages."""
        if "attention" in results:
            self._maps.add(step, results["attention"])
        if "circuits" in results:
            self._circuits.add(step, results["circuits"])
        self._steps[step] = {name: replace(result, arrays={}) for name, result in results.items() if name in _NAMED}
        own = heads_of(results)
        self.pages = dict(sorted({**self.pages, **own}.items(), key=lambda one: _place(one[0])))
        return own

    def write(self) -> Iterator[tuple[str, str]]:
        """Name and text of every page, in the order of the heads."""
        tables = Tables(self._steps)
        for at, head in enumerate(self.pages):
            yield self.pages[head], self._page(at, head, tables)

    def _page(self, at: int, head: str, tables: Tables) -> str:
        order = list(self.pages)
        course = Course(head, tables, self._pages, self._transition)
        sections = self._sections(course)
        layer = _place(head)[0]
        return render(
            "head",
            SCRIPTS,
            title=f"{self._run}, {head}",
            run=self._run,
            head_note=self._note,
            head_name=head,
            lead=[*conditions_sentences(self._steps), *class_sentences(course)],
            sections=linked(sections, self.pages),
            pictures={
                "attention": self._maps.maps(head, self._pages),
                "circuits": self._circuits.maps(head, self._pages),
            },
            previous=self._link(order[at - 1]) if at > 0 else None,
            following=self._link(order[at + 1]) if at + 1 < len(order) else None,
            beside=[self._link(name) for name in order if _place(name)[0] == layer],
            layer=number(layer),
            explorer=[
                link
                for step in self._pages
                if (link := explorer_link(self._folder, f"step {number(step)}", step=step, head=head))
            ],
            steps=[
                Link(f"step {number(step)}", f"{page}#step={step}&head={head}") for step, page in self._pages.items()
            ],
        )

    def _sections(self, course: Course) -> list[Section]:
        """What the passes say that the run can be asked, and others that are stored."""
        asked = self._defined.union(*self._steps.values())
        sections = (
            ("attention", attention_section(course, self._maps)),
            ("taxonomy", classes_section(course)),
            ("ablation", ablation_section(course)),
            ("patching", patching_section(course)),
            ("circuits", circuits_section(course, self._circuits)),
            ("attention", nearest_section(course, self._maps)),
        )
        shown = [headed(section, self._columns) for name, section in sections if name in asked]
        own = self._examples and examples_section(self._examples, course.head)
        return [own, *shown] if own else shown

    def _link(self, head: str) -> Link:
        return Link(head, self.pages[head])


def _place(head: str) -> tuple[int, int]:
    layer, number_ = head.removeprefix("L").split("H")
    return int(layer), int(number_)
