"""Several runs side by side, aligned at their drops."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from mcinterp.analysis.compare.aligned import LEAST_RUNS, over_runs, spread
from mcinterp.analysis.compare.compared_run import CLASS_COLUMNS, CURVE_COLUMNS, RUN_COLUMNS, Member
from mcinterp.analysis.statistics import Floats, interval_columns, mean_estimate
from mcinterp.config import check_same_kind
from mcinterp.errors import InputError
from mcinterp.results import Result, Table
from mcinterp.runs import Run
from mcinterp.task import make_task
from mcinterp.task.offers import curve_labels

POINTS = 300
"""The longest run's curve is averaged into about so many stretches."""
AVERAGED = ("plateau", "start", "steepest", "end", "duration", "level_after", "last_score")
AVERAGE_COLUMNS = {
    "quantity": "a column of the table of runs",
    "n": "runs with a drop, which are averaged",
    **interval_columns("value", f"mean over the runs; t interval over runs, none with fewer than {LEAST_RUNS}"),
    "lowest": "of the runs",
    "highest": "of the runs",
}
ALIGNED_COLUMNS = {
    "score": "of metrics.csv",
    "aligned_step": "step less that of the run's fastest fall",
    "n": "runs with a drop, all of which have this stretch",
    **interval_columns(
        "value",
        "mean over the runs, of the logarithms where all values are positive (the geometric mean); t interval over "
        f"runs, none with fewer than {LEAST_RUNS}",
    ),
}
CONFIG_COLUMNS = {
    "run": "a run that is not the first",
    "field": "of the configuration, where it differs from the first run's",
    "first": "the first run's value",
    "own": "this run's",
}


def compare_runs(runs: Sequence[Run], labels: Sequence[str] | None = None, samples: int = 64, seed: int = 0) -> Result:
    """Put the training of several runs side by side, each shifted so that its fastest fall is at step 0.

    Runs without a drop have nothing to be shifted by: they are in all tables, but in no average.

    Args:
        runs: at least two, of the same kind of task.
        labels: what they are called; by default their names.
        samples: of each family of inputs, to class heads with; 0 to leave that out.
        seed: of these samples.

    Returns:
        tables `runs`, `averages`, `curves` (every run), `aligned` (the mean over runs with its band), `classes` (heads
        of each class at some checkpoints of every run, where heads have classes) and `fields`; facts with the factor by
        which the curves of runs that drop differ across their drops, aligned and by step.

    Raises:
        InputError: for fewer than two runs, two of the same folder, or tasks of two kinds.
    """
    members = _members(runs, labels)
    dropped = [member for member in members if member.transition.found]
    rows = [member.row() for member in members]
    width = max(1, round(max(member.length for member in members) / POINTS))
    scores = _scores(members)
    logarithmic = [name for name in scores if all(member.is_positive(name) for member in members)]
    progress, task = members[0].progress_score, make_task(members[0].run.config.task)
    facts = {
        "runs": [member.label for member in members],
        "dropped": [member.label for member in dropped],
        "statements": {member.label: member.transition.statement for member in members},
        "progress_score": progress,
        "curve_labels": curve_labels(task),
        "scores": scores,
        "logarithmic": logarithmic,
        "width": width,
        "least_runs": LEAST_RUNS,
        "spread": _spreads(dropped, progress, width) if progress in logarithmic else {},
        "task": {member.label: member.task for member in members},
        "kind_words": members[0].kind_words,
    }
    tables = {
        "runs": Table.of(RUN_COLUMNS, rows),
        "averages": Table.of(AVERAGE_COLUMNS, _average_rows(rows)),
        "curves": Table.of(CURVE_COLUMNS, [row for member in members for row in member.curve_rows(scores, width)]),
        "aligned": Table.of(ALIGNED_COLUMNS, _aligned_rows(dropped, scores, logarithmic, width)),
        "classes": Table.of(CLASS_COLUMNS, [row for one in members for row in one.class_rows(samples, seed)]),
        "fields": Table.of(CONFIG_COLUMNS, _field_rows(members)),
    }
    return Result("compared-runs", "Runs aligned at their drops", {"samples": samples, "seed": seed}, facts, tables)


def _members(runs: Sequence[Run], labels: Sequence[str] | None) -> list[Member]:
    """The runs with their names, once it is seen that they can be compared."""
    if len(runs) < 2:
        raise InputError(f"compare_runs: at least two runs are compared, got {len(runs)}")
    names = list(labels) if labels is not None else [run.name for run in runs]
    if len(names) != len(runs):
        raise InputError(f"compare_runs: {len(runs)} runs need as many labels, got {len(names)}")
    paths = [run.path.resolve() for run in runs]
    twice = next((run for run, path in zip(runs, paths, strict=True) if paths.count(path) > 1), None)
    if twice is not None:
        raise InputError(f"compare_runs: {twice.path} is given twice")
    if len(set(names)) < len(names):
        names = [str(run.path) for run in runs]
    members = [Member(run, name) for run, name in zip(runs, names, strict=True)]
    check_same_kind({member.label: member.run.config for member in members})
    return members


def _scores(members: Sequence[Member]) -> list[str]:
    """What every run measures at each step, the progress score first."""
    task = make_task(members[0].run.config.task)
    others = [name for name in ("loss", *task.score_names) if name != task.progress_score]
    return [task.progress_score, *others]


def _average_rows(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    dropped = [row for row in rows if row["found"]]
    found = []
    for name in AVERAGED if dropped else ():
        values: Floats = np.array([row[name] for row in dropped], dtype=np.float64)
        columns = mean_estimate(values).columns("value")
        found.append(
            {
                "quantity": name,
                "n": len(values),
                **(columns if len(values) >= LEAST_RUNS else {**columns, "value_low": np.nan, "value_high": np.nan}),
                "lowest": float(values.min()),
                "highest": float(values.max()),
            }
        )
    return found


def _aligned_rows(
    dropped: Sequence[Member], scores: Iterable[str], logarithmic: Sequence[str], width: int
) -> list[dict[str, Any]]:
    """The mean over the runs that drop; of one there is none."""
    rows: list[dict[str, Any]] = []
    for score in scores if len(dropped) > 1 else ():
        curves = [member.curve(score, width, member.zero or 0) for member in dropped]
        places, estimate = over_runs(curves, score in logarithmic)
        for index, place in enumerate(places):
            about = {"score": score, "aligned_step": float(place), "n": len(dropped)}
            rows.append({**about, **estimate.columns("value", index)})
    return rows


def _spreads(dropped: Sequence[Member], score: str, width: int) -> dict[str, float | None]:
    """By which factor the curves of runs that drop differ across their drops, aligned and by step."""
    if len(dropped) < 2:
        return {}
    found = [member.transition for member in dropped]
    aligned = [member.curve(score, width, member.zero or 0) for member in dropped]
    by_step = [member.curve(score, width, 0) for member in dropped]
    ends = (min(one.start - one.steepest for one in found), max(one.end - one.steepest for one in found))
    factors = {
        "aligned": spread(aligned, *ends),
        "by_step": spread(by_step, min(one.start for one in found), max(one.end for one in found)),
    }
    return {name: factor if np.isfinite(factor) else None for name, factor in factors.items()}


def _field_rows(members: Sequence[Member]) -> list[dict[str, str]]:
    first = members[0].run.config
    return [
        {"run": member.label, "field": field, "first": str(here), "own": str(there)}
        for member in members[1:]
        for field, (here, there) in first.unlike(member.run.config).items()
    ]
