"""Training curves of single components: which of them, trained alone, sit on a plateau and then drop."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from mcinterp.analysis.passes.component_columns import (
    AVERAGED,
    NEAR,
    TIME_COLUMNS,
    WHOLE,
    control_columns,
    curve_columns,
    followed,
    transition_columns,
)
from mcinterp.analysis.passes.weight_bench import WeightBench
from mcinterp.analysis.registry import check_offered
from mcinterp.analysis.sample_scores import main_score, score_facts
from mcinterp.analysis.statistics import Floats, mean_estimate
from mcinterp.errors import McinterpError
from mcinterp.model.components import Component, transplant
from mcinterp.results import Result, Table
from mcinterp.runs import Run
from mcinterp.runs.checkpoint import saved_digest
from mcinterp.runs.retrain import retrained_runs
from mcinterp.runs.run import METRICS
from mcinterp.task import make_task
from mcinterp.task.offers import curve_labels

STRETCHES = 240
"""A curve is averaged over at most so many equal stretches of its steps."""
LEVELS = {"half_at": 0.5, "fifth_at": 0.2}
"""Columns, and the shares of the run's plateau that they are about."""


def component_dynamics(run: Run, samples: int = 512, seed: int = 0) -> Result:
    """Compare a run's curve with those of its retrained components (see `mcinterp.retrain`).

    Two controls: with the original component put back, every retrained model must be the run's own to the last bit
    (else more than the component was trained); and retrainings made with `control=True`, in which nothing was
    re-initialised, show what starting to train anew does by itself.

    Args:
        run: the run; its retrainings are looked for in `RUN/retrained/`.
        samples: for the controls, at least 2.
        seed: of these samples.

    Returns:
        tables `curves`, `transitions`, `times` and `control`; facts name the retrainings, and those left out with the
        reason. Source: Sec. 4 and Fig. 8 of arXiv 2410.22244.
    """
    check_offered("components", run.config)
    task: Any = make_task(run.config.task)
    retrained, left_out = _retrained(run)
    trainings = [_Training.of(run), *map(_Training.of, retrained)]
    own = run.transition
    plateau = own.plateau if own.found else np.nan
    transitions = [_transition_row(training, trainings, plateau) for training in trainings]
    bench = WeightBench(run.checkpoint("last"), samples, seed) if retrained else None
    facts = {
        "plateau": plateau if own.found else None,
        "levels": dict(LEVELS),
        "averaged_steps": AVERAGED,
        "retrained": [training.run.name for training in trainings[1:]],
        "left_out": left_out,
        "command": "mcinterp retrain",
        "progress_score": task.progress_score,
        "curve_labels": curve_labels(task),
        **score_facts(task),
    }
    return Result(
        "components",
        "Training of single components",
        {"samples": samples, "seed": seed},
        facts,
        {
            "curves": Table.of(curve_columns(task), [row for training in trainings for row in training.curve()]),
            "transitions": Table.of(transition_columns(task), transitions),
            "times": Table.of(TIME_COLUMNS, _time_rows(transitions)),
            "control": Table.of(control_columns(task), [_control_row(run, t, bench) for t in trainings[1:] if bench]),
        },
    )


def compared_components(run: Run, steps: Sequence[int], samples: int, seed: int) -> Result:
    """As `component_dynamics`: whole curves are compared, not checkpoints, so that `steps` choose nothing."""
    return component_dynamics(run, samples, seed)


def dynamics_fingerprint(run: Run) -> str:
    """Digest of the run and of every retraining that `component_dynamics` would look at."""
    retrained, left_out = _retrained(run)
    parts = [run.fingerprint(), *left_out]
    parts += [f"{other.name} {other.config.hash} {other.fingerprint()}" for other in retrained]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


class _Training:
    """One training curve, and what it trained."""

    def __init__(self, run: Run, component: str, kind: str) -> None:
        self.run, self.component, self.kind = run, component, kind
        self.metrics = run.metrics
        self.task: Any = make_task(run.config.task)

    @classmethod
    def of(cls, run: Run) -> _Training:
        start = run.config.start
        if start is None:
            return cls(run, WHOLE, "run")
        return cls(run, start.component, "component" if start.reinitialised else "control")

    def about(self) -> dict[str, Any]:
        return {"component": self.component, "kind": self.kind, "seed": self.run.config.training.seed}

    def curve(self) -> list[dict[str, Any]]:
        """Averages over stretches of steps."""
        if not len(self.metrics):
            return []
        values = self.metrics[["step", "loss", *followed(self.task)]].to_numpy(dtype=np.float64)
        return [self._stretch(rows) for rows in np.array_split(values, min(STRETCHES, len(values)))]

    def _stretch(self, rows: Floats) -> dict[str, Any]:
        averages = mean_estimate(rows[:, 1:])
        return {
            **self.about(),
            "step": float(rows[:, 0].mean()),
            "n": len(rows) * self.run.config.training.batch_size,
            **{
                key: value
                for i, name in enumerate(["loss", *followed(self.task)])
                for key, value in averages.columns(name, i).items()
            },
        }

    def reached(self, level: float) -> float:
        """First step at which the averaged progress score is at or below `level`; NaN if it never is."""
        score = self.task.progress_score
        measured = self.metrics[["step", score]].dropna()
        below = measured["step"][measured[score].rolling(AVERAGED).mean() <= level]
        return float(below.iloc[0]) if len(below) else np.nan


def _retrained(run: Run) -> tuple[list[Run], list[str]]:
    """Retrainings of this run that have begun, and the others, each with the reason why it is left out."""
    good, left_out = [], []
    for other in retrained_runs(run):
        reason = _why_not(run, other)
        if reason:
            left_out.append(f"{other.name}: {reason}")
        else:
            good.append(other)
    return good, left_out


def _why_not(run: Run, other: Run) -> str:
    try:
        start = other.config.start
        if start is None or start.config_hash != run.config.hash:
            return "it starts from a run with another configuration"
        if start.step not in run.steps or saved_digest(run.folder(start.step)) != start.digest:
            return f"the weights at step {start.step} that it starts from are not this run's"
        begun = (other.path / METRICS).is_file() and len(other.metrics) > 0 and len(other.steps) > 0
        return "" if begun else "it has not done a step"
    except McinterpError as error:
        return str(error)


def _transition_row(training: _Training, trainings: Sequence[_Training], plateau: float) -> dict[str, Any]:
    found = asdict(training.run.transition)
    alike = [other for other in trainings if (other.component, other.kind) == (training.component, training.kind)]
    last = training.metrics[training.task.progress_score].to_numpy()[-AVERAGED:]
    return {
        **training.about(),
        "n": len(alike),
        "steps": training.run.config.training.steps,
        "warmup_steps": training.run.config.training.warmup_steps,
        "done": int(training.metrics["step"].iloc[-1]) if len(training.metrics) else 0,
        **{name: found[name] for name in ("found", "plateau", "plateau_start", "start", "steepest", "end")},
        "from_run_plateau": bool(found["found"] and abs(found["plateau"] - plateau) <= NEAR * plateau),
        **{name: training.reached(share * plateau) for name, share in LEVELS.items()},
        **mean_estimate(last).columns(f"last_{training.task.score_unit}"),
        "statement": found["statement"],
    }


def _time_rows(transitions: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Averages over the seeds of each component."""
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in transitions:
        groups.setdefault((row["component"], row["kind"]), []).append(row)
    return [
        {
            "component": component,
            "kind": kind,
            "n": len(rows),
            "found": sum(row["from_run_plateau"] for row in rows),
            "reached_half": sum(np.isfinite(row["half_at"]) for row in rows),
            "reached_fifth": sum(np.isfinite(row["fifth_at"]) for row in rows),
            **_average(rows, "start", "from_run_plateau"),
            **_average(rows, "half_at"),
            **_average(rows, "fifth_at"),
        }
        for (component, kind), rows in groups.items()
    ]


def _average(rows: Sequence[Mapping[str, Any]], name: str, where: str = "") -> dict[str, float]:
    """The mean over rows that have a value, and of which `where` is true."""
    values = [row[name] if not where or row[where] else np.nan for row in rows]
    return mean_estimate(np.array(values)).columns(name)


def _control_row(run: Run, training: _Training, bench: WeightBench) -> dict[str, Any]:
    start = training.run.config.start
    if start is None:
        raise McinterpError(f"{training.run.path} is not a retraining")
    first, last = (training.run.checkpoint(step).weights for step in ("first", "last"))
    donor = run.checkpoint(start.step).weights
    original, main = bench.scores(donor), main_score(bench.task)
    restored = transplant(donor, last, Component.parse(start.component, donor))
    models = {"first_change": first, "last_change": last, "restored_change": restored}
    changes = {name: bench.scores(weights).minus(original, main) for name, weights in models.items()}
    return {
        **training.about(),
        "n": bench.sizes()["n"],
        "sample_seed": bench.seed,
        "step": training.run.steps[-1],
        **original.mean(main).columns(f"donor_{bench.task.score_unit}"),
        **{key: value for name, change in changes.items() for key, value in change.columns(name).items()},
    }
