"""Which rules there are, and which of their findings are told where."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from mcinterp.declared import load
from mcinterp.installed import studies
from mcinterp.report.story.account import account
from mcinterp.report.story.answers import answers
from mcinterp.report.story.attention import attention
from mcinterp.report.story.drop import drop, learned
from mcinterp.report.story.finding import ORDER, Finding
from mcinterp.report.story.first import first
from mcinterp.report.story.heads import heads
from mcinterp.report.story.nearest import nearest
from mcinterp.report.story.told import Told
from mcinterp.report.story.traced import traced

Rule = Callable[[Told], Finding | None]
RULES: tuple[Rule, ...] = (drop, answers, learned, attention, heads, nearest, traced, first, account)
"""Those that any task may be told by."""
MOST, MOST_OF_STEP = 7, 4
"""Findings on the page of a run, and on that of a step."""


def story_of(told: Told) -> list[Finding]:
    """The findings of a run, at most `MOST`, in the order in which they are asked for; the last question stays."""
    found = _answered(told)
    return found if len(found) <= MOST else [*found[: MOST - 1], found[-1]]


def story_of_step(told: Told, step: int) -> list[Finding]:
    """The findings of one checkpoint, at most `MOST_OF_STEP`."""
    return _answered(told.on(step))[:MOST_OF_STEP]


def _answered(told: Told) -> list[Finding]:
    """One finding a question: a study's own, where it has one."""
    found: dict[str, Finding] = {}
    for finding in (*_of_studies(told), *_of(RULES, told)):
        found.setdefault(finding.about, finding)
    return [found[about] for about in ORDER if about in found]


def _of(rules: Iterable[Rule], told: Told) -> Iterator[Finding]:
    return (finding for rule in rules if (finding := rule(told)) is not None)


def _of_studies(told: Told) -> Iterator[Finding]:
    places = [view.findings for study in studies().values() for view in study.views.values() if view.findings]
    return _of((load(place) for place in places), told)
