"""A run among others that it is compared with: its drop, its curves and the classes of its heads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from mcinterp.analysis.compare.aligned import Curve, stretches
from mcinterp.analysis.passes.taxonomy import head_taxonomy
from mcinterp.analysis.registry import PASSES, missing
from mcinterp.analysis.statistics import Floats, interval_columns, mean_estimate
from mcinterp.analysis.sweep import last_steps
from mcinterp.runs import Run
from mcinterp.task import make_task
from mcinterp.training import Transition

CLASS_CHECKPOINTS = 8
"""At so many checkpoints of each run the heads' classes are counted."""
_DROP = "of the drop of the progress score; empty without one"
RUN_COLUMNS = {
    "run": "what the run is called",
    "seed": "seed of its weights and data",
    "config_hash": "of its configuration",
    "steps_done": "steps that it was trained",
    "finished": "whether these are all",
    "found": "whether the progress score has a sudden drop",
    "plateau": "height of the plateau before the drop, or of the flattest stretch; a median, so without an interval",
    "start": f"last step of the plateau {_DROP}",
    "steepest": f"step of the fastest fall {_DROP}",
    "end": f"step at which the fall has slowed down {_DROP}",
    "duration": f"end − start {_DROP}",
    "level_after": f"the progress score at the end {_DROP}",
    "n": "steps averaged in last_score: the last tenth of those done, at most 200",
    **interval_columns("last_score", "mean of the progress score over the last n steps, each on a fresh batch"),
}
CURVE_COLUMNS = {
    "run": "what the run is called",
    "score": "of metrics.csv",
    "step": "middle of the stretch of steps that the row averages",
    "aligned_step": "the same less the step of the run's fastest fall; empty for a run without a drop",
    "n": "steps averaged",
    "value": "mean of the score over the stretch; single runs have no interval",
}
CLASS_COLUMNS = {
    "run": "what the run is called",
    "step": "of the checkpoint",
    "aligned_step": "the same less the step of the run's fastest fall; empty for a run without a drop",
    "kind": "kind of class",
    "class": "class of the head taxonomy, or none of its kind",
    "heads": "of this class",
    "share": "of all heads; a count of this model's heads, without an interval",
    "n": "samples of each family of inputs that a head's class was decided with",
    "seed": "seed of these samples",
}


@dataclass(frozen=True)
class Member:
    """A run with what it is called; what is read of it is read once."""

    run: Run
    label: str

    @cached_property
    def metrics(self) -> pd.DataFrame:
        return self.run.metrics

    @cached_property
    def transition(self) -> Transition:
        return self.run.transition

    @property
    def task(self) -> str:
        return str(self.run.config.task.kind)

    @property
    def kind_words(self) -> dict[str, list[str]]:
        """What the kinds of its heads' classes are called; none where heads have no classes."""
        if missing(PASSES["taxonomy"].asks, self.run.config):
            return {}
        task: Any = make_task(self.run.config.task)
        return {kind: list(words) for kind, words in task.head_classes().kind_words.items()}

    @property
    def progress_score(self) -> str:
        return str(make_task(self.run.config.task).progress_score)

    @property
    def zero(self) -> int | None:
        """The step of the fastest fall."""
        return round(self.transition.steepest) if self.transition.found else None

    @property
    def length(self) -> int:
        return int(self.metrics["step"].max()) if len(self.metrics) else 0

    def values(self, score: str) -> Floats:
        return self.metrics[score].to_numpy(dtype=np.float64)

    def is_positive(self, score: str) -> bool:
        values = self.values(score)
        return bool((values[np.isfinite(values)] > 0).all())

    def curve(self, score: str, width: int, zero: int) -> Curve:
        return stretches(self.metrics["step"].to_numpy(dtype=np.float64), self.values(score), zero, width)

    def row(self) -> dict[str, Any]:
        """The row of the table of runs."""
        found, scores = self.transition, self.values(self.progress_score)
        last = scores[-last_steps(len(scores)) :]
        estimate = mean_estimate(last) if len(last) else None
        columns = (
            estimate.columns("last_score") if estimate else dict.fromkeys(interval_columns("last_score", ""), np.nan)
        )
        return {
            "run": self.label,
            "seed": self.run.config.training.seed,
            "config_hash": self.run.config.hash,
            "steps_done": self.length,
            "finished": self.run.finished,
            "found": found.found,
            "plateau": found.plateau,
            "start": found.start,
            "steepest": found.steepest,
            "end": found.end,
            "duration": found.end - found.start,
            "level_after": found.level_after,
            "n": int(np.isfinite(last).sum()),
            **columns,
        }

    def curve_rows(self, scores: Iterable[str], width: int) -> list[dict[str, Any]]:
        """The run's curves in stretches, which are laid out from the fastest fall."""
        rows, zero = [], self.zero
        for score in scores:
            curve = self.curve(score, width, zero or 0)
            for place, value, count in zip(curve.places, curve.values, curve.counts, strict=True):
                rows.append(
                    {
                        "run": self.label,
                        "score": score,
                        "step": float(place + (zero or 0)),
                        "aligned_step": float(place) if zero is not None else np.nan,
                        "n": int(count),
                        "value": float(value),
                    }
                )
        return rows

    def class_rows(self, samples: int, seed: int) -> list[dict[str, Any]]:
        """Heads of each class at some checkpoints; none where heads have no classes."""
        if not samples or not self.run.steps or missing(PASSES["taxonomy"].asks, self.run.config):
            return []
        return [row for step in self.run.spread_steps(CLASS_CHECKPOINTS) for row in self._classes(step, samples, seed)]

    def _classes(self, step: int, samples: int, seed: int) -> list[dict[str, Any]]:
        result = head_taxonomy(self.run.checkpoint(step), samples, seed)
        heads = result.table("heads")
        kinds = {kind: [*classes, "none"] for kind, classes in result.facts["kinds"].items()}
        return [
            {
                "run": self.label,
                "step": step,
                "aligned_step": float(step - self.zero) if self.zero is not None else np.nan,
                "kind": kind,
                "class": name,
                "heads": int((heads[kind] == name).sum()),
                "share": float((heads[kind] == name).mean()),
                "n": samples,
                "seed": seed,
            }
            for kind, names in kinds.items()
            for name in names
        ]
