"""The claims about mixtures of Markov chains: every verdict of every finding and control comes out of forged tables."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest
from forged_markov import markov_evidence, markov_tables
from forging import spoilt, with_interval

from mcinterp.studies.markov_mixtures.claims import markov_claims
from mcinterp.studies.markov_mixtures.mixtures import ALL_FOUR, SINGLE, WITHOUT
from mcinterp.studies.markov_mixtures.oracles import BI_INF
from mcinterp.study import Claim, Evidence

FOUR = "four algorithms explain behaviour"
FIRST = "without context at first"
DIVERSITY = "retrieval for few chains, inference for many"
ORDER = "unigram before bigram"
SUDDEN = "sudden in training"
CONTEXT = "sudden in context"
TRANSIENT = "inference is transient"
COMPETE = "competition explains transience"
LEVEL = "the mixture predicts the level"
SEVERAL = "a mixture, not one capability"


class Spoilt(NamedTuple):
    """A finding, and a row to change so that it fails, and so that it cannot be told (nothing where it is exact)."""

    claim: str
    finding: int
    result: str
    table: str
    where: Mapping[str, Any]
    fails: Mapping[str, Any]
    open: Mapping[str, Any]


def at(column: str, fails: float, edge: float, half: float = 0.01) -> tuple[dict[str, float], dict[str, float]]:
    """A number on the wrong side, and one whose interval lies across the bound."""
    return with_interval(column, fails, half), with_interval(column, edge, half)


LAST = {"step": 1000}
SPOILT = [
    Spoilt(FOUR, 0, "mixtures", "left", {"network": "B", "base": ALL_FOUR, **LAST}, *at("left", 0.08, 0.05)),
    Spoilt(FOUR, 1, "mixtures", "left", {"network": "C", "base": SINGLE, **LAST}, *at("ratio", 0.9, 0.75)),
    Spoilt(DIVERSITY, 0, "phases", "choices", {"network": "A", "context": "late"}, *at("difference", 0.05, -0.02)),
    Spoilt(DIVERSITY, 1, "phases", "choices", {"network": "F", "context": "late"}, *at("difference", -0.05, 0.02)),
    Spoilt(DIVERSITY, 2, "phases", "lines", {"network": "A", "oracle": BI_INF}, *at("ratio", 1.5, 2.5)),
    Spoilt(DIVERSITY, 3, "phases", "lines", {"network": "E", "oracle": BI_INF}, *at("ratio", 2.5, 1.6)),
    Spoilt(DIVERSITY, 4, "implied", "nearer", {"network": "A"}, *at("more", -0.1, 0.05)),
    Spoilt(ORDER, 0, "circuits", "order", {"network": "D", "step": 10}, *at("order", 0.1, 0.02)),
    Spoilt(ORDER, 1, "circuits", "order", {"network": "A", **LAST}, *at("order", 0.02, 0.1)),
    Spoilt(SUDDEN, 0, "circuits", "drops", {"network": "E"}, {"found": False}, {}),
    Spoilt(SUDDEN, 1, "circuits", "drops", {"network": "D"}, {"apart": -1.5}, {"apart": math.nan}),
    Spoilt(CONTEXT, 0, "phases", "choices", {"network": "E", "context": "2–4"}, *at("difference", 0.03, 0.0)),
    Spoilt(CONTEXT, 1, "phases", "choices", {"network": "E", "context": "≥ 17"}, *at("difference", -0.03, 0.0)),
    Spoilt(TRANSIENT, 0, "competition", "rises", {"network": "D"}, *at("rise", -0.02, 0.01)),
    Spoilt(TRANSIENT, 1, "competition", "rises", {"network": "D"}, *at("learned", 0.02, -0.01)),
    Spoilt(COMPETE, 0, "competition", "rises", {"network": "C"}, *at("retrieval", 0.0, 0.1)),
    Spoilt(COMPETE, 1, "competition", "rises", {"network": "C"}, *at("inference", 0.0, -0.1)),
    Spoilt(COMPETE, 2, "competition", "rises", {"network": "C"}, *at("predicted", -0.02, 0.0)),
    Spoilt(LEVEL, 0, "mixtures", "predicted", {"network": "D", "step": 100}, *at("ratio", 0.8, 0.9)),
    Spoilt(LEVEL, 1, "mixtures", "predicted", {"network": "D", **LAST}, *at("ratio", 1.2, 1.1)),
    Spoilt(LEVEL, 2, "competition", "others", {"network": "C", "weights": "A"}, *at("further", -0.03, 0.0)),
    Spoilt(SEVERAL, 0, "competition", "rises", {"network": "B"}, *at("second", 0.1, 0.2)),
]
# For every control: its claim and finding, and a row to change so that it is not null.
CONTROLS = [
    (FOUR, 0, "mixtures", "left", {"network": "C", "base": WITHOUT, "step": 100}, with_interval("ratio", 0.5, 0.1)),
    (FIRST, 0, "phases", "nearest", {"step": 1000}, {"nearest": "uniform"}),
    (DIVERSITY, 0, "phases", "distances", {"network": "E", "oracle": BI_INF}, {"untrained": 0.05}),
    (DIVERSITY, 1, "phases", "distances", {"network": "A", "oracle": BI_INF}, {"untrained": 0.05}),
    (DIVERSITY, 4, "implied", "nearer", {"network": "A"}, with_interval("counted", 0.3, 0.06)),
    (ORDER, 1, "circuits", "order", {"network": "T", **LAST}, with_interval("order", 0.02, 0.001)),
    (SUDDEN, 0, "circuits", "drops", {"network": "A"}, {"found": True}),
    (CONTEXT, 0, "phases", "choices", {"network": "A", "context": "3–4"}, with_interval("difference", 0.02, 0.005)),
    (CONTEXT, 1, "phases", "choices", {"network": "A", "context": "≥ 17"}, with_interval("difference", 0.02, 0.005)),
    (TRANSIENT, 0, "competition", "rises", {"network": "F"}, with_interval("rise", 0.03, 0.005)),
    (TRANSIENT, 1, "competition", "rises", {"network": "D"}, with_interval("control", 0.02, 0.005)),
    (COMPETE, 2, "competition", "rises", {"network": "E"}, with_interval("predicted", 0.03, 0.002)),
    (SEVERAL, 0, "competition", "rises", {"network": "E"}, with_interval("largest", 0.5, 0.03)),
]


def claims(evidence: Evidence) -> dict[str, Claim]:
    return {claim.name: claim for claim in markov_claims(evidence)}


def test_everything_holds_of_tables_in_which_it_does() -> None:
    found = claims(markov_evidence())
    # Of six networks all have to be so that more than half of all certainly are.
    assert {name: claim.verdict for name, claim in found.items()} == dict.fromkeys(found, "holds")
    assert len(found) == 10


@pytest.mark.parametrize("case", SPOILT, ids=lambda case: f"{case.claim}-{case.finding}")
def test_every_finding_can_fail_and_stay_open(case: Spoilt) -> None:
    place = (f"study/{case.result}", case.table, case.where)
    failed = claims(markov_evidence(spoilt(markov_tables(), *place, case.fails)))[case.claim]
    assert failed.findings[case.finding].verdict == failed.verdict == "does not hold"
    if case.open:
        left = claims(markov_evidence(spoilt(markov_tables(), *place, case.open)))[case.claim]
        assert left.findings[case.finding].verdict == left.verdict == "undecided"


@pytest.mark.parametrize("case", CONTROLS, ids=lambda case: f"{case[0]}-{case[1]}")
def test_a_control_that_is_not_null_leaves_its_finding_open(case: tuple[Any, ...]) -> None:
    name, finding, result, table, where, values = case
    tables = spoilt(markov_tables(), f"study/{result}", table, where, values)
    assert claims(markov_evidence(tables))[name].findings[finding].verdict == "undecided"


def test_every_control_is_spoilt_above() -> None:
    controlled = {
        (claim.name, at)
        for claim in markov_claims(markov_evidence())
        for at, f in enumerate(claim.findings)
        if f.control
    }
    assert controlled == {(case[0], case[1]) for case in CONTROLS}


@pytest.mark.parametrize(
    ("claim", "finding", "table", "fails", "few"),
    [
        (FIRST, 0, "nearest", {"nearest": "Uni-Inf"}, {"step": 10}),
        (ORDER, 2, "onsets", {"unigram": 200.0}, {}),
    ],
)
def test_shares_of_networks_are_decided_by_all_of_them(
    claim: str, finding: int, table: str, fails: dict[str, Any], few: dict[str, Any]
) -> None:
    one = spoilt(markov_tables(), "study/phases", table, {"network": "C", **few}, fails)
    assert claims(markov_evidence(one))[claim].findings[finding].verdict == "undecided"
    every = spoilt(markov_tables(), "study/phases", table, few, fails)
    assert claims(markov_evidence(every))[claim].findings[finding].verdict == "does not hold"


def test_before_the_onset_null_bases_may_explain_as_much() -> None:
    tables = spoilt(
        markov_tables(), "study/mixtures", "left", {"base": WITHOUT, "step": 10}, with_interval("ratio", 3.0, 0.1)
    )
    assert claims(markov_evidence(tables))[FOUR].verdict == "holds"


def test_a_network_that_is_one_algorithm_is_not_asked_for_a_mixture() -> None:
    where = {"network": "A", "base": SINGLE, **LAST}
    tables = spoilt(markov_tables(), "study/mixtures", "left", where, with_interval("ratio", 1.0, 0.01))
    assert claims(markov_evidence(tables))[FOUR].verdict == "holds"


def test_without_results_nothing_is_decided() -> None:
    tables = markov_tables()
    assert {claim.verdict for claim in markov_claims(Evidence({}))} == {"undecided"}
    for key in tables:
        for evidence in (
            markov_evidence({name: own for name, own in markov_tables().items() if name != key}),
            markov_evidence({key: tables[key]}),
        ):
            assert len(markov_claims(evidence)) == 10
    for key, table in [(key, table) for key, own in tables.items() for table in own]:
        fresh = markov_tables()
        del fresh[key][table]
        verdicts = {claim.verdict for claim in markov_claims(markov_evidence(fresh))}
        assert verdicts <= {"holds", "undecided"}
