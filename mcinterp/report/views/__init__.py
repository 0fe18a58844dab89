"""One module a pass: a stored result becomes a section of a checkpoint's page, a comparison one of the run's page."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mcinterp.report.parts import Section
from mcinterp.report.views import (
    ablation,
    algorithm,
    aligned,
    attention,
    circuits,
    compare,
    components,
    embeddings,
    generation,
    generic,
    ghost_networks,
    ghost_points,
    identity,
    nuclear,
    patching,
    plateau,
    positions,
    probes,
    shift,
    sizes,
    switching,
    taxonomy,
    tokens,
)
from mcinterp.results import Result

View = Callable[[Result, Mapping[str, Result]], Section]

VIEWS: dict[str, tuple[str, View]] = {
    "attention": ("Attention maps", attention.view),
    "taxonomy": ("Head taxonomy", taxonomy.view),
    "ablation": ("Group ablations", ablation.view),
    "patching": ("Activation patching", patching.view),
    "circuits": ("What each head reads and writes", circuits.view),
    "probes": ("Linear probes", probes.view),
    "tokens": ("Token intervention", tokens.view),
    "positions": ("Position sensitivity", positions.view),
    "shift": ("Distribution shift", shift.view),
    "algorithm": ("What algorithm is it?", algorithm.view),
    "nuclear": ("Nuclear norm minimisation", nuclear.view),
    "sizes": ("Errors by matrix size", sizes.view),
    "generation": ("Generation", generation.view),
}
"""The passes of every page, in order: pass → heading where it was not run, and view."""


COMPARISON_VIEWS: dict[str, tuple[str, View]] = {
    "embeddings": ("Embeddings over training", embeddings.view),
    "plateau": ("What moves during the plateau", plateau.view),
    "switching": ("Model switching", switching.view),
    "components": ("Training of single components", components.view),
}
"""The comparisons of the run's page, in order: name → heading where it was not run, and view."""

COMPARED_VIEWS: dict[str, View] = {"compared-checkpoints": compare.view, "compared-runs": aligned.view}
"""What stands side by side on the page of a comparison: checkpoints, and runs."""

STUDY_VIEWS: dict[str, dict[str, View]] = {
    "ghost-points": ghost_points.VIEWS | ghost_networks.VIEWS,
    "identity-mapping": {"equations": identity.equations, "networks": identity.networks},
}
"""What studies measure themselves, in order: study → name → view."""

NOT_OF_ENCODERS = {"generation"}
"""Passes that a run cannot have whose results do not list those defined for it: such runs are of encoders."""


def view_of(name: str) -> View:
    """The view of a pass or comparison; one that is not known shows its tables."""
    if name in COMPARED_VIEWS:
        return COMPARED_VIEWS[name]
    return ({**VIEWS, **COMPARISON_VIEWS}.get(name) or ("", generic.view))[1]


def sections(results: Mapping[str, Result], run: Result | None = None) -> list[Section]:
    """Every pass of a checkpoint; known ones that were not run say so, unknown ones show their tables.

    Passes that are not defined for the task of the `run`, its `training` result, are passed over.
    """
    return _sections(VIEWS, results, results, run)


def comparison_sections(results: Mapping[str, Result], run: Result | None) -> list[Section]:
    """Every comparison of a run, in the same way; the views are given the run's `training` result if there is one."""
    return _sections(COMPARISON_VIEWS, results, {"training": run} if run else {}, run)


def study_sections(study: str, results: Mapping[str, Result]) -> list[Section]:
    """What a study measured itself; what it has no view for shows its tables."""
    views = STUDY_VIEWS.get(study, {})
    known = [view(results[name], results) for name, view in views.items() if name in results]
    return known + [generic.view(results[name], results) for name in sorted(results.keys() - views.keys())]


def defined_passes(run: Result | None) -> set[str]:
    """The passes and comparisons that are defined for the task of a run, given its `training` result."""
    known = {*VIEWS, *COMPARISON_VIEWS} - NOT_OF_ENCODERS
    return set(run.facts.get("passes", known)) if run else known


def _sections(
    views: Mapping[str, tuple[str, View]],
    results: Mapping[str, Result],
    beside: Mapping[str, Result],
    run: Result | None,
) -> list[Section]:
    beside, defined = answers(beside), defined_passes(run)
    titled = {name: title for name, (title, _) in views.items() if name in results or name in defined}
    titled |= {name: results[name].title for name in sorted(results.keys() - views.keys())}
    return [
        view_of(name)(results[name], beside)
        if name in results and not results[name].why_unanswered
        else Section(name, title, absent=_absent(results, name))
        for name, title in titled.items()
    ]


def answers(results: Mapping[str, Result]) -> dict[str, Result]:
    """The results without those that only say why there is none."""
    return {name: result for name, result in results.items() if not result.why_unanswered}


def _absent(results: Mapping[str, Result], name: str) -> str:
    why = results[name].why_unanswered if name in results else "this pass was not run"
    return f"{why[:1].upper()}{why[1:]}."
