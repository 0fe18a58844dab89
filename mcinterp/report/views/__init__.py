"""One module a pass: a stored result becomes a section of a checkpoint's page, a comparison one of the run's page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from mcinterp.declared import Place, load
from mcinterp.installed import studies
from mcinterp.report.parts import Section
from mcinterp.report.scores import Scores
from mcinterp.report.tables import headed
from mcinterp.report.views import (
    ablation,
    aligned,
    attention,
    causal_tracing,
    circuits,
    compare,
    components,
    course,
    embeddings,
    examples,
    formation,
    generic,
    oracles,
    patching,
    plateau,
    probes,
    switching,
    taxonomy,
)
from mcinterp.report.views.condition import conditioned
from mcinterp.report.views.groups import asked
from mcinterp.report.views.reading import reading_of
from mcinterp.results import Result

View = Callable[[Result, Mapping[str, Result]], Section]


def _standing_at(place: Place) -> View:
    """The view that stands at a place, loaded when it is first used."""
    return lambda result, beside: load(place)(result, beside)


def _of_studies(compared: bool) -> dict[str, tuple[str, View]]:
    """Titles and views of what studies bring: of comparisons, or of passes."""
    return {
        name: (view.title, _standing_at(view.function))
        for study in studies().values()
        for name, view in study.views.items()
        if (name in {each.name for each in study.comparisons}) == compared
    }


VIEWS: dict[str, tuple[str, View]] = {
    "attention": ("Attention maps", attention.view),
    "taxonomy": ("Head taxonomy", taxonomy.view),
    "ablation": ("Group ablations", ablation.view),
    "patching": ("Activation patching", patching.view),
    "circuits": ("What each head reads and writes", circuits.view),
    "probes": ("Linear probes", probes.view),
    "causal-tracing": ("What a next token hangs on, and through which sites", causal_tracing.view),
    **_of_studies(compared=False),
}
"""The passes of every page, in order: pass → heading where it was not run, and view."""


COMPARISON_VIEWS: dict[str, tuple[str, View]] = {
    "course": ("What it answers, and what attention is worth", course.view),
    "examples": (examples.TITLE, examples.view),
    "embeddings": ("Embeddings over training", embeddings.view),
    "plateau": ("What moves during the plateau", plateau.view),
    "formation": ("When heads take their classes", formation.view),
    "oracles": ("Which algorithm does it answer like?", oracles.view),
    "switching": ("Model switching", switching.view),
    "components": ("Training of single components", components.view),
    **_of_studies(compared=True),
}
"""The comparisons of the run's page, in order: name → heading where it was not run, and view."""

COMPARED_VIEWS: dict[str, View] = {"compared-checkpoints": compare.view, "compared-runs": aligned.view}
"""What stands side by side on the page of a comparison: checkpoints, and runs."""


def view_of(name: str) -> View:
    """The view of a pass or comparison; one that is not known shows its tables."""
    if name in COMPARED_VIEWS:
        return COMPARED_VIEWS[name]
    view = ({**VIEWS, **COMPARISON_VIEWS}.get(name) or ("", generic.view))[1]
    return lambda result, beside: conditioned(view(result, beside), result)


def sections(results: Mapping[str, Result], run: Result | None = None) -> list[Section]:
    """Every pass of a checkpoint; known ones that were not run say so, unknown ones show their tables.

    Passes that are not defined for the task of the `run`, its `training` result, are passed over.
    """
    return _sections(VIEWS, results, {**results, **({"training": run} if run else {})}, run)


def comparison_sections(results: Mapping[str, Result], run: Result | None) -> list[Section]:
    """Every comparison of a run, in the same way; the views are given the run's `training` result if there is one."""
    return _sections(COMPARISON_VIEWS, results, {"training": run} if run else {}, run)


def study_sections(study: str, results: Mapping[str, Result]) -> list[Section]:
    """What a study measured itself; what it has no view for shows its tables."""
    views = studies()[study].measured_views if study in studies() else {}
    known = [load(place)(results[name], results) for name, place in views.items() if name in results]
    return known + [generic.view(results[name], results) for name in sorted(results.keys() - views.keys())]


def defined_passes(run: Result | None) -> set[str]:
    """The passes and comparisons that a run can answer, given its `training` result; all where there is none."""
    return set(run.facts["passes"]) if run else {*VIEWS, *COMPARISON_VIEWS}


def _sections(
    views: Mapping[str, tuple[str, View]],
    results: Mapping[str, Result],
    beside: Mapping[str, Result],
    run: Result | None,
) -> list[Section]:
    beside, defined, scores = answers(beside), defined_passes(run), Scores.known(run)
    titled = {name: title for name, (title, _) in views.items() if name in results or name in defined}
    titled |= {name: results[name].title for name in sorted(results.keys() - views.keys())}
    shown = [
        headed(view_of(name)(results[name], beside), scores.heads if scores else {})
        if name in results and not results[name].why_unanswered
        else Section(name, title, absent=_absent(results, name))
        for name, title in titled.items()
    ]
    return [replace(section, asks=asked(section.name), reading=reading_of(section.name)) for section in shown]


def answers(results: Mapping[str, Result]) -> dict[str, Result]:
    """The results without those that only say why there is none."""
    return {name: result for name, result in results.items() if not result.why_unanswered}


def _absent(results: Mapping[str, Result], name: str) -> str:
    why = results[name].why_unanswered if name in results else "this pass was not run"
    return f"{why[:1].upper()}{why[1:]}."
