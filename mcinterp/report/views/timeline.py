"""Every head's class at every analysed checkpoint."""

from __future__ import annotations

from collections.abc import Mapping

from mcinterp.report.numbers import number
from mcinterp.report.palette import class_colour, class_short
from mcinterp.report.parts import Cell, Column, TableView
from mcinterp.results import Result

KINDS = {"family": "Family (random masks)", "group": "Group (structured masks)"}


def timelines(steps: Mapping[int, Mapping[str, Result]], pages: Mapping[int, str]) -> list[TableView]:
    """One table for families and one for groups: heads × checkpoints; none where no taxonomy was run."""
    taxonomies = {step: results["taxonomy"] for step, results in steps.items() if "taxonomy" in results}
    return [_timeline(taxonomies, pages, kind) for kind in KINDS] if taxonomies else []


def _timeline(taxonomies: Mapping[int, Result], pages: Mapping[int, str], kind: str) -> TableView:
    labels = {
        step: dict(zip(result.table("heads")["head"], result.table("heads")[kind], strict=True))
        for step, result in taxonomies.items()
    }
    heads = dict.fromkeys(head for by_head in labels.values() for head in by_head)
    columns = [Column("head"), *(Column(number(step), f"step {number(step)}", href=pages[step]) for step in labels)]
    rows = [
        (Cell(head), *(square(head, step, labels[step].get(head), pages[step]) for step in labels)) for head in heads
    ]
    return TableView(KINDS[kind], columns, rows, kind="timeline")


def square(head: str, step: int, name: str | None, page: str) -> Cell:
    """The class of a head at a step, leading to its map there; empty where it is not known."""
    if name is None:
        return Cell("")
    more = f"{head} at step {number(step)}: {name}"
    place = f"{page}#step={step}&head={head}&at=attention"
    return Cell(class_short(name), more=more, colour=class_colour(name), short=True, href=place)
