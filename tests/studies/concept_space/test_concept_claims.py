"""The claims about concept space: every verdict of every finding and control comes out of forged tables."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest
from forged_concept import concept_evidence, concept_tables
from forging import spoilt, with_interval

from mcinterp.studies.concept_space import claims
from mcinterp.studies.concept_space.claims import concept_claims
from mcinterp.studies.concept_space.hidden import (
    AMPLIFIED,
    BEHIND,
    COMES_WITH,
    LAGS,
    LATENT_BEHIND,
    LESS_UNGATED,
    TURN_LATENT,
    TURN_OVER,
)
from mcinterp.studies.concept_space.networks import FIXED, GATED, MIDDLE, STRONG, UNGATED, WEAK
from mcinterp.studies.concept_space.prompts import RANDOM, TOWARDS_RED
from mcinterp.studies.concept_space.signals import COLOUR, SIZE
from mcinterp.study import Claim, Evidence

SPEED, IMAGES, ORDER, TURN, OVER = "speed", "speed by the images alone", "order", "turn", "over-prompts"
LATENT, NOTHING, AMPLIFICATION = "latent interventions", "nothing hidden without gating", "not amplification"
EMERGES = "emergence at the turn"
DECIDE = {
    SPEED: claims.speed,
    IMAGES: claims.speed_of_images,
    ORDER: claims.order,
    TURN: claims.turns,
    OVER: claims.over_prompts,
    LATENT: claims.latents,
    NOTHING: claims.nothing_hidden,
    AMPLIFICATION: claims.not_amplified,
    EMERGES: claims.emerges_at_the_turn,
}
NAN = math.nan


class Spoilt(NamedTuple):
    """A finding, the row that it rests on, the column, and values at which it fails and cannot be told."""

    claim: str
    finding: int
    table: str
    where: Mapping[str, Any]
    column: str
    fails: float
    edge: float


def of(reading: str, colours: str, **more: Any) -> dict[str, Any]:
    return {"reading": reading, "colours": colours, **more}


SPOILT = [
    *(
        Spoilt(SPEED, at, "slopes", {"reading": reading, "concept": COLOUR}, "slope", 0.0, -0.5)
        for at, reading in enumerate((UNGATED, GATED))
    ),
    Spoilt(IMAGES, 0, "slopes", {"reading": FIXED, "concept": COLOUR}, "slope", 0.0, -0.5),
    Spoilt(ORDER, 0, "order", of(UNGATED, WEAK), "order", -0.5, 0.1),
    Spoilt(ORDER, 1, "order", of(UNGATED, STRONG), "order", 0.5, -0.1),
    Spoilt(ORDER, 2, "order", of(UNGATED, WEAK), "first", 0.4, -0.2),
    Spoilt(ORDER, 3, "order", of(UNGATED, STRONG), "first", -0.4, 0.2),
    *(
        Spoilt(TURN, 3 * at + number, "turns", of(GATED, colours), column, fails, edge)
        for at, colours in enumerate((MIDDLE, STRONG))
        for number, (column, fails, edge) in enumerate(
            [("depth", 0.6, 0.35), ("nearer", 0.3, -0.2), ("angle", 20.0, 60.0)]
        )
    ),
    *(
        Spoilt(OVER, at, "gaps", of(GATED, colours, gap=BEHIND), "value", 0.0, 0.4)
        for at, colours in enumerate((WEAK, MIDDLE, STRONG))
    ),
    *(
        Spoilt(LATENT, 2 * at + number, "gaps", of(GATED, colours, gap=gap), "value", 0.0, 0.4)
        for at, colours in enumerate((WEAK, MIDDLE, STRONG))
        for number, gap in enumerate((LATENT_BEHIND, LESS_UNGATED))
    ),
    *(
        Spoilt(NOTHING, at, "gaps", of(UNGATED, colours, gap=LATENT_BEHIND), "value", 0.8, 0.3)
        for at, colours in enumerate((WEAK, MIDDLE, STRONG))
    ),
    *(
        Spoilt(AMPLIFICATION, 3 * at + number, "gaps", of(GATED, colours, gap=gap), "value", fails, 0.4)
        for at, colours in enumerate((WEAK, MIDDLE, STRONG))
        for number, (gap, fails) in enumerate([(LAGS, 0.0), (COMES_WITH, 0.9), (AMPLIFIED, 0.0)])
    ),
    *(
        Spoilt(EMERGES, 2 * at + number, "gaps", of(GATED, colours, gap=gap), "value", -0.5, 0.0)
        for at, colours in enumerate((MIDDLE, STRONG))
        for number, gap in enumerate((TURN_OVER, TURN_LATENT))
    ),
]
# For every control: its claims and findings, and the row and column of what has to be null.
CONTROLS = [
    *((SPEED, at, "slopes", {"reading": r, "concept": SIZE}, "slope") for at, r in enumerate((UNGATED, GATED))),
    (IMAGES, 0, "slopes", {"reading": FIXED, "concept": SIZE}, "slope"),
    *((TURN, at, "turns", of(UNGATED, MIDDLE), "depth") for at in (0, 1)),
    *((TURN, at, "turns", of(UNGATED, STRONG), "depth") for at in (3, 4)),
    *(
        (OVER, at, "nulls", of(GATED, colours, null=TOWARDS_RED), "right")
        for at, colours in enumerate((WEAK, MIDDLE, STRONG))
    ),
    *(
        (LATENT, 2 * at + number, "nulls", of(GATED, colours, null=RANDOM), "right")
        for at, colours in enumerate((WEAK, MIDDLE, STRONG))
        for number in (0, 1)
    ),
]


def result_of(table: str) -> str:
    return "study/hidden" if table in ("gaps", "nulls") else "study/paths"


def claim(name: str, evidence: Evidence) -> Claim:
    return DECIDE[name](evidence)


def changed(table: str, where: Mapping[str, Any], values: Mapping[str, Any]) -> Evidence:
    return concept_evidence(spoilt(concept_tables(), result_of(table), table, where, values))


def test_everything_holds_of_what_is_forged_to_hold() -> None:
    assert {claim.name: claim.verdict for claim in concept_claims(concept_evidence())} == dict.fromkeys(DECIDE, "holds")


def test_every_finding_is_spoilt() -> None:
    findings = {(one.name, at) for one in concept_claims(concept_evidence()) for at in range(len(one.findings))}
    assert {(one.claim, one.finding) for one in SPOILT} == findings


@pytest.mark.parametrize("one", SPOILT, ids=lambda one: f"{one.claim} {one.finding}")
def test_a_number_on_the_other_side_does_not_hold_and_across_the_bound_is_undecided(one: Spoilt) -> None:
    for value, verdict in ((one.fails, "does not hold"), (one.edge, "undecided"), (NAN, "undecided")):
        found = claim(one.claim, changed(one.table, one.where, with_interval(one.column, value, 0.05)))
        verdicts = [finding.verdict for finding in found.findings]
        assert verdicts.pop(one.finding) == verdict
        assert set(verdicts) <= {"holds"}
        assert found.verdict == verdict


def test_every_control_is_broken() -> None:
    held = {
        (one.name, at)
        for one in concept_claims(concept_evidence())
        for at, finding in enumerate(one.findings)
        if finding.control
    }
    assert {(name, at) for name, at, *_ in CONTROLS} == held


@pytest.mark.parametrize(("name", "at", "table", "where", "column"), CONTROLS)
def test_a_control_that_is_not_null_leaves_the_finding_undecided(
    name: str, at: int, table: str, where: dict[str, Any], column: str
) -> None:
    values = with_interval(column, {"depth": 0.1, "slope": -0.9}.get(column, 0.9), 0.02)
    for value in (values, dict.fromkeys(values, NAN)):
        assert claim(name, changed(table, where, value)).findings[at].verdict == "undecided"


def test_lower_bounds_decide_that_something_is_late_and_never_that_it_is_not() -> None:
    ended = {"value_high": math.inf, "bounded": 1}
    late = changed("gaps", of(GATED, STRONG, gap=BEHIND), with_interval("value", 0.9, 0.2) | ended)
    assert claim(OVER, late).verdict == "holds"
    early = changed("gaps", of(GATED, STRONG, gap=BEHIND), with_interval("value", 0.1, 0.05) | ended)
    assert claim(OVER, early).verdict == "undecided"
    together = changed("gaps", of(UNGATED, STRONG, gap=LATENT_BEHIND), with_interval("value", 0.0, 0.05) | ended)
    assert claim(NOTHING, together).verdict == "undecided"
    assert math.isnan(claim(NOTHING, together).findings[2].number.value)


def test_without_results_nothing_is_decided() -> None:
    assert {claim.verdict for claim in concept_claims(Evidence({}))} == {"undecided"}
