"""Capabilities that interventions show and the plain prompt does not: when each prompt is answered right."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from mcinterp.analysis.statistics import interval_columns
from mcinterp.results import Result, Table
from mcinterp.studies.concept_space.courses import (
    ALIVE,
    ASKED,
    COURSE_COLUMNS,
    CURVE_COLUMNS,
    RIGHT,
    Course,
    Time,
    curves,
)
from mcinterp.studies.concept_space.images import LARGE_BLUE, NAMES
from mcinterp.studies.concept_space.networks import ABOUT_COLUMNS, FIXED, GATED, NETWORK_COLUMNS, UNGATED
from mcinterp.studies.concept_space.paths import turn
from mcinterp.studies.concept_space.prompts import (
    INTO_LAST,
    LATENT,
    NAIVE,
    OVER,
    OVER_TRAINED,
    RANDOM,
    TOWARDS_RED,
    WITH_LAST,
)
from mcinterp.studies.concept_space.ratios import NAN, Ratio, log_ratio, mean_ratio, over_networks, ratio_columns

HIDDEN = "hidden"
TRAINED_BLUE = NAMES[LARGE_BLUE]
EMERGING = 0.5
"""A capability is taken to emerge where this share of an intervention's images is right."""
NULLS: Mapping[str, str] = {TOWARDS_RED: OVER, RANDOM: LATENT}
"""Nulls, each with the intervention that it stands beside."""

BEHIND, LATENT_BEHIND = "naive after over-prompt", "naive after latent"
LAGS, COMES_WITH = "naive after trained", "latent after trained"
AMPLIFIED = "naive after over-prompt, less trained after its over-prompt"
TURN_OVER, TURN_LATENT = "turn nearer to over-prompt than half way to naive", "the same of latent"
INTO_LAST_GAP, WITH_LAST_GAP = "embedding into the last, after trained", "embedding of the last, after trained"
LESS_UNGATED = f"{LATENT_BEHIND}, less that of ungated networks"
GAPS = {
    BEHIND: f"ln t({NAIVE}) / t({OVER})",
    LATENT_BEHIND: f"ln t({NAIVE}) / t({LATENT})",
    LAGS: f"ln t({NAIVE}) / t({TRAINED_BLUE})",
    COMES_WITH: f"ln t({LATENT}) / t({TRAINED_BLUE})",
    AMPLIFIED: f"ln t({NAIVE}) / t({OVER}) less ln t({TRAINED_BLUE}) / t({OVER_TRAINED})",
    TURN_OVER: f"½ ln t({NAIVE}) / t({OVER}) less |ln t(turn) / t({OVER}, half of the images)|",
    TURN_LATENT: f"½ ln t({NAIVE}) / t({LATENT}) less |ln t(turn) / t({LATENT}, half of the images)|",
    INTO_LAST_GAP: f"ln t({INTO_LAST}) / t({TRAINED_BLUE})",
    WITH_LAST_GAP: f"ln t({WITH_LAST}) / t({TRAINED_BLUE})",
    LESS_UNGATED: "the second, less that of the ungated network of the same seed and colours",
}
"""What is compared, t being the step from which on a prompt is answered right."""

TIME_COLUMNS = {
    **NETWORK_COLUMNS,
    "prompt": "what was asked, as of the courses",
    "step": f"from which on at least {ALIVE:g} of its images are right, and of those of red discs of that size; the "
    "last one where that is later",
    "reached": "whether it is not",
}
GAP_COLUMNS = {
    **ABOUT_COLUMNS,
    "gap": f"what is compared. {'; '.join(f'{name}: {meaning}' for name, meaning in GAPS.items())}",
    "n": "networks, or pairs of them",
    **ratio_columns("value", "of the gap"),
}
NULL_COLUMNS = {
    **ABOUT_COLUMNS,
    "null": "what was asked, as of the courses",
    "n": "networks",
    **interval_columns(
        "right", "share of images of small blue when the intervention is right; empty where it never is in one network"
    ),
    "most": "the largest mean over networks of any checkpoint",
    **interval_columns("untrained", "share before training of the intervention itself; mean over networks"),
}


def gaps_of(course: Course) -> dict[str, Ratio]:
    """Every gap within a network that it was asked about."""
    naive, trained, over, latent = map(course.time, (NAIVE, TRAINED_BLUE, OVER, LATENT))
    found = {
        BEHIND: log_ratio(naive, over),
        LATENT_BEHIND: log_ratio(naive, latent),
        LAGS: log_ratio(naive, trained),
        COMES_WITH: log_ratio(latent, trained),
    }
    if course.family.reading == GATED:
        found[AMPLIFIED] = found[BEHIND].minus(log_ratio(trained, course.time(OVER_TRAINED)))
        step = turn(course).step
        found[TURN_OVER] = _turn_gap(found[BEHIND], step, course.time(OVER, EMERGING))
        found[INTO_LAST_GAP] = log_ratio(course.time(INTO_LAST), trained)
        found[WITH_LAST_GAP] = log_ratio(course.time(WITH_LAST), trained)
        found[TURN_LATENT] = _turn_gap(found[LATENT_BEHIND], step, course.time(LATENT, EMERGING))
    return found


def _turn_gap(behind: Ratio, turned: float, emerged: Time) -> Ratio:
    """By how much the turn is nearer to an intervention's emergence than half of the way to the naive prompt's."""
    away = abs(math.log(turned / emerged.step)) if emerged.reached else NAN
    return Ratio(behind.value / 2 - away, behind.bounded)


def hidden(families: Sequence[Sequence[Course]]) -> Result:
    """All of it, of the courses of every family's networks."""
    asked = [family for family in families if family[0].family.reading != FIXED]
    tables = {
        "gaps": Table.of(GAP_COLUMNS, list(_gaps(asked))),
        "nulls": Table.of(NULL_COLUMNS, [row for family in asked for row in _nulls(family)]),
        "times": Table.of(TIME_COLUMNS, [row for family in asked for course in family for row in _times(course)]),
        "curves": Table.of(CURVE_COLUMNS, [row for family in asked for row in curves(family)]),
        "courses": Table.of(COURSE_COLUMNS, [row for family in families for course in family for row in course.rows]),
    }
    return Result(HIDDEN, "Hidden capabilities", {}, {}, tables)


def _gaps(families: Sequence[Sequence[Course]]) -> Iterator[dict[str, Any]]:
    """Within networks, and gated ones less ungated ones of the same seed and colours."""
    own = {
        (course.family.reading, course.family.colours, course.seed): gaps_of(course)
        for family in families
        for course in family
    }
    for family in families:
        about, colours = family[0].family.about, family[0].family.colours
        gaps = [own[course.family.reading, colours, course.seed] for course in family]
        for name in gaps[0]:
            ratios = [each[name] for each in gaps]
            yield {**about, "gap": name, "n": len(ratios), **mean_ratio("value", ratios)}
        if family[0].family.reading == GATED:
            others = [own[UNGATED, colours, course.seed] for course in family]
            less = [own[LATENT_BEHIND].minus(other[LATENT_BEHIND]) for own, other in zip(gaps, others, strict=True)]
            yield {**about, "gap": LESS_UNGATED, "n": len(less), **mean_ratio("value", less)}


def _nulls(family: Sequence[Course]) -> Iterator[dict[str, Any]]:
    for null, beside in NULLS.items():
        if null in ASKED[family[0].family.reading]:
            right = over_networks("right", [_right_when(course, null, beside) for course in family])
            most = float(np.mean([course.values[null, RIGHT] for course in family], axis=0).max())
            untrained = over_networks("untrained", [float(course.values[beside, RIGHT][0]) for course in family])
            yield {**family[0].family.about, "null": null, "n": len(family), **right, "most": most, **untrained}


def _right_when(course: Course, null: str, beside: str) -> float:
    """The null's share right at the first checkpoint at which the intervention beside it is answered right."""
    time = course.time(beside)
    at = next((at for at, step in enumerate(course.steps) if step and step >= time.step), -1)
    return float(course.values[null, RIGHT][at]) if time.reached else NAN


def _times(course: Course) -> Iterator[dict[str, Any]]:
    for prompt in ASKED[course.family.reading]:
        time = course.time(prompt)
        yield {**course.about, "prompt": prompt, "step": time.step, "reached": time.reached}
