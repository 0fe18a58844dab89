"""The page of a run: its curve, and what changed between its checkpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mcinterp.declared import Explorer
from mcinterp.report.heads import linked_table
from mcinterp.report.links import DATA, explorer_link, numbers_of, pages_json, step_link
from mcinterp.report.page import head_note, render, scripts_for
from mcinterp.report.parts import Link, Section
from mcinterp.report.scores import Scores
from mcinterp.report.story import Told, story_of
from mcinterp.report.views import defined_passes, training
from mcinterp.report.views.changes import changes_sentence, changes_table
from mcinterp.report.views.condition import conditions_sentences
from mcinterp.report.views.provenance import digests_table, versions
from mcinterp.report.views.timeline import taxonomy_colours, timelines
from mcinterp.results import Result


def index_page(
    folder: Path,
    name: str,
    told: Told,
    comparisons: Sequence[Section],
    heads: Mapping[str, str],
    examples: Section | None,
) -> str:
    """The text of the run's page, from all that is stored of the run.

    Args:
        folder: of the report.
        name: of the run.
        told: the stored results, without arrays.
        comparisons: sections that look at all checkpoints.
        heads: head → its page.
        examples: of inputs and answers, where there are some.
    """
    run, steps, pages = told.run, told.steps, told.pages
    if run:
        links = numbers_of(folder, f"{DATA}/{run.name}")
        curve = replace(training.course(run, pages, told.compared), links=links)
    else:
        curve = Section("training", "Loss curve", absent="The results of the training are missing.")
    taxonomies = {step: results["taxonomy"] for step, results in steps.items() if "taxonomy" in results}
    return render(
        "index",
        scripts_for(attention=False),
        title=name,
        facts=training.run_facts(run) if run else [],
        curve=curve,
        examples=examples,
        findings=story_of(told),
        explorer=explorer_link(folder, _offered(run)),
        head_note=head_note(training.study_of_run(run), Scores.known(run)),
        checkpoints=[step_link(step, pages) for step in steps],
        pages_json=pages_json(pages),
        changes=changes_table(steps, pages) if steps else None,
        across="across the drop" if _has_drop(run) else "over training",
        lead=" ".join([*conditions_sentences(steps), changes_sentence(steps)]) if steps else "",
        comparisons=comparisons,
        headed=training.has_heads(run),
        analysable=bool(steps) or bool(defined_passes(run)),
        classified=bool(taxonomies) or "taxonomy" in defined_passes(run),
        heads=[Link(head, page) for head, page in heads.items()],
        timelines=[linked_table(view, heads) for view in timelines(steps, pages)],
        legend=Section("classes", "", legend=taxonomy_colours(taxonomies)),
        config=training.config_table(run) if run else None,
        config_hash=str(run.facts.get("config_hash", "")) if run else "",
        digests=digests_table(steps),
        versions=versions(steps),
    )


def _offered(run: Result | None) -> str:
    """What there is to play with in the explorer."""
    study = training.study_of_run(run)
    return ((study and study.explorer) or Explorer).offers


def _has_drop(run: Result | None) -> bool:
    return bool(run and (run.facts.get("transition") or {}).get("found"))
