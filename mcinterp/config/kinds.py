"""The kinds of task and of model that there are, and the class of a section of each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mcinterp.config.base import ModelSection, TaskSection
from mcinterp.declared import load
from mcinterp.errors import nearest_name
from mcinterp.installed import architectures, broken, task_kinds

FIELD = {"task": "kind", "model": "architecture"}
"""Sections of several kinds, and the field that says of which a section is."""


def kinds(section: str) -> Iterable[str]:
    """Every kind that a section may be of."""
    return task_kinds() if section == "task" else architectures()


def unnamed(section: str) -> str:
    """The kind of a section that does not name one, as those of the first runs did not: the first that there is."""
    first, kind = next(iter(task_kinds().items()))
    return first if section == "task" else kind.architectures[0]


def no_kind(section: str, kind: Any) -> str:
    """That there is no such kind, and what helps: the nearest name, or the study that brings it."""
    nearest = nearest_name(str(kind), kinds(section))
    missing = "" if "did you mean" in nearest else ", or what a study brings that is not installed"
    return "; ".join((f"there is none{nearest}{missing}", *broken().values()))


def section_class(section: str, kind: str) -> type[Any]:
    """The class of a section of that kind."""
    return load(task_kinds()[kind].config if section == "task" else architectures()[kind].config)


def default_task() -> TaskSection:
    """The task where none is described."""
    return section_class("task", unnamed("task"))()


def default_model() -> ModelSection:
    """The model where none is described."""
    return section_class("model", unnamed("model"))()
