"""What a page says first of a result that was made on inputs of one's own: which, and how they look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mcinterp.analysis.conditions import FACT
from mcinterp.report.numbers import listed
from mcinterp.report.parts import Section
from mcinterp.report.scores import capital
from mcinterp.report.views.attention import condition_picture
from mcinterp.results import Result


def conditioned(section: Section, result: Result) -> Section:
    """A section that says on which inputs its result was made; as it is where these are those that the task draws."""
    condition = result.facts.get(FACT)
    if condition is None:
        return section
    said = [_sentence(condition), *section.sentences]
    return replace(section, sentences=said, picture=condition_picture(condition))


def conditions_sentences(steps: Mapping[int, Mapping[str, Result]]) -> list[str]:
    """Which results of a run's checkpoints were made on inputs of one's own, a sentence for each such inputs."""
    results = [result for own in steps.values() for result in own.values()]
    found: dict[str, dict[str, None]] = {}
    for result in results:
        if FACT in result.facts:
            found.setdefault(_sentence(result.facts[FACT]), {})[result.title] = None
    return [f"{listed(list(titles))}: {said[:1].lower()}{said[1:]}" for said, titles in found.items()]


def _sentence(condition: Mapping[str, Any]) -> str:
    spelled = "" if condition["spelled"] == condition["name"] else f" ({condition['spelled']})"
    return f"{capital(condition['words'])}{spelled}, not on inputs as the task draws them."
