"""Every head's class at every analysed checkpoint."""

from __future__ import annotations

from collections.abc import Mapping

from mcinterp.report.numbers import number
from mcinterp.report.palette import CONTROL, class_colours, class_short
from mcinterp.report.parts import Cell, Column, TableView
from mcinterp.report.scores import capital
from mcinterp.results import Result


def timelines(steps: Mapping[int, Mapping[str, Result]], pages: Mapping[int, str]) -> list[TableView]:
    """One table a kind of class: heads × checkpoints; none where no taxonomy was run."""
    taxonomies = {step: results["taxonomy"] for step, results in steps.items() if "taxonomy" in results}
    kinds = dict.fromkeys(kind for result in taxonomies.values() for kind in result.facts["kinds"])
    return [_timeline(taxonomies, pages, kind) for kind in kinds]


def kind_title(taxonomies: Mapping[int, Result], kind: str) -> str:
    """A kind of class as a heading has it, with what its heads are looked at under."""
    words = next(result.facts["kind_words"][kind] for result in taxonomies.values() if kind in result.facts["kinds"])
    return f"{capital(kind)} ({words[1]})" if words[1] else capital(kind)


def taxonomy_colours(taxonomies: Mapping[int, Result]) -> dict[str, str]:
    """The colours of the classes of all checkpoints."""
    kinds = {kind: names for result in taxonomies.values() for kind, names in result.facts["kinds"].items()}
    return class_colours(kinds)


def _timeline(taxonomies: Mapping[int, Result], pages: Mapping[int, str], kind: str) -> TableView:
    labels = {
        step: dict(zip(result.table("heads")["head"], result.table("heads")[kind], strict=True))
        for step, result in taxonomies.items()
        if kind in result.facts["kinds"]
    }
    heads = dict.fromkeys(head for by_head in labels.values() for head in by_head)
    columns = [Column("head"), *(Column(number(step), f"step {number(step)}", href=pages[step]) for step in labels)]
    colours = taxonomy_colours(taxonomies)
    rows = [
        (Cell(head), *(square(head, step, labels[step].get(head), pages[step], colours) for step in labels))
        for head in heads
    ]
    return TableView(kind_title(taxonomies, kind), columns, rows, kind="timeline")


def square(head: str, step: int, name: str | None, page: str, colours: Mapping[str, str]) -> Cell:
    """The class of a head at a step, leading to its map there; empty where it is not known."""
    if name is None:
        return Cell("")
    more = f"{head} at step {number(step)}: {name}"
    place = f"{page}#step={step}&head={head}&at=attention"
    return Cell(class_short(name), more=more, colour=colours.get(name, CONTROL), short=True, href=place)
