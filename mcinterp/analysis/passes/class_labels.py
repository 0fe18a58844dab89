"""From scores of classes to the labels of heads: what fits, what fits as well, and how near the nearest is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcinterp.analysis.passes.head_patterns import Measured
from mcinterp.analysis.statistics import CONFIDENCE, Estimate, Floats, interval_columns, mean_estimate
from mcinterp.task.inside import HeadClasses

THRESHOLD = 0.3
"""A class fits when its score's interval lies above this and above every head of an untrained model."""
NONE, AMBIGUOUS = "none", "ambiguous"
UNKNOWN = Estimate(*(np.asarray(np.nan) for _ in range(4)))

SCORE_COLUMNS = {
    "head": "layer and head, from 0",
    "kind": "kind of class",
    "class": "the class",
    **interval_columns("score", "0 for uniform attention, 1 for a perfect member"),
    "uniform": "control: score of a head that attends uniformly",
    "untrained": "control: mean score of an untrained model's heads",
    "untrained_max": "… the largest of them",
    "threshold": "what the interval must lie above for the class to fit",
    "least": "the lowest score of the queries at one place, of classes that a head has to keep to everywhere",
    "least_place": "that place",
    "everywhere": "whether no place is shown to have a score below 0, that of uniform attention",
    "fits": "whether the interval lies above the threshold, and everywhere is so",
}


def head_columns(kinds: Mapping[str, Sequence[str]], sample_name: str) -> dict[str, str]:
    """Columns of the table `heads`, for a task's kinds of classes."""
    columns = {"head": "layer and head, from 0"}
    for kind, classes in kinds.items():
        columns |= {
            kind: f"best-fitting of {', '.join(classes)}; {AMBIGUOUS} where the next best is not told apart, or "
            f"each of several fits at some places alone; or {NONE}",
            f"{kind}_runner_up": f"the next best; the nearest where it is {NONE}",
            **interval_columns(f"{kind}_margin", "score of the best minus that of the next best, paired over samples"),
            f"{kind}_all": f"every class whose score is above its threshold, everywhere or not, best first; or {NONE}",
            f"{kind}_nearest": f"the class that this is about: the best, the nearest where it is {NONE}",
            **interval_columns(f"{kind}_score", "its score"),
            f"{kind}_above": "its score less its threshold",
        }
    return {**columns, "n": f"{sample_name} a family of inputs", "seed": "seed of the batches"}


@dataclass(frozen=True)
class Scored:
    """How every head scores for a class.

    Attributes:
        kind, name: of the class.
        samples: scores, (sample, head).
        estimate: their means.
        uniform: score of a head that attends uniformly.
        untrained: scores of an untrained model's heads, (head,); None where there is no model.
        least: score at the place where it is lowest, NaN without places, (head,).
        least_place: that place, (head,).
        everywhere: whether no place is shown to lie below uniform attention, (head,).
    """

    kind: str
    name: str
    samples: Floats
    estimate: Estimate
    uniform: float
    untrained: Floats | None
    least: Floats
    least_place: Sequence[str]
    everywhere: np.ndarray

    @property
    def threshold(self) -> float:
        """What the interval has to lie above."""
        return THRESHOLD if self.untrained is None else max(THRESHOLD, float(self.untrained.max()))

    def above(self, head: int) -> bool:
        """Whether the score of a head is above the threshold."""
        return bool(self.estimate.low[head] > self.threshold)

    def fits(self, head: int) -> bool:
        """Whether a head fits the class."""
        return self.above(head) and bool(self.everywhere[head])

    def row(self, index: int, head: str) -> dict[str, Any]:
        """A head's row of the table `scores`."""
        untrained = np.asarray(np.nan) if self.untrained is None else self.untrained
        return {
            "head": head,
            "kind": self.kind,
            "class": self.name,
            **self.estimate.columns("score", index),
            "uniform": self.uniform,
            "untrained": float(untrained.mean()),
            "untrained_max": float(untrained.max()),
            "threshold": self.threshold,
            "least": float(self.least[index]),
            "least_place": self.least_place[index],
            "everywhere": bool(self.everywhere[index]),
            "fits": self.fits(index),
        }


def scored(classes: HeadClasses, own: Measured, uniform: Measured, untrained: Measured | None) -> list[Scored]:
    """Every class that can be scored, kind by kind."""
    return [
        Scored(
            kind,
            name,
            own.scores[name],
            mean_estimate(own.scores[name]),
            round(float(uniform.scores[name].mean()), 6) + 0.0,  # its attention is rounded to single precision
            untrained.scores[name].mean(0) if untrained else None,
            *_places(own.places.get(name), classes.places.get(name, ()), own.scores[name].shape[1]),
        )
        for kind, names in classes.kinds.items()
        for name in names
        if name not in classes.unscored
    ]


def _places(scores: Floats | None, places: Sequence[str], n_heads: int) -> tuple[Floats, list[str], np.ndarray]:
    """The lowest score at a place, the place, and whether none is shown to lie below 0, each (head,).

    Shown is what a t test rejects at 5 % over all places together (Bonferroni).
    """
    if scores is None:
        return np.full(n_heads, np.nan), [""] * n_heads, np.full(n_heads, True)
    found = mean_estimate(scores)
    below = (found.value < 0) & (found.p_value < (1 - CONFIDENCE) / len(places))
    return found.value.min(-1), [places[at] for at in found.value.argmin(-1)], np.asarray(~below.any(-1))


def head_row(index: int, head: str, classes: Sequence[Scored], about: Mapping[str, int]) -> dict[str, Any]:
    """A head's row of the table `heads`."""
    row: dict[str, Any] = {"head": head}
    for kind in dict.fromkeys(each.kind for each in classes):
        row |= _labels(index, kind, [each for each in classes if each.kind == kind])
    return {**row, **about}


def _labels(head: int, kind: str, classes: Sequence[Scored]) -> dict[str, Any]:
    """The columns of one kind of class."""
    jobs = [one for one in _ranked(head, classes) if one.above(head)]
    label, best, second = _label(head, classes, jobs)
    margin = _difference(head, best, second) if second and label != NONE else UNKNOWN
    return {
        kind: label,
        f"{kind}_runner_up": second.name if second and label != NONE else best.name,
        **margin.columns(f"{kind}_margin"),
        f"{kind}_all": ", ".join(one.name for one in jobs) or NONE,
        f"{kind}_nearest": best.name,
        **best.estimate.columns(f"{kind}_score", head),
        f"{kind}_above": float(best.estimate.value[head]) - best.threshold,
    }


def _ranked(head: int, classes: Sequence[Scored]) -> list[Scored]:
    return sorted(classes, key=lambda one: float(one.estimate.value[head]), reverse=True)


def _label(head: int, classes: Sequence[Scored], jobs: Sequence[Scored]) -> tuple[str, Scored, Scored | None]:
    """What a head is called, the class that this is about, and the next best.

    Args:
        head: which.
        classes: of the kind.
        jobs: those with a score above their threshold, best first.
    """
    fitting = [one for one in jobs if one.fits(head)]
    if len(jobs) > 1 and (not fitting or not _difference(head, jobs[0], jobs[1]).low > 0):
        return AMBIGUOUS, jobs[0], jobs[1]
    best = (fitting or _ranked(head, classes))[0]
    others = _ranked(head, [one for one in classes if one is not best])
    return best.name if fitting else NONE, best, others[0] if others else None


def _difference(head: int, first: Scored, second: Scored) -> Estimate:
    """How much higher a head scores for one class than for another, paired over samples."""
    return mean_estimate(first.samples[:, head] - second.samples[:, head])
