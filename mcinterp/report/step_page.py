"""The page of one checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mcinterp.report.heads import linked
from mcinterp.report.links import DATA, MAPS, explorer_link, pages_json, step_link, with_numbers
from mcinterp.report.main_scores import main_scores
from mcinterp.report.numbers import number
from mcinterp.report.packing import files
from mcinterp.report.page import head_note, render, scripts_for
from mcinterp.report.parts import Section
from mcinterp.report.scores import Scores
from mcinterp.report.small_curve import place_words, small_curve
from mcinterp.report.story import Finding
from mcinterp.report.views import answers, sections, training
from mcinterp.report.views.groups import grouped
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
    ends: Mapping[str, float],
    findings: Sequence[Finding],
    examples: Section | None = None,
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
        ends: of the scales that widgets share over all steps.
        findings: at this step, in order.
        examples: of inputs and answers at this step, where there are some.
    """
    shown = with_numbers(folder, f"{DATA}/step-{step:08d}", linked(sections(results, run), heads))
    shown = [replace(section, widget=section.widget and section.widget.ending(ends)) for section in shown]
    shown = [_beside(folder, f"{MAPS}/step-{step:08d}", section) for section in shown]
    order = list(pages)
    at = order.index(step)
    return render(
        "step",
        scripts_for(attention=any(section.widget for section in shown)),
        title=f"{name}, step {number(step)}",
        run=name,
        head_note=head_note(training.study_of_run(run), Scores.known(run)),
        step=number(step),
        findings=findings,
        number=step,
        at=at,
        pages=[step_link(each, pages) for each in order],
        pages_json=pages_json(pages),
        previous=step_link(order[at - 1], pages) if at > 0 else None,
        following=step_link(order[at + 1], pages) if at + 1 < len(order) else None,
        examples=examples,
        explorer=explorer_link(folder, "Open this step in the explorer", step=step),
        place=place_words(run, step),
        curve=small_curve(run, step, pages),
        scores=main_scores(answers(results), run, step),
        groups=grouped(shown),
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
