"""Components: which of them, trained alone, sit on a plateau and then drop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from mcinterp.report.figures import components_figure
from mcinterp.report.numbers import interval, is_absent, number, plural
from mcinterp.report.parts import FigureView, Section
from mcinterp.report.scores import Scores, capital, curve_name
from mcinterp.report.tables import table_view
from mcinterp.results import Result

CAPTION = (
    "{score} while one component, re-initialised in the last checkpoint, is trained with everything else frozen, "
    "and while the whole model was trained; averaged over equal stretches of steps, both axes logarithmic. Open "
    "circle, diamond, disc: a drop starts, is steepest, ends. Dotted line: the run's plateau."
)


def view(result: Result, others: Mapping[str, Result]) -> Section:
    """Show the trainings of a run's components."""
    training = others.get("training")
    name = str(training.facts.get("run", "RUN")) if training else "RUN"
    left_out = [f"Left out: {reason}." for reason in result.facts.get("left_out", ())]
    if not result.facts.get("retrained"):
        command = f"{result.facts['command']} {name}"
        text = f"No component has been retrained. The command `{command}` does so; then make the report again."
        return Section(result.name, result.title, absent=" ".join([text, *left_out]))
    shown = (
        ("times", "When each training reaches what, averaged over seeds", False),
        ("transitions", "Every training and its drop", True),
        ("control", "Controls: before and after each training, and with the original component put back", True),
    )
    tables = [table_view(result.table(key), result.tables[key].columns, text, folded=fold) for key, text, fold in shown]
    caption = CAPTION.format(score=capital(_progress(result)))
    figure = FigureView(caption, components_figure(result))
    return Section(result.name, result.title, [*sentences(result), *left_out], [figure], tables)


def _progress(result: Result) -> str:
    """What is followed, in a sentence."""
    return curve_name(result, result.facts["progress_score"])


def sentences(result: Result) -> list[str]:
    """Which components have a plateau and a drop and in what order, and what the controls say."""
    times = result.table("times")
    components = times[times["kind"] == "component"]
    whole = times[times["kind"] == "run"]
    return [
        part
        for part in (
            _plateaus(components, whole),
            _in_warmup(result.table("transitions")),
            _elsewhere(result.table("transitions")),
            _levels(components, whole, _progress(result)),
            _unfinished(result.table("transitions")),
            _restored(result.table("control"), Scores.of(result).the),
            _anew(result.table("control"), Scores.of(result).the),
        )
        if part
    ]


def _plateaus(components: pd.DataFrame, whole: pd.DataFrame) -> str:
    if not (whole["found"] > 0).any():
        return "The run itself has no plateau and drop that its components could be compared with."
    dropping = components[components["found"] > 0].sort_values("start", ascending=False, kind="stable")
    gradual = components[components["found"] == 0]["component"].tolist()
    parts = []
    if len(dropping):
        own = f"; the whole model leaves it at step {_step(whole.to_dict('records')[0], 'start')}"
        listed = ", ".join(
            f"{row['component']} at step {_step(row, 'start')}{_of_seeds(row)}" for row in dropping.to_dict("records")
        )
        parts.append(f"Trained alone, these leave the run's plateau in a sudden drop, the latest first: {listed}{own}.")
    if gradual:
        parts.append(f"Without a sudden drop from that plateau: {', '.join(gradual)}.")
    return " ".join(parts)


def _of_seeds(row: Mapping[Any, Any]) -> str:
    if row["n"] == 1:
        return ""
    return f" ({number(row['found'])} of {plural(int(row['n']), 'seed')})"


def _step(row: Mapping[Any, Any], column: str) -> str:
    if is_absent(row.get(f"{column}_low")):
        return number(row[column]) if is_absent(row[column]) else number(round(row[column]))
    return interval(*(row[f"{column}{end}"] for end in ("", "_low", "_high")))


def _in_warmup(transitions: pd.DataFrame) -> str:
    """Drops that start while the learning rate still rises, so that their plateau may be the schedule's."""
    dropping = transitions[(transitions["kind"] == "component") & transitions["from_run_plateau"].astype(bool)]
    early = dropping[dropping["start"] < dropping["warmup_steps"]]
    if early.empty:
        return ""
    names = ", ".join(f"{row['component']} (seed {int(row['seed'])})" for row in early.to_dict("records"))
    warmup = number(int(early["warmup_steps"].max()))
    return f"Within the {warmup} steps of warm-up, when the learning rate is still small: {names}."


def _elsewhere(transitions: pd.DataFrame) -> str:
    """Drops from another level than the run's plateau, which a start averaged over seeds must not mix in."""
    found = transitions["found"].astype(bool) & ~transitions["from_run_plateau"].astype(bool)
    rows = transitions[found & (transitions["kind"] == "component")].to_dict("records")
    listed = "; ".join(
        f"{row['component']} (seed {int(row['seed'])}) at {number(row['plateau'])} until step {_step(row, 'start')}"
        for row in rows
    )
    return f"A plateau at another level, with a drop from there: {listed}." if rows else ""


def _levels(components: pd.DataFrame, whole: pd.DataFrame, score: str) -> str:
    if whole.empty or is_absent(whole.iloc[0]["half_at"]):
        return ""
    rows = [*components.to_dict("records"), *whole.to_dict("records")]
    listed = "; ".join(f"{row['component']} {_step(row, 'half_at')} and {_step(row, 'fifth_at')}" for row in rows)
    return f"Steps until {score} is at a half and at a fifth of the run's plateau: {listed}."


def _unfinished(transitions: pd.DataFrame) -> str:
    short = transitions[transitions["done"] < transitions["steps"]]
    listed = ", ".join(
        f"{row['component']} (seed {int(row['seed'])}, {number(row['done'])} of {number(row['steps'])} steps)"
        for row in short.to_dict("records")
    )
    return f"Not finished: {listed}." if listed else ""


def _restored(control: pd.DataFrame, score: str) -> str:
    if control.empty:
        return ""
    off = control["restored_change"].abs().max()
    if off == 0:
        return "Control: with the original component put back, every retrained model is the run's own, exactly."
    return f"The control fails: with the original component put back, {score} differs by up to {number(off)}."


def _anew(control: pd.DataFrame, score: str) -> str:
    rows = control[control["kind"] == "control"].to_dict("records")
    listed = "; ".join(
        f"{row['component']} {interval(*(row[f'last_change{end}'] for end in ('', '_low', '_high')))} at step "
        f"{number(row['step'])}"
        for row in rows
    )
    if not rows:
        return ""
    return f"Control: trained on without being re-initialised, the change of {score} is {listed}."
