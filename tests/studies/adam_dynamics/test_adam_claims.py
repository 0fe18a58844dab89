"""The claims about Adam's dynamics: every verdict of every finding comes out of forged tables."""

from __future__ import annotations

from typing import Any

import pytest
from forged_adam import EQUALLY, RARELY, adam_evidence, adam_tables
from forging import spoilt, with_interval

from mcinterp.studies.adam_dynamics.claims import adam_claims
from mcinterp.studies.adam_dynamics.explosions import LEVEL, REFERENCE, UNSEEN
from mcinterp.study import Evidence

FLOWS, BOUND, OUTSIDE, VANISH, RARE = (
    "a flow in continuous time",
    "bounded inside",
    "grows outside",
    "explosions need vanishing gradients",
    "rare tokens",
)
LAYERS, PLAIN, STAGES, BEATS, LARGER = (
    "normalisation adapts",
    "a plain average",
    "k-Adam in stages",
    "2-Adam over Adam",
    "larger updates",
)
NAMES = [FLOWS, BOUND, OUTSIDE, VANISH, RARE, LAYERS, PLAIN, STAGES, BEATS, LARGER]
NORMALISED = {"normalised": True, "beta1": 0.9}
WITHOUT = {"normalised": False, "beta1": 0.9}
ON_PLAIN = {"networks": "plain"}
# A claim, where its number is, the number's column, the rule's end, and which way is wrong.
FINDINGS: list[tuple[str, str, str, dict[str, Any], str, float, int]] = [
    (FLOWS, "flow", "distances", {"rate": 0.003, "beta1": 0.8}, "distance", 0.01, 1),
    (FLOWS, "flow", "falls", {"beta1": 0.8}, "share", 0.5, 1),
    (OUTSIDE, "explosions", "conditions", vars(REFERENCE), "exploded", 0.7, -1),
    (OUTSIDE, "explosions", "conditions", vars(REFERENCE), "slope", 0.9, -1),
    (OUTSIDE, "explosions", "conditions", vars(REFERENCE), "slope", 1.1, 1),
    (VANISH, "explosions", "conditions", vars(REFERENCE), "forgetting", 0.8, -1),
    (VANISH, "explosions", "conditions", vars(UNSEEN), "exploded", 0.3, 1),
    (VANISH, "explosions", "conditions", vars(LEVEL), "exploded", 0.3, 1),
    (RARE, "tokens", "settings", RARELY, "peak", 1.0, -1),
    (RARE, "tokens", "settings", {"beta1": 0.9}, "peak", 1.0, 1),
    (LAYERS, "invariant", "settings", NORMALISED, "over_factor", 1.2, 1),
    (LAYERS, "invariant", "settings", NORMALISED, "over_factor", 0.8, -1),
    (LAYERS, "invariant", "settings", NORMALISED, "over_law", 1.2, 1),
    (LAYERS, "invariant", "settings", NORMALISED, "over_law", 0.8, -1),
    (LAYERS, "invariant", "settings", NORMALISED, "scales", 1.15, 1),
    (LAYERS, "invariant", "settings", NORMALISED, "scales", 0.85, -1),
    (BEATS, "trained", "best", ON_PLAIN, "to_adam", 0.0, 1),
    (BEATS, "trained", "best", {"networks": "normalised"}, "to_adam", 0.0, 1),
    (LARGER, "trained", "best", ON_PLAIN, "small", 0.0, 1),
    (LARGER, "trained", "best", ON_PLAIN, "sizes", 1.5, -1),
]
# A claim, and an exact number that it cannot have.
EXACT: list[tuple[str, str, str, dict[str, Any], dict[str, float]]] = [
    (BOUND, "bounds", "pairs", {"beta1": 0.5}, {"attained": 1 - 1e-9}),
    (BOUND, "bounds", "pairs", {"beta1": 0.5}, {"attained": 1 + 1e-9}),
    (BOUND, "bounds", "pairs", {"beta1": 0.99}, {"largest": 1.001}),
    (BOUND, "explosions", "conditions", vars(LEVEL), {"share": 1.001}),
    (BOUND, "explosions", "conditions", vars(UNSEEN), {"inside_exploded": 40}),
    (OUTSIDE, "bounds", "pairs", {"beta1": 0.95}, {"burst": 1.001}),
    (OUTSIDE, "bounds", "pairs", {"beta1": 0.95}, {"burst": 0.999}),
    (OUTSIDE, "explosions", "conditions", vars(REFERENCE), {"fastest": 1.2}),
    (RARE, "tokens", "settings", RARELY, {"least_growth": 0.9}),
    (RARE, "tokens", "settings", RARELY, {"most_growth": 1.1}),
    (LAYERS, "invariant", "settings", NORMALISED, {"cosine": 1e-4}),
    (STAGES, "stages", "one", {}, {"difference": 1e-9}),
    (STAGES, "stages", "one", {}, {"sign": 1e-9}),
    (STAGES, "stages", "deep", {"stage": 3}, {"share": 1.01}),
]
# A claim, and the control that leaves it undecided.
CONTROLS: list[tuple[str, str, str, dict[str, Any], dict[str, float]]] = [
    (FLOWS, "flow", "distances", {"rate": 0.01, "beta1": 0.8}, with_interval("exchanged", 0.02)),
    (BOUND, "bounds", "pairs", {"beta1": 0.9}, {"exchanged": 0.9}),
    (OUTSIDE, "explosions", "conditions", vars(REFERENCE), {"inside": 20, "inside_exploded": 1}),
    (VANISH, "explosions", "conditions", vars(UNSEEN), with_interval("staying", 0.9, 0.01)),
    (VANISH, "explosions", "conditions", vars(REFERENCE), with_interval("exploded", 0.4, 0.01)),
    (RARE, "tokens", "settings", EQUALLY, with_interval("peak", 5.0, 0.1)),
    (LAYERS, "invariant", "settings", WITHOUT, {"cosine": 0.01}),
    (LAYERS, "invariant", "settings", WITHOUT, with_interval("over_factor", 1.0, 0.01)),
    (LAYERS, "invariant", "settings", WITHOUT, with_interval("over_law", 1.0, 0.01)),
    (STAGES, "stages", "one", {}, {"moved": 0.001}),
    (BEATS, "trained", "check", {}, with_interval("difference", 0.05, 0.01)),
    (LARGER, "trained", "check", {}, with_interval("difference", -0.05, 0.01)),
]


def verdicts(evidence: Evidence) -> dict[str, str]:
    return {claim.name: claim.verdict for claim in adam_claims(evidence)}


def test_everything_holds_of_the_forged_tables_but_the_plain_average() -> None:
    found = verdicts(adam_evidence(adam_tables()))
    assert list(found) == NAMES
    assert found.pop(PLAIN) == "does not hold"
    assert set(found.values()) == {"holds"}


def test_the_plain_average_is_judged_at_every_momentum() -> None:
    tables = adam_tables()
    for beta1 in (0.5, 0.9):
        spoilt(tables, "study/invariant", "settings", {"beta1": beta1}, with_interval("over_average", 1.0, 0.05))
    assert verdicts(adam_evidence(tables))[PLAIN] == "holds"
    spoilt(tables, "study/invariant", "settings", {"beta1": 0.9}, with_interval("over_average", 1.2, 0.05))
    assert verdicts(adam_evidence(tables))[PLAIN] == "undecided"


@pytest.mark.parametrize(("claim", "key", "table", "where", "column", "end", "wrong"), FINDINGS)
@pytest.mark.parametrize(("half", "verdict"), [(0.004, "does not hold"), (0.02, "undecided")])
def test_a_number_beyond_its_end_does_not_hold_and_one_across_it_is_undecided(
    claim: str,
    key: str,
    table: str,
    where: dict[str, Any],
    column: str,
    end: float,
    wrong: int,
    half: float,
    verdict: str,
) -> None:
    value = with_interval(column, end + wrong * 0.01, half)
    found = verdicts(adam_evidence(spoilt(adam_tables(), f"study/{key}", table, where, value)))
    assert found[claim] == verdict


@pytest.mark.parametrize(("claim", "key", "table", "where", "values"), EXACT)
def test_an_exact_number_that_is_another_does_not_hold(
    claim: str, key: str, table: str, where: dict[str, Any], values: dict[str, float]
) -> None:
    tables = spoilt(adam_tables(), f"study/{key}", table, where, values)
    assert verdicts(adam_evidence(tables))[claim] == "does not hold"


@pytest.mark.parametrize(("claim", "key", "table", "where", "values"), CONTROLS)
def test_a_control_that_is_not_null_leaves_the_claim_undecided(
    claim: str, key: str, table: str, where: dict[str, Any], values: dict[str, float]
) -> None:
    tables = spoilt(adam_tables(), f"study/{key}", table, where, values)
    assert verdicts(adam_evidence(tables))[claim] == "undecided"


def test_where_nothing_explodes_growth_is_undecided_and_not_claimed() -> None:
    values = with_interval("slope", float("nan")) | with_interval("forgetting", float("nan"))
    values |= with_interval("exploded", 0.0) | {"fastest": float("nan")}
    found = verdicts(adam_evidence(spoilt(adam_tables(), "study/explosions", "conditions", vars(REFERENCE), values)))
    assert found[OUTSIDE] == "does not hold"
    assert found[VANISH] == "undecided"


def test_without_results_nothing_is_decided() -> None:
    assert verdicts(Evidence({})) == dict.fromkeys(NAMES, "undecided")
