"""Paths through concept space: how fast each concept is learned, which comes first, and where the path turns."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcinterp.analysis.statistics import Floats, interval_columns
from mcinterp.results import Result, Table
from mcinterp.studies.concept_space.courses import ALIVE, BLUE, CONTRASTS, CURVE_COLUMNS, SMALL, Course, Time, curves
from mcinterp.studies.concept_space.images import SMALL_BLUE, SMALL_RED
from mcinterp.studies.concept_space.networks import ABOUT_COLUMNS, FIXED, GATED, MIDDLE, NETWORK_COLUMNS, READINGS
from mcinterp.studies.concept_space.prompts import NAIVE, PLAIN
from mcinterp.studies.concept_space.ratios import Ratio, log_ratio, mean_ratio, over_networks, ratio_columns
from mcinterp.studies.concept_space.signals import COLOUR, SIZE

PATHS = "paths"
NEAR, BACK = 0.1, 0.5
"""The turn is the last checkpoint with P(blue) this near to its least, before it is above ½ again."""

LEARNED_COLUMNS = {
    **NETWORK_COLUMNS,
    "concept": "which",
    "step": f"from which on its probability is at least {ALIVE:g} for the trained prompt that has it, large blue or "
    f"small red, and at most {1 - ALIVE:g} for large red; the last one where that is later",
    "reached": "whether it is not",
}
SLOPE_COLUMNS = {
    "reading": ABOUT_COLUMNS["reading"],
    "concept": "that is learned",
    "n": "seeds, each of as many networks as there are colours",
    **interval_columns(
        "slope",
        "of the logarithm of the step at which it is learned on that of the colour signal, which the separation of "
        "colours is proportional to; mean over seeds",
    ),
}
ORDER_COLUMNS = {
    **ABOUT_COLUMNS,
    "n": "networks",
    **ratio_columns("order", "ln of the step at which colour is learned over that of size"),
    **interval_columns(
        "first",
        f"P(blue) − P(small) of the held-out prompt at the first checkpoint where one of them is {ALIVE:g}: above 0 "
        "its path goes to large blue, below 0 to small red; mean over networks",
    ),
}
TURN_COLUMNS = {
    **NETWORK_COLUMNS,
    "start": "P(blue) of the held-out prompt, small blue, before training",
    "depth": "the least P(blue) once the size is learned",
    "nearer": "distance in concept space of the turn from small red, less that from small blue",
    "returned": f"whether P(blue) was above {BACK:g} again",
    "turn": f"last step with P(blue) within {NEAR:g} of its least before it was; empty where it was not",
    "angle": "degrees between the motion up to the turn and that from it to the end; likewise",
}
TURNS_COLUMNS = {
    **ABOUT_COLUMNS,
    "n": "networks",
    "returned": "those that turn back",
    **{
        name: meaning
        for column in ("start", "depth", "nearer", "angle")
        for name, meaning in interval_columns(column, f"{TURN_COLUMNS[column]}; mean over networks").items()
    },
}


@dataclass(frozen=True)
class Turn:
    """Where the path of the held-out prompt turns; NaN of what it does not do.

    Attributes:
        start: P(blue) before training.
        depth: the least P(blue) once the size is learned.
        nearer: distance from small red less that from small blue, at the turn, or at the least P(blue).
        step: of the turn.
        angle: degrees.
    """

    start: float
    depth: float
    nearer: float
    step: float
    angle: float


def turn_of(steps: Sequence[int], blue: Floats, small: Floats, learned: Time) -> Turn:
    """The turn of a path, from P(blue) and P(small) at every step, and when the size is learned."""
    sized = [at for at in range(1, len(blue)) if steps[at] >= learned.step]
    if not learned.reached:
        return Turn(float(blue[0]), *[math.nan] * 4)
    least = min(sized, key=lambda at: float(blue[at]))
    after = np.flatnonzero(blue[least:] > BACK) if blue[least] <= BACK else np.array([])
    inside = blue[least : least + after[0]] if len(after) else blue[least : least + 1]
    at = least + int(np.flatnonzero(inside <= blue[least] + NEAR)[-1])
    point = np.array([blue[at], small[at]])
    nearer = float(np.linalg.norm(point - SMALL_RED) - np.linalg.norm(point - SMALL_BLUE))
    if not len(after):
        return Turn(float(blue[0]), float(blue[least]), nearer, math.nan, math.nan)
    path = np.stack([blue, small], -1)
    angle = _angle(point - path[0], path[-1] - point)
    return Turn(float(blue[0]), float(blue[least]), nearer, float(steps[at]), angle)


def _angle(before: Floats, after: Floats) -> float:
    """Degrees between two motions."""
    cosine = before @ after / (np.linalg.norm(before) * np.linalg.norm(after))
    return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))


def turn(course: Course) -> Turn:
    """Of a network's held-out prompt."""
    return turn_of(course.steps, course.values[NAIVE, BLUE], course.values[NAIVE, SMALL], course.learned(SIZE))


def first_bend(course: Course) -> float:
    """P(blue) − P(small) of the held-out prompt where the first of them is learned; NaN where none is."""
    blue, small = (course.values[NAIVE, of][1:] for of in (BLUE, SMALL))
    there = np.flatnonzero(np.maximum(blue, small) >= ALIVE)
    return float(blue[there[0]] - small[there[0]]) if len(there) else math.nan


def paths(families: Sequence[Sequence[Course]]) -> Result:
    """All of it, of the courses of every family's networks."""
    every = [course for family in families for course in family]
    tables = {
        "learned": Table.of(LEARNED_COLUMNS, [_learned(course, concept) for course in every for concept in CONTRASTS]),
        "slopes": Table.of(SLOPE_COLUMNS, list(_slopes(every))),
        "order": Table.of(ORDER_COLUMNS, [_order(family) for family in families]),
        "turn": Table.of(TURN_COLUMNS, [_turn(course) for course in every]),
        "turns": Table.of(TURNS_COLUMNS, [_turns(family) for family in families]),
        "curves": Table.of(CURVE_COLUMNS, [row for family in families for row in curves(family, tuple(PLAIN))]),
    }
    return Result(PATHS, "Paths through concept space", {}, {}, tables)


def _learned(course: Course, concept: str) -> dict[str, Any]:
    time = course.learned(concept)
    return {**course.about, "concept": concept, "step": time.step, "reached": time.reached}


def _slopes(every: Sequence[Course]) -> Iterator[dict[str, Any]]:
    for reading in READINGS:
        own = [course for course in every if course.family.reading == reading or _is_both(course, reading)]
        seeds = sorted({course.seed for course in own})
        for concept in CONTRASTS:
            slopes = [_slope((course for course in own if course.seed == seed), concept) for seed in seeds]
            yield {"reading": reading, "concept": concept, "n": len(seeds), **over_networks("slope", slopes)}


def _is_both(course: Course, reading: str) -> bool:
    """Whether a gated network has the fixed prompt, being of the preset's colours."""
    return reading == FIXED and (course.family.reading, course.family.colours) == (GATED, MIDDLE)


def _slope(courses: Iterable[Course], concept: str) -> float:
    """Of log step on log signal, of the networks of a seed; NaN where one has not learned the concept."""
    points = [(course.family.task.sep_colour, course.learned(concept)) for course in courses]
    if not all(time.reached for _, time in points):
        return math.nan
    return float(np.polyfit(np.log([sep for sep, _ in points]), np.log([time.step for _, time in points]), 1)[0])


def _order(family: Sequence[Course]) -> dict[str, Any]:
    ratios: list[Ratio] = [log_ratio(*map(course.learned, (COLOUR, SIZE))) for course in family]
    first = over_networks("first", [first_bend(course) for course in family])
    return {**family[0].family.about, "n": len(family), **mean_ratio("order", ratios), **first}


def _turn(course: Course) -> dict[str, Any]:
    found = turn(course)
    about = {"start": found.start, "depth": found.depth, "nearer": found.nearer}
    return {**course.about, **about, "returned": found.step == found.step, "turn": found.step, "angle": found.angle}


def _turns(family: Sequence[Course]) -> dict[str, Any]:
    found = [turn(course) for course in family]
    columns: dict[str, Any] = {}
    for name in ("start", "depth", "nearer", "angle"):
        columns |= over_networks(name, [getattr(one, name) for one in found])
    returned = sum(one.step == one.step for one in found)
    return {**family[0].family.about, "n": len(found), "returned": returned, **columns}
