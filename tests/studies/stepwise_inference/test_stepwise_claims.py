"""The claims about stepwise inference: every verdict of every finding comes out of forged tables."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest
from forged_stepwise import IN_NONE, IN_ORDER, LAST, LONG, OWN, stepwise_evidence, stepwise_tables
from forging import spoilt, with_interval

from mcinterp.studies.stepwise_inference.claims import stepwise_claims
from mcinterp.studies.stepwise_inference.exemplars import OTHERS, UNTRAINED
from mcinterp.study import Evidence

Values = Mapping[str, Any]
FAR = {"graph": "hierarchical", "longest": OWN, "pairs": "far"}


def each(column: str, wrong: float, unsure: float, half: float = 0.1) -> tuple[Values, Values]:
    """Columns with which a finding fails, and with which it cannot be told."""
    return with_interval(column, wrong, 0.01), with_interval(column, unsure, half)


CONFLICTS = {"primacy": "primacy", "primacy to the goal": "through"}
# For every finding: its claim, its place among the findings, and a row to change, so that it fails or cannot be told.
SPOILT: list[tuple[str, int, str, str, Values, tuple[Values, Values]]] = [
    ("steps help", 0, "accuracy", "accuracy", FAR, each("gap", 0.0, 0.05)),
    ("steps help", 1, "accuracy", "accuracy", FAR, each("lead", -0.1, 0.1)),
    ("structure matters", 0, "accuracy", "contrasts", {"contrast": "structure"}, each("value", 0.0, 0.05)),
    ("paths are stitched", 0, "accuracy", "accuracy", FAR, each("stitched", 0.02, 0.15)),
    (
        "shorter paths, larger gap",
        0,
        "accuracy",
        "contrasts",
        {"contrast": "shorter paths"},
        each("value", -0.05, 0.06),
    ),
    (
        "temperature trades accuracy for diversity",
        0,
        "temperature",
        "trade",
        {"temperature": 2.0},
        each("fall", 0.1, -0.01),
    ),
    (
        "temperature trades accuracy for diversity",
        1,
        "temperature",
        "peaks",
        {"samples": 30},
        (with_interval("peak", 0.25), with_interval("peak", 1.5, 0.5)),
    ),
    (
        "simplicity bias",
        0,
        "temperature",
        "lengths",
        {"graph": "bernoulli", "step": LAST},
        each("bias", 0.1, -0.05),
    ),
    ("edges before goals", 0, "order", "halves", {}, each("later", -0.1, 0.25)),
    *(
        (
            "exemplars are composed",
            motifs - 2,
            "exemplars",
            "steering",
            {"motifs": motifs, "exemplars": "chain"},
            each("steered", 0.5, 0.8),
        )
        for motifs in (2, 3, 4)
    ),
    ("length limit", 0, "exemplars", "limits", {"network": IN_ORDER}, each("value", 0.1, 0.5)),
    *(
        (
            claim,
            place,
            "exemplars",
            "conflicts",
            {"network": IN_ORDER, "arrangement": arrangement},
            each(column, -0.9, 0.15),
        )
        for claim, column in CONFLICTS.items()
        for place, arrangement in enumerate(("blocks", "interleaved"))
    ),
    (
        "primacy",
        2,
        "exemplars",
        "conflicts",
        {"network": UNTRAINED, "arrangement": "blocks"},
        each("neither", 0.2, 0.5),
    ),
]
# Claim, the findings that the control is of, and a row in which it is not null.
CONTROLS: list[tuple[str, list[int], str, str, Values, Values]] = [
    ("steps help", [0], "accuracy", "contrasts", {"contrast": "labels by chance"}, with_interval("value", 0.6, 0.03)),
    ("structure matters", [0], "accuracy", "accuracy", {"graph": "bernoulli", "pairs": "all"}, {"coverage": 0.8}),
    (
        "shorter paths, larger gap",
        [0],
        "accuracy",
        "accuracy",
        {"longest": LONG, "pairs": "all"},
        with_interval("lead", 0.0, 0.04),
    ),
    (
        "temperature trades accuracy for diversity",
        [0],
        "temperature",
        "trade",
        {"temperature": 3.0},
        {"oracle_accuracy": 0.99},
    ),
    ("simplicity bias", [0], "temperature", "lengths", {"graph": "hierarchical"}, {"largest": 1e-3}),
    ("edges before goals", [0], "order", "steps", {"step": 0}, with_interval("edges", 0.2, 0.01)),
    *(
        (
            "exemplars are composed",
            [motifs - 2],
            "exemplars",
            "steering",
            {"motifs": motifs, "exemplars": OTHERS},
            with_interval("steered", 0.6, 0.01),
        )
        for motifs in (2, 3, 4)
    ),
    ("length limit", [0], "exemplars", "limits", {"network": IN_ORDER}, with_interval("moved", 0.1, 0.05)),
    *(
        (
            claim,
            [place],
            "exemplars",
            "conflicts",
            {"network": IN_NONE, "arrangement": arrangement},
            with_interval(column, 0.3, 0.05),
        )
        for claim, column in CONFLICTS.items()
        for place, arrangement in enumerate(("blocks", "interleaved"))
    ),
]


def verdicts(evidence: Evidence) -> dict[str, list[str]]:
    return {claim.name: [finding.verdict for finding in claim.findings] for claim in stepwise_claims(evidence)}


def spoilt_verdicts(result: str, table: str, where: Values, values: Values) -> dict[str, list[str]]:
    return verdicts(stepwise_evidence(spoilt(stepwise_tables(), f"study/{result}", table, where, values)))


def test_all_hold_where_all_is_as_claimed() -> None:
    claims = stepwise_claims(stepwise_evidence(stepwise_tables()))
    assert {claim.verdict for claim in claims} == {"holds"}
    assert len({claim.name for claim in claims}) == len(claims) == 11
    tried = {(name, place) for name, place, *_ in SPOILT}
    assert tried == {(claim.name, place) for claim in claims for place in range(len(claim.findings))}
    controlled = {(name, place) for name, places, *_ in CONTROLS for place in places}
    own = {(claim.name, at) for claim in claims for at, finding in enumerate(claim.findings) if finding.control}
    assert controlled == own


@pytest.mark.parametrize(("claim", "place", "result", "table", "where", "values"), SPOILT)
def test_a_finding_fails_or_is_open_by_its_number(
    claim: str, place: int, result: str, table: str, where: Values, values: tuple[Values, Values]
) -> None:
    whole = verdicts(stepwise_evidence(stepwise_tables()))
    missing = dict.fromkeys(values[0], math.nan)
    for changed, expected in zip((*values, missing), ("does not hold", "undecided", "undecided"), strict=True):
        found = spoilt_verdicts(result, table, where, changed)
        assert found[claim][place] == expected
        found[claim][place] = "holds"
        assert found == whole


@pytest.mark.parametrize(("claim", "places", "result", "table", "where", "values"), CONTROLS)
def test_a_control_that_is_not_null_leaves_its_findings_open(
    claim: str, places: list[int], result: str, table: str, where: Values, values: Values
) -> None:
    found = spoilt_verdicts(result, table, where, values)
    assert [at for at, verdict in enumerate(found[claim]) if verdict == "undecided"] == places


def test_without_results_nothing_is_decided() -> None:
    found = verdicts(Evidence({}))
    assert {verdict for each in found.values() for verdict in each} == {"undecided"}
