"""The run as a whole: its facts, its curve, its transition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcinterp.declared import Study, load
from mcinterp.installed import study_of, task_kinds
from mcinterp.report.figures import course_figure, curve_figure
from mcinterp.report.figures.curve import drops_of
from mcinterp.report.numbers import listed, number
from mcinterp.report.parts import Cell, Column, FigureView, Section, TableView
from mcinterp.report.tables import table_view
from mcinterp.results import Result

CAPTION = (
    "{curve}, averaged over equal stretches of steps{axis}. Diamonds are the analysed "
    "checkpoints (a click opens its page); {drop}."
)


def view(training: Result, pages: Mapping[int, str]) -> Section:
    """Show a run's curve and its transition."""
    table = training.tables["curve"]
    return Section(
        training.name,
        "Loss curve",
        statements(training),
        [FigureView(_caption(training, ", on a logarithmic axis"), curve_figure(training, pages))],
        [table_view(table.frame, table.columns, "The curve in numbers", folded=True)],
    )


def _caption(training: Result, axis: str = "") -> str:
    drops = drops_of(training)
    shaded = "each drop is" if len(drops) > 1 else "the drop is"
    undecided = (training.facts.get("transition") or {}).get("confidence") == "undecided"
    none = "its points are too few for a drop to be found or ruled out" if undecided else "no drop was found"
    drop = f"{shaded} shaded from its start to its end" if drops else none
    return CAPTION.format(curve=_curve(training), axis=axis, drop=drop)


def course(training: Result, pages: Mapping[int, str], compared: Mapping[str, Result]) -> Section:
    """Show everything that is known of a run by step on one axis."""
    shown, table = _followed(compared), training.tables["curve"]
    also = f" Below it, with a point at every kept checkpoint and 95 % intervals: {listed(shown)}." if shown else ""
    return Section(
        training.name,
        "The training on one axis of steps",
        statements(training),
        [FigureView(f"{_caption(training)}{also}", course_figure(training, compared, pages), step_axis=True)],
        [table_view(table.frame, table.columns, "The curve in numbers", folded=True)],
    )


def _followed(compared: Mapping[str, Result]) -> list[str]:
    """What the panels below the curve are of."""
    words = {
        "plateau": "progress of the attention",
        "embeddings": "embeddings",
        "course": "what uniform attention costs",
        "formation": "classes of heads",
    }
    return [said for name, said in words.items() if name in compared]


def _curve(training: Result) -> str:
    """What the curve is of: of an imported run it may have been measured at the checkpoints alone."""
    how = training.facts.get("imported")
    return f"Training curve, {how}" if how else "Training curve"


def statements(training: Result) -> list[str]:
    """Every drop of a run in words, or why there is none."""
    drops = drops_of(training)
    return [statement(drop) for drop in drops or [training.facts.get("transition") or {}]]


def statement(transition: Mapping[str, Any]) -> str:
    """The transition in words."""
    text = str(transition.get("statement") or "no transition was looked for").rstrip(".")
    first = text.partition(" ")[0]
    return (text if "_" in first else text[:1].upper() + text[1:]) + "."


def run_facts(training: Result) -> list[tuple[str, str]]:
    """What a reader wants to know of a run first."""
    facts = training.facts
    task, model = (facts.get("config", {}).get(section, {}) for section in ("task", "model"))
    finished = "finished" if facts.get("finished") else "not finished"
    trained = f"{number(facts.get('last_step'))} steps, {finished}, {_duration(facts.get('seconds'))}"
    pairs = [
        ("task", _task(task)),
        ("model", _model(model)),
        ("training", "elsewhere; the run was imported" if facts.get("imported") else trained),
        ("checkpoints", f"{len(facts.get('steps', ()))} kept, {len(facts.get('analysed', ()))} analysed"),
    ]
    return [(name, text) for name, text in pairs if text]


def study_of_run(training: Result | None) -> Study | None:
    """The study whose task a run has, as far as its `training` result says."""
    task = (training.facts.get("config") or {}).get("task") if training else None
    return study_of(str(task.get("kind"))) if task else None


def has_heads(training: Result | None) -> bool:
    """Whether the model has attention heads, as far as its `training` result says."""
    model = (training.facts.get("config") or {}).get("model") if training else None
    return not model or "n_heads" in model


def config_table(training: Result) -> TableView:
    """The configuration, a row a field."""
    pairs = flattened(training.facts.get("config", {}))
    if training.facts.get("imported"):
        # How it was trained is not known: that section of its configuration holds defaults.
        pairs = [(name, text) for name, text in pairs if not name.startswith("training.")]
    rows = [(Cell(name), Cell(text)) for name, text in pairs]
    return TableView("Configuration", [Column("field"), Column("value")], rows, kind="plain", folded=True)


def flattened(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested values as dotted names with texts."""
    pairs: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            pairs += flattened(value, f"{prefix}{name}.")
        else:
            pairs.append((f"{prefix}{name}", _plain(value)))
    return pairs


def _plain(value: Any) -> str:
    """A value as one reads it: lists without brackets, yes and no."""
    if value is None or value in ([], ()):
        return "–"
    if isinstance(value, list | tuple):
        return listed([_plain(one) for one in value])
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _task(task: Mapping[str, Any]) -> str:
    kind = task_kinds().get(str(task.get("kind")))
    return str(load(kind.described)(task)) if kind and kind.described else _described(task)


def _model(model: Mapping[str, Any]) -> str:
    if "n_heads" not in model:
        return _described(model)
    kind = "" if model.get("architecture", "encoder") == "encoder" else f"{model['architecture']}, "
    return f"{kind}{model.get('n_layers')} layers × {model.get('n_heads')} heads, width {model.get('d_model')}"


def _described(section: Mapping[str, Any]) -> str:
    """A section of any kind: what it is, and its fields."""
    if not section:
        return ""
    (_, kind), *fields = flattened(section)
    return ", ".join([kind, *(f"{name.replace('_', ' ')} {text}" for name, text in fields)])


def _duration(seconds: float | None) -> str:
    if not seconds:
        return "time not kept"
    if seconds < 120:
        return f"{number(seconds)} s"
    return f"{number(seconds / 60)} min" if seconds < 7200 else f"{number(seconds / 3600)} h"
