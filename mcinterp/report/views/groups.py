"""The groups of a page's sections: by what the pass asks of the model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mcinterp.declared import Asks
from mcinterp.installed import studies
from mcinterp.report.parts import Section

GROUPS: Mapping[Asks, str] = {
    "looks": "Where does it look?",
    "needs": "What does it need?",
    "represents": "What does it represent?",
    "computes": "What does it compute?",
}
"""Their headings, in the order of the page."""
BASE: Mapping[str, Asks] = {
    "attention": "looks",
    "taxonomy": "looks",
    "ablation": "needs",
    "patching": "needs",
    "causal-tracing": "needs",
    "circuits": "represents",
    "probes": "represents",
}
"""What the passes of any task ask."""


def asked(name: str) -> Asks:
    """What a pass asks: as the base or a study says; what nobody knows is taken to be about what it computes."""
    views = {name: view for study in studies().values() for name, view in study.views.items()}
    return BASE.get(name, views[name].asks if name in views else "computes")


def grouped(sections: Iterable[Section]) -> list[tuple[str, list[Section]]]:
    """Heading and sections of every group that has any, each in the order given."""
    own: dict[str, list[Section]] = {asks: [] for asks in GROUPS}
    for section in sections:
        own[section.asks].append(section)
    return [(heading, own[asks]) for asks, heading in GROUPS.items() if own[asks]]
