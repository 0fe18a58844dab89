"""One module a pass: a stored result becomes a section of a checkpoint's page."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mcinterp.report.parts import Section
from mcinterp.report.views import ablation, attention, generic, patching, probes, taxonomy
from mcinterp.results import Result

View = Callable[[Result, Mapping[str, Result]], Section]

VIEWS: dict[str, tuple[str, View]] = {
    "attention": ("Attention maps", attention.view),
    "taxonomy": ("Head taxonomy", taxonomy.view),
    "ablation": ("Group ablations", ablation.view),
    "patching": ("Activation patching", patching.view),
    "probes": ("Linear probes", probes.view),
}
"""The passes of every page, in order: pass → heading where it was not run, and view."""


def sections(results: Mapping[str, Result]) -> list[Section]:
    """Every pass of a checkpoint; known ones that were not run say so, unknown ones show their tables."""
    known = [
        view(results[name], results) if name in results else Section(name, title, absent=True)
        for name, (title, view) in VIEWS.items()
    ]
    return known + [generic.view(results[name], results) for name in sorted(results.keys() - VIEWS.keys())]
