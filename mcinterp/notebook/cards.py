"""Runs, checkpoints and drops in a notebook: what one wants to know of them first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from markupsafe import Markup

from mcinterp.notebook.tables import framed, sentence, table
from mcinterp.report.numbers import number
from mcinterp.report.palette import SERIES
from mcinterp.report.parts import Cell, Column, TableView
from mcinterp.report.scores import spaced
from mcinterp.report.tables import cell
from mcinterp.report.views.training import flattened, statement
from mcinterp.runs import Checkpoint, Run
from mcinterp.task import make_task
from mcinterp.task.offers import curve_labels
from mcinterp.training import Transition

WIDTH, HEIGHT, POINTS = 520, 110, 260
"""Of a run's curve in small: CSS pixels, and how many stretches of steps it averages."""
_NONE = {"undecided": "No verdict on a drop"}
MANY = 60
"""So many checkpoints are not listed."""


def run_card(run: Run) -> str:
    """The curve in small, the finding, and the checkpoints."""
    metrics, transition = run.metrics, run.transition
    scores = metrics[make_task(run.config.task).progress_score]
    curve = _curve(metrics["step"].to_numpy(), scores.to_numpy(), run.progress_name, run.transitions)
    done, steps = run.steps_done, run.config.training.steps
    facts = {
        "task": _section(run.config.task.model_dump()),
        "model": _section(run.config.model.model_dump()),
        "steps done": f"{number(done)} of {number(steps)}",
        "checkpoints": _checkpoints(run.steps),
        "configuration": run.config.hash,
        "folder": str(run.path),
    }
    return framed(f"Run {run.name}", [_finding(transition), curve, _pairs("Facts", facts)])


def checkpoint_card(checkpoint: Checkpoint) -> str:
    """Where it comes from, and what was measured at its step."""
    names = curve_labels(make_task(checkpoint.config.task))
    facts = {
        "parameters": number(sum(weight.numel() for weight in checkpoint.weights.values())),
        **{names.get(name, spaced(name)): number(value) for name, value in checkpoint.metrics.items()},
        "model": _section(checkpoint.config.model.model_dump()),
        "digest of the weights": checkpoint.digest,
        "configuration": checkpoint.config.hash,
        "device": checkpoint.device,
    }
    return framed(f"{checkpoint.run_name}, step {number(checkpoint.step)}", [_pairs("Facts", facts)])


def transition_card(transition: Transition) -> str:
    """The finding, and its numbers."""
    values = {each.name: getattr(transition, each.name) for each in fields(transition)}
    named = {name: value for name, value in values.items() if name not in ("statement", "found")}
    return framed(
        "Plateau and drop" if transition.found else _NONE.get(transition.confidence, "No drop"),
        [_finding(transition), _table("Numbers", ((spaced(n), cell(n, named)) for n in named))],
    )


def _finding(transition: Transition) -> Markup:
    return sentence(statement({"statement": transition.statement}))


def _checkpoints(steps: Sequence[int]) -> str:
    """How many there are, and at which steps: all of a few, the ends of many."""
    names = [number(step) for step in steps]
    if len(names) > MANY:
        names = [*names[:3], "…", *names[-3:]]
    return f"{number(len(steps))}, at steps {', '.join(names)}" if names else "none yet"


def _pairs(caption: str, facts: Mapping[str, str]) -> Markup:
    return _table(caption, ((name, Cell(text)) for name, text in facts.items()))


def _table(caption: str, rows: Iterable[tuple[str, Cell]]) -> Markup:
    cells = [(Cell(name), value) for name, value in rows]
    return table(TableView(caption, [Column(""), Column("")], cells, kind="plain"))


def _section(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {text}" for name, text in flattened(values) if text != "–")


def _curve(steps: np.ndarray, values: np.ndarray, name: str, drops: Sequence[Transition]) -> Markup:
    """The progress score on a logarithmic axis, with the plateau's level and the drop."""
    shown = np.isfinite(values) & (values > 0)
    steps, values = steps[shown], np.log10(values[shown])
    if len(steps) < 2:
        return Markup("")
    stretches = np.array_split(np.arange(len(steps)), min(POINTS, len(steps)))
    x = np.array([steps[part].mean() for part in stretches]) / steps[-1] * WIDTH
    low, high = values.min(), max(values.max(), values.min() + 1e-9)
    y = [HEIGHT * (high - values[part].mean()) / (high - low) for part in stretches]
    line = " ".join(f"{at:.1f},{height:.1f}" for at, height in zip(x, y, strict=True))
    shaded = Markup("")
    for drop in drops:
        start, end = (at / steps[-1] * WIDTH for at in (drop.start, drop.end))
        shaded += Markup('<rect x="{:.1f}" y="0" width="{:.1f}" height="{}" fill="{}" opacity=".15"/>').format(
            start, end - start, HEIGHT, SERIES[1]
        )
    return Markup(
        '<figure><svg role="img" aria-label="{label}" width="{w}" height="{h}" viewBox="0 0 {w} {h}">{drop}'
        '<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"/></svg>'
        "<figcaption>{label}</figcaption></figure>"
    ).format(
        label=f"{name} from step {number(int(steps[0]))} to {number(int(steps[-1]))}, logarithmic axis from "
        f"{number(10**low)} to {number(10**high)}{'; shaded: the drop' if drops else ''}",
        w=WIDTH,
        h=HEIGHT,
        drop=shaded,
        line=line,
        colour=SERIES[1],
    )
