"""The size at which claims were decided, beside the paper's: what does not hold here is not refuted by it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcinterp.declared import Study, load
from mcinterp.installed import task_kinds
from mcinterp.report.numbers import number
from mcinterp.report.views.training import run_facts
from mcinterp.results import Result


def size_sentence(study: Study | None, run: Result | None) -> str:
    """What was trained here, what the paper trained, and what follows.

    Args:
        study: whose claims are decided; None where it is not installed.
        run: the `training` result of its run; None where nothing was trained.
    """
    here = f"on {_trained(run)}" if run else "without a trained network"
    if not study or not study.paper_size:
        return f"Decided {here}."
    return f"Decided {here}; the paper {study.paper_size}. A claim that does not hold here is not refuted at that size."


def _trained(run: Result) -> str:
    config, facts = run.facts.get("config") or {}, dict(run_facts(run))
    steps = config.get("training", {}).get("steps")
    known = not run.facts.get("imported") and steps is not None
    trained = [str(facts.get("model", "a model of unknown size")), *([f"{number(steps)} steps"] if known else [])]
    return f"{_task(config.get('task') or {})} ({'; '.join(trained)})"


def _task(task: Mapping[str, Any]) -> str:
    """The task as it describes itself, else its name."""
    name = str(task.get("kind", "a task"))
    kind = task_kinds().get(name)
    return str(load(kind.described)(task)) if kind and kind.described else name.replace("-", " ")
