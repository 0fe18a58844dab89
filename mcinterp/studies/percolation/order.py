"""What is learned in which order: grammar, types, reach and tasks at the checkpoints of networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcinterp.analysis.statistics import Estimate, interval_columns, mean_estimate
from mcinterp.results import Result, Table
from mcinterp.studies.percolation.crossings import first_crossing, over_networks, smoothed
from mcinterp.studies.percolation.exam import CONDITIONED, GRAMMAR, MEASURES, TYPES, UNSCRAMBLED, Exam, Written
from mcinterp.studies.percolation.runs import ABOUT_COLUMNS, Network
from mcinterp.training.schedule import checkpoint_steps

ORDER = "order"
LATER = {TYPES: GRAMMAR, UNSCRAMBLED: TYPES, CONDITIONED: TYPES}
"""What is said to be learned later than what."""
AROUND = 3
"""Checkpoints that shares are averaged over before they are timed: of a noisy curve the first crossing is too early."""

STEP_COLUMNS = {
    **ABOUT_COLUMNS,
    "step": "checkpoint",
    "n": "strings of each task, written anew at every checkpoint after the same prompts",
    "seed": "of the prompts, and of what is drawn after them",
    **{
        name: meaning
        for measure, what in MEASURES.items()
        for name, meaning in interval_columns(measure, f"share of {what}; missing where there are hardly any").items()
    },
    "n_entities": "entities that are asked for a descriptor",
    **interval_columns("reach", "order parameter of never-said pairs, mean over entities: 0 by chance, 1 complete"),
}
HALF_COLUMNS = {
    **ABOUT_COLUMNS,
    "measure": "which",
    "n": "strings",
    "half": "step at which half of the way from chance to the last checkpoint is first done, between checkpoints, each "
    "averaged with those beside it",
    "first": "the same of the first half of the strings",
    "second": "of the second half",
}
LATER_COLUMNS = {
    "measure": "what comes later",
    "than": "what comes before",
    "n": "networks",
    "seed": "of the first",
    **interval_columns("later", "logarithm of the one step over the other, mean over networks (t interval)"),
    **interval_columns(
        "halves",
        "control: logarithm of the step in the first half of the strings over that in the second, of the first",
    ),
    **interval_columns("halves_than", "… of the other"),
}


@dataclass(frozen=True)
class Course:
    """What a network writes at all of its checkpoints.

    Attributes:
        network: which.
        seed: of its prompts and of what is drawn after them.
        steps: of its checkpoints.
        written: at these.
    """

    network: Network
    seed: int
    steps: tuple[int, ...]
    written: tuple[Written, ...]

    @classmethod
    def of_network(cls, network: Network, n: int, seed: int) -> Course:
        """Have every checkpoint write."""
        # Without one at which training was stopped for a while, which the others would not have.
        steps = tuple(checkpoint_steps(network.run.config.training))
        # Networks that drew the same would be lucky together, and no average over them would show it.
        seed += 2 * network.run.config.training.seed
        exam = Exam(network.run.checkpoint(steps[0]).task, n, seed)
        return cls(network, seed, steps, tuple(exam.of(network.run.checkpoint(step)) for step in steps))

    def half(self, measure: str, part: slice = slice(None)) -> float:
        """Step at which half of the way from chance to the last checkpoint is first done."""
        curve = smoothed(np.array([each.share(measure, part) for each in self.written]), AROUND)
        chance = 1 / self.network.task.classes if measure == TYPES else 0.0
        return first_crossing(self.steps, curve, (chance + curve[-1]) / 2)


def order(networks: Sequence[Network], n: int, seed: int) -> Result:
    """Have networks write, and find when each measure has come half of its way.

    Args:
        networks: of the preset's setting.
        n: strings of each task at each checkpoint.
        seed: of prompts and of what is drawn after them, moved on by that of each network.
    """
    courses = [Course.of_network(network, n, seed) for network in networks]
    halves = [_half(course, measure, n) for course in courses for measure in MEASURES]
    first = networks[0].run.config.training.seed
    tables = {
        "steps": Table.of(
            STEP_COLUMNS, [_step(course, at, n) for course in courses for at in range(len(course.steps))]
        ),
        "halves": Table.of(HALF_COLUMNS, halves),
        "later": Table.of(LATER_COLUMNS, [_later(halves, *pair, first) for pair in LATER.items()]),
    }
    return Result(ORDER, "What is learned when", {"samples": n, "seed": seed}, {"measures": MEASURES}, tables)


def _step(course: Course, at: int, n: int) -> dict[str, Any]:
    written = course.written[at]
    columns: dict[str, Any] = {**course.network.about, "step": course.steps[at], "n": n, "seed": course.seed}
    for measure in MEASURES:
        columns |= written.estimate(measure).columns(measure)
    return columns | {"n_entities": len(written.reach), **mean_estimate(written.reach).columns("reach")}


def _half(course: Course, measure: str, n: int) -> dict[str, Any]:
    return {
        **course.network.about,
        "measure": measure,
        "n": n,
        "half": course.half(measure),
        "first": course.half(measure, slice(0, n // 2)),
        "second": course.half(measure, slice(n // 2, None)),
    }


def _later(halves: Sequence[Mapping[str, Any]], measure: str, than: str, seed: int) -> dict[str, Any]:
    """How much later one measure comes than another, and the same of the halves of the strings."""
    of = {name: [row for row in halves if row["measure"] == name] for name in (measure, than)}
    steps = {name: np.array([row["half"] for row in rows]) for name, rows in of.items()}
    about = {"measure": measure, "than": than, "n": len(steps[than]), "seed": seed}
    return {
        **about,
        **over_networks(np.log(steps[measure] / steps[than])).columns("later"),
        **_between_halves(of[measure]).columns("halves"),
        **_between_halves(of[than]).columns("halves_than"),
    }


def _between_halves(rows: Sequence[Mapping[str, Any]]) -> Estimate:
    return over_networks(np.log([row["first"] / row["second"] for row in rows]))
