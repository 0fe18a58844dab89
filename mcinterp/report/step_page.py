"""The page of one checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mcinterp.report.heads import linked
from mcinterp.report.links import DATA, MAPS, pages_json, step_link, with_numbers
from mcinterp.report.numbers import number
from mcinterp.report.packing import files
from mcinterp.report.page import head_note, render, scripts_for
from mcinterp.report.parts import Section
from mcinterp.report.scores import Scores
from mcinterp.report.views import answers, sections, training
from mcinterp.report.views.provenance import provenance_tables
from mcinterp.results import Result
from mcinterp.runs.files import atomic_folder, explained


def step_page(
    folder: Path,
    name: str,
    run: Result | None,
    step: int,
    pages: Mapping[int, str],
    heads: Mapping[str, str],
    results: Mapping[str, Result],
    single_file: bool,
) -> str:
    """The text of a checkpoint's page; its large maps are written beside it.

    Args:
        folder: of the report.
        name: of the run.
        run: its `training` result; None where that is missing.
        step: of the checkpoint.
        pages: step → page, of all analysed checkpoints in order.
        heads: head → its page.
        results: of the passes on the checkpoint, by name.
        single_file: whether scripts, style and numbers stand in the page.
    """
    shown = with_numbers(folder, f"{DATA}/step-{step:08d}", linked(sections(results, run), heads), single_file)
    if not single_file:
        shown = [_beside(folder, f"{MAPS}/step-{step:08d}", section) for section in shown]
    order = list(pages)
    at = order.index(step)
    return render(
        "step",
        single_file,
        scripts_for(attention=any(section.widget for section in shown)),
        title=f"{name}, step {number(step)}",
        run=name,
        head_note=head_note(training.study_of_run(run), Scores.known(run)),
        step=number(step),
        number=step,
        at=at,
        pages=[step_link(each, pages) for each in order],
        pages_json=pages_json(pages),
        previous=step_link(order[at - 1], pages) if at > 0 else None,
        following=step_link(order[at + 1], pages) if at + 1 < len(order) else None,
        sections=shown,
        provenance=provenance_tables(answers(results)),
    )


def _beside(folder: Path, maps: str, section: Section) -> Section:
    """The section with its large maps in files of a folder beside the page."""
    if section.widget is None or section.widget.cells is None:
        return section
    with explained(folder / MAPS):
        (folder / MAPS).mkdir(exist_ok=True)
    with atomic_folder(folder / maps) as written:
        for name, text in files(section.widget.cells):
            (written / name).write_text(text, encoding="utf-8")
    widget = replace(section.widget, data={**section.widget.data, "folder": maps}, cells=None)
    return replace(section, widget=widget)
