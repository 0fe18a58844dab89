"""The claims about percolation: every verdict of every finding comes out of forged tables."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest
from forged_percolation import SIZES, percolation_evidence, percolation_tables
from forging import spoilt, with_interval

from mcinterp.studies.percolation.claims import percolation_claims
from mcinterp.studies.percolation.exam import CONDITIONED, TYPES, UNSCRAMBLED
from mcinterp.studies.percolation.runs import CLASS_FREE, ONE, PRESET, TWO
from mcinterp.studies.percolation.shift import FULL
from mcinterp.study import Evidence

Values = Mapping[str, Any]


def each(column: str, wrong: float, unsure: float, half: float = 0.1) -> tuple[Values, Values]:
    """Columns with which a finding fails, and with which it cannot be told."""
    return with_interval(column, wrong, 0.01), with_interval(column, unsure, half)


def of(family: str, event: str = "onset", part: str = "all") -> Values:
    return {"family": family, "event": event, "part": part}


TASKS = {"unscramble": UNSCRAMBLED, "conditional": CONDITIONED}
# For every finding: its claim, its place among the findings, and a row to change, so that it fails or cannot be told.
SPOILT: list[tuple[str, int, str, str, Values, tuple[Values, Values]]] = [
    ("a formal transition", 0, "graphs", "shares", {"scale": 2.0}, each("entities_less", -0.1, 0.02)),
    (
        "a formal transition",
        1,
        "graphs",
        "shares",
        {"scale": 2.0},
        each("descriptors_less", 0.1, -0.02),
    ),
    ("the threshold √(EK)", 0, "graphs", "slopes", {}, each("slope", 0.9, 0.55)),
    ("grammar, then types", 0, "order", "later", {"measure": TYPES}, each("later", -0.2, 0.15)),
    *(
        ("types, then tasks", place, "order", "later", {"measure": measure}, each("later", -0.3, 0.05))
        for place, measure in enumerate(TASKS.values())
    ),
    *(
        (claim, place, "drops", "shares", {"role": PRESET, "task": task, "counted": counted}, values)
        for claim, counted, values in (
            ("tasks come suddenly", "strings", each("found", 0.2, 0.55)),
            ("suddenness of whole strings", "tokens", each("found", 0.9, 0.45)),
        )
        for place, task in enumerate(TASKS)
    ),
    ("types cause reach", 0, "connected", "means", {"role": CLASS_FREE}, each("reach", 0.2, 0.0)),
    ("the pairs must percolate", 0, "connected", "means", {"role": TWO}, each("reach", 0.1, 0.52)),
    ("shift with |K|", 0, "shift", "slopes", of("sizes"), each("slope", 0.95, 0.75)),
    ("shift with |K|", 0, "shift", "slopes", of("sizes"), each("slope", 0.05, 0.25)),
    ("shift with |K|, full language", 0, "shift", "slopes", of(FULL), each("slope", 0.0, 0.2)),
    ("the shift is a power law", 0, "shift", "slopes", of("sizes", part="bend"), each("slope", 0.3, 0.1)),
    ("shift with |E|", 0, "shift", "slopes", of("entities"), each("slope", 0.1, 0.15)),
    ("edges decide, not steps", 0, "shift", "slopes", of("batches", "half"), each("slope", -0.4, -0.7)),
    ("it emerges at the threshold", 0, "shift", "ratios", {"role": SIZES[1]}, each("over", 90.0, 9.95)),
]
# Claim, the findings that the control is of, and a row in which it is not null.
CONTROLS: list[tuple[str, list[int], str, str, Values, Values]] = [
    ("a formal transition", [0, 1], "graphs", "shares", {"scale": 0.8}, with_interval("entities", 0.2, 0.01)),
    ("grammar, then types", [0], "order", "later", {"measure": TYPES}, with_interval("halves", 0.3, 0.05)),
    ("grammar, then types", [0], "order", "later", {"measure": TYPES}, with_interval("halves_than", -0.3, 0.05)),
    *(
        ("types, then tasks", [place], "order", "later", {"measure": measure}, with_interval("halves", -0.3, 0.05))
        for place, measure in enumerate(TASKS.values())
    ),
    ("tasks come suddenly", [0, 1], "drops", "drops", {"role": CLASS_FREE}, {"found": True}),
    *(
        (
            "suddenness of whole strings",
            [place],
            "drops",
            "shares",
            {"role": PRESET, "task": task, "counted": "strings"},
            with_interval("found", 0.2, 0.01),
        )
        for place, task in enumerate(TASKS)
    ),
    ("types cause reach", [0], "connected", "means", {"role": PRESET}, with_interval("reach", 0.3, 0.02)),
    ("the pairs must percolate", [0], "connected", "means", {"role": ONE}, with_interval("reach", 0.3, 0.02)),
    ("shift with |K|", [0], "shift", "slopes", of(FULL, "grammar"), with_interval("slope", 0.4, 0.05)),
    ("shift with |K|, full language", [0], "shift", "slopes", of(FULL, "grammar"), with_interval("slope", 0.4, 0.05)),
]
TOGETHER = {"shift with |K|": "shift with |K|, full language", "shift with |K|, full language": "shift with |K|"}
"""Claims that have the same control."""
PREMISES = {"tasks come suddenly": "suddenness of whole strings"}
"""A claim whose numbers are the controls of another."""


def verdicts(evidence: Evidence) -> dict[str, list[str]]:
    return {claim.name: [finding.verdict for finding in claim.findings] for claim in percolation_claims(evidence)}


def spoilt_verdicts(result: str, table: str, where: Values, values: Values) -> dict[str, list[str]]:
    return verdicts(percolation_evidence(spoilt(percolation_tables(), f"study/{result}", table, where, values)))


def test_all_hold_where_all_is_as_claimed() -> None:
    claims = percolation_claims(percolation_evidence(percolation_tables()))
    assert {claim.verdict for claim in claims} == {"holds"}
    assert len({claim.name for claim in claims}) == len(claims) == 14
    tried = {(name, place) for name, place, *_ in SPOILT}
    assert tried == {(claim.name, place) for claim in claims for place in range(len(claim.findings))}
    controlled = {(name, place) for name, places, *_ in CONTROLS for place in places}
    own = {(claim.name, at) for claim in claims for at, finding in enumerate(claim.findings) if finding.control}
    assert controlled == own


@pytest.mark.parametrize(("claim", "place", "result", "table", "where", "values"), SPOILT)
def test_a_finding_fails_or_is_open_by_its_number(
    claim: str, place: int, result: str, table: str, where: Values, values: tuple[Values, Values]
) -> None:
    whole = verdicts(percolation_evidence(percolation_tables()))
    missing = dict.fromkeys(values[0], math.nan)
    for changed, expected in zip((*values, missing), ("does not hold", "undecided", "undecided"), strict=True):
        found = spoilt_verdicts(result, table, where, changed)
        assert found[claim][place] == expected
        found[claim][place] = "holds"
        found.pop(PREMISES.get(claim, ""), None)
        assert found == {name: whole[name] for name in found}


@pytest.mark.parametrize(("claim", "places", "result", "table", "where", "values"), CONTROLS)
def test_a_control_that_is_not_null_leaves_its_findings_open(
    claim: str, places: list[int], result: str, table: str, where: Values, values: Values
) -> None:
    found = spoilt_verdicts(result, table, where, values)
    assert [at for at, verdict in enumerate(found[claim]) if verdict == "undecided"] == places
    open_ones = {name for name, each in found.items() if "undecided" in each}
    assert open_ones <= {claim, TOGETHER.get(claim, claim)}


def test_without_results_nothing_is_decided() -> None:
    found = verdicts(Evidence({}))
    assert {verdict for each in found.values() for verdict in each} == {"undecided"}


def test_what_is_about_sizes_leaves_other_settings_out() -> None:
    tables = percolation_tables()
    spoilt(tables, "study/shift", "ratios", {"role": "pairs, batch × 2"}, with_interval("over", 900.0, 1.0))
    assert verdicts(percolation_evidence(tables))["it emerges at the threshold"] == ["holds"]
