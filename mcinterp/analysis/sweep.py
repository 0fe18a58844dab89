"""A sweep as a result: every run with its drop, averages over seeds, and the curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mcinterp.analysis.statistics import Estimate, Floats, interval_columns, mean_estimate
from mcinterp.results import Result, Table
from mcinterp.runs import Run
from mcinterp.runs.checkpoint import package_versions
from mcinterp.runs.grid import Sweep, SweepRun, short_names
from mcinterp.runs.run import CONFIG, METRICS
from mcinterp.runs.sweep import read_failures
from mcinterp.task import make_task
from mcinterp.task.offers import curve_labels
from mcinterp.training import Transition

SEED = "training.seed"
LAST_SHARE, LAST_STEPS = 0.1, 200
"""The last score averages this share of the steps done, at most so many of them."""
CURVE_POINTS = 120

_STEPS = "of the progress score's drop; empty without one"
_RUN_COLUMNS = {
    "run": "name of the run's folder in the sweep's",
    "seed": "seed of its weights and data",
    "state": "finished, not finished or not started; failed, with the reason, where the latest training failed",
    "finished": "whether all steps are done",
    "steps_done": "steps with a row in metrics.csv",
    "found": "whether the progress score has a sudden drop",
    "plateau": "level of the plateau before the drop, or of the flattest stretch where there is none; a median, so "
    "without an interval of the mean",
    "start": f"last step of the plateau, {_STEPS}",
    "steepest": f"step of the fastest fall, {_STEPS}",
    "end": f"step at which the fall has slowed down, {_STEPS}",
    "n": "steps averaged in last_score: the last tenth of those done, at most 200",
    **interval_columns("last_score", "mean of the progress score over the last n steps, each on a fresh batch"),
    "share_of_plateau": "last_score / plateau; the plateau is taken as known, so the relative interval is last_score's",
    "seconds": "of training",
}
_GROUP_COLUMNS = {
    "seed": "seeds of the group's runs",
    "runs": "runs of the group",
    "n": "finished runs, which are averaged",
    "dropped": "finished runs with a drop",
    **interval_columns(
        "steepest",
        "mean step of the fastest fall over the runs that dropped (those without are left out, so that it is "
        "too early where there are some); interval over seeds, none with fewer than two",
    ),
    **interval_columns("last_score", "mean last score over the n runs; interval over seeds, none with fewer than two"),
    **interval_columns("share_of_plateau", "mean share of the plateau over the n runs; interval over seeds"),
}
_CURVE_COLUMNS = {
    "run": "name of the run",
    "step": "middle of the stretch of steps that the row averages",
    "n": "steps averaged",
    **interval_columns("score", "mean of the progress score over the stretch, each step on a fresh batch"),
}


def sweep_summary(folder: Path | str) -> Result:
    """Summarise a sweep's folder as it stands, finished or not.

    Args:
        folder: what `run_sweep` wrote.

    Returns:
        tables `runs` (one row a run: the fields that vary, how far it is, its drop and its last score), `groups` (runs
        that differ in their seed alone, averaged) and `curves` (the progress score in at most `CURVE_POINTS` pieces).

    Raises:
        CheckpointError: if there is no sweep, or a run in it is damaged.
    """
    folder = Path(folder)
    sweep = Sweep.load(folder)
    names = short_names(sweep.fields, sweep.runs[0].config)
    failures = read_failures(folder)
    metrics = {run.name: _metrics(folder / run.name) for run in sweep.runs}
    rows = [_run_row(folder, run, names, metrics[run.name], failures) for run in sweep.runs]
    others = [names[field] for field in sweep.fields if field != SEED]
    varied = {names[field]: f"{field}, which varies" for field in sweep.fields}
    columns = {"run": _RUN_COLUMNS["run"], **varied, **_RUN_COLUMNS}
    curves = [row for run in sweep.runs for row in _curve_rows(run, metrics[run.name])]
    facts = {
        "sweep": sweep.name,
        "fields": [names[field] for field in sweep.fields],
        "others": others,
        "progress_score": _progress_score(sweep.runs[0]),
        "curve_labels": curve_labels(make_task(sweep.runs[0].config.task)),
        "states": _counts(rows),
        "steps": max(run.config.training.steps for run in sweep.runs),
    }
    tables = {
        "runs": Table.of(columns, rows),
        "groups": Table.of({**{name: varied[name] for name in others}, **_GROUP_COLUMNS}, _group_rows(rows, others)),
        "curves": Table.of(_CURVE_COLUMNS, curves),
    }
    provenance = {
        "configs": {run.name: run.config.hash for run in sweep.runs},
        "versions": package_versions(),
        "interval": "95 %, t",
    }
    return Result("sweep", f"Sweep {sweep.name}", {}, facts, tables, provenance=provenance)


def _metrics(path: Path) -> pd.DataFrame | None:
    """What a run has measured; None before it started."""
    return Run(path).metrics if (path / CONFIG).is_file() and (path / METRICS).is_file() else None


def _run_row(
    folder: Path, run: SweepRun, names: Mapping[str, str], metrics: pd.DataFrame | None, failures: Mapping[str, str]
) -> dict[str, Any]:
    begun = metrics is not None and len(metrics) > 0
    finished = begun and Run(folder / run.name).finished
    state = "finished" if finished else "not finished" if begun else "not started"
    if not finished and run.name in failures:
        state = f"failed: {failures[run.name]}"
    return {
        "run": run.name,
        **{names[field]: value for field, value in run.varied.items()},
        "seed": run.config.training.seed,
        "state": state,
        "finished": finished,
        "steps_done": len(metrics) if metrics is not None else 0,
        **_measured(folder / run.name, _progress_score(run), metrics if begun else None),
    }


def _measured(path: Path, score: str, metrics: pd.DataFrame | None) -> dict[str, Any]:
    """Drop and last score of a run; empty for one that has not begun."""
    if metrics is None:
        names = (
            "plateau",
            "start",
            "steepest",
            "end",
            *interval_columns("last_score", ""),
            "share_of_plateau",
            "seconds",
        )
        return {"found": False, "n": 0, **dict.fromkeys(names, np.nan)}
    transition: Transition = Run(path).transition
    last = metrics[score].to_numpy()[-last_steps(len(metrics)) :]
    level = mean_estimate(last)
    return {
        "found": transition.found,
        "plateau": transition.plateau,
        **{name: getattr(transition, name) for name in ("start", "steepest", "end")},
        "n": int(np.isfinite(last).sum()),
        **level.columns("last_score"),
        "share_of_plateau": float(level.value) / transition.plateau,
        "seconds": float(metrics["seconds"].iloc[-1]),
    }


def last_steps(done: int) -> int:
    """How many of the steps done make the last stretch."""
    return min(LAST_STEPS, max(1, round(LAST_SHARE * done)))


def _group_rows(rows: Sequence[Mapping[str, Any]], others: Sequence[str]) -> list[dict[str, Any]]:
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in others), []).append(row)
    return [{**dict(zip(others, values, strict=True)), **_averaged(members)} for values, members in groups.items()]


def _averaged(members: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The runs of one group, which differ in their seed."""
    finished = [row for row in members if row["finished"]]
    dropped = [row for row in finished if row["found"]]
    return {
        "seed": " ".join(str(row["seed"]) for row in members),
        "runs": len(members),
        "n": len(finished),
        "dropped": len(dropped),
        **_over_seeds(dropped, "steepest"),
        **_over_seeds(finished, "last_score"),
        **_over_seeds(finished, "share_of_plateau"),
    }


def _over_seeds(rows: Sequence[Mapping[str, Any]], name: str) -> dict[str, float]:
    values: Floats = np.array([row[name] for row in rows if np.isfinite(row[name])])
    if not len(values):
        return dict.fromkeys(interval_columns(name, ""), np.nan)
    return mean_estimate(values).columns(name)


def _progress_score(run: SweepRun) -> str:
    return make_task(run.config.task).progress_score


def _curve_rows(run: SweepRun, metrics: pd.DataFrame | None) -> list[dict[str, Any]]:
    if metrics is None:
        return []
    points = min(CURVE_POINTS, len(metrics))
    rows = []
    for part in np.array_split(np.arange(len(metrics)), points) if points else ():
        scores = metrics[_progress_score(run)].to_numpy()[part]
        estimate: Estimate = mean_estimate(scores)
        n = int(np.isfinite(scores).sum())
        rows.append(
            {
                "run": run.name,
                "step": float(metrics["step"].to_numpy()[part].mean()),
                "n": n,
                **estimate.columns("score"),
            }
        )
    return rows


def _counts(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many runs are in each state."""
    states = [row["state"].partition(":")[0] for row in rows]
    return {state: states.count(state) for state in dict.fromkeys(states)}
