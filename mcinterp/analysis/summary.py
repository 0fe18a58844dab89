"""The run as a whole, as a result: its loss curve, its transition and its checkpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from mcinterp.analysis.registry import defined_for
from mcinterp.analysis.sample_scores import score_facts
from mcinterp.analysis.statistics import mean_estimate
from mcinterp.results import Result, Table
from mcinterp.runs import Run
from mcinterp.task import make_task
from mcinterp.task.offers import Scored, curve_labels
from mcinterp.training import Transition

MAX_POINTS = 600
_MEANINGS = {
    "step": "middle of the stretch of steps that the row averages",
    "loss": "the loss that is minimised",
}
TRANSITION_COLUMNS = {
    "plateau": "level of the plateau before the drop; a median, so without an interval",
    "plateau_start": "step at which the plateau begins",
    "start": "last step of the plateau",
    "steepest": "step at which the curve falls by 30 % (by half of a smaller drop) in the shortest time",
    "end": "step at which the curve has reached the level after the drop",
    "level_after": "that level",
    "signal": "the fall in standard deviations of the noise on the plateau",
    "confidence": "high or moderate",
    "statement": "the finding as a sentence",
}


def training_summary(run: Run, analysed: Sequence[int] = ()) -> Result:
    """Summarise a run's training.

    Args:
        run: the run.
        analysed: steps whose checkpoints have been analysed.

    Returns:
        table `curve`, metrics averaged over at most `MAX_POINTS` equal stretches, and table `transitions`, a row a drop
        of the progress score, in order; facts with configuration, steps and transition, the largest of them (NaN as
        None), and the 95 % interval of its plateau's level over training batches.
    """
    metrics, task = run.metrics, make_task(run.config.task)
    meanings = _MEANINGS | {name: kind.meaning for name, kind in task.score_kinds.items()}
    transition = {name: _plain(value) for name, value in asdict(run.transition).items()}
    facts = {
        "run": run.name,
        "config": run.config.model_dump(mode="json"),
        "config_hash": run.config.hash,
        "passes": sorted(defined_for(run.config)),
        "steps": run.steps,
        "analysed": list(analysed),
        "finished": run.finished,
        "seconds": float(metrics["seconds"].iloc[-1]) if len(metrics) else 0.0,
        "last_step": int(metrics["step"].iloc[-1]) if len(metrics) else 0,
        "progress_score": task.progress_score,
        "score_names": list(task.score_names),
        "loss_name": task.loss_name,
        "curve_labels": curve_labels(task),
        **(score_facts(task) if isinstance(task, Scored) else {}),
        "beside": [name for name, kind in task.score_kinds.items() if kind.beside],
        "transition": transition,
        **({"imported": run.curve_origin} if run.is_imported else {}),
        "plateau_interval": _plateau_interval(metrics, task.progress_score, run.transition),
    }
    tables = {
        "curve": Table(_averaged(metrics, meanings), meanings),
        "transitions": Table.of(TRANSITION_COLUMNS, [_drop(drop) for drop in run.transitions]),
    }
    return Result("training", "Training", {}, facts, tables)


def _plateau_interval(metrics: pd.DataFrame, score: str, transition: Transition) -> list[float] | None:
    """The plateau's level less and more what its batches leave open of their mean (95 %); None without a drop."""
    if not transition.found:
        return None
    flat = metrics.loc[metrics["step"].between(transition.plateau_start, transition.start), score].dropna()
    mean = mean_estimate(flat.to_numpy(dtype=np.float64))
    return [float(transition.plateau + end - mean.value) for end in (mean.low, mean.high)]


def _drop(transition: Transition) -> dict[str, Any]:
    return {name: getattr(transition, name) for name in TRANSITION_COLUMNS}


def _averaged(metrics: pd.DataFrame, meanings: Mapping[str, str]) -> pd.DataFrame:
    stretch = np.arange(len(metrics)) * min(MAX_POINTS, len(metrics)) // max(1, len(metrics))
    return metrics[list(meanings)].groupby(stretch).mean()


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not np.isfinite(value) else value
