"""The claims about forking tokens: every verdict of every finding comes out of forged tables."""

from __future__ import annotations

from typing import Any

import pytest
from forged_forks import fork_evidence, fork_tables
from forging import as_evidence, spoilt, with_interval

from mcinterp.studies.forking_tokens.callers import NAIVE, STEP
from mcinterp.studies.forking_tokens.claims import OF_WORDS, forking_claims
from mcinterp.study import Evidence

NAMES = [
    "laws are exact",
    "forking tokens exist",
    "forks are the graph's",
    "other tokens do not matter",
    "forks can be found",
    "forks are found again",
    "noise fakes forks",
    "noise is multinomial",
    "uncertainty is not forking",
    "outcomes are decided late",
]
# A claim, where its number is, the number's column, the rule's end, and which way is wrong.
FINDINGS: list[tuple[str, str, str, dict[str, Any], str, float, int]] = [
    ("laws are exact", "laws", "exact", {}, "left_out", 0.06, 1),
    ("laws are exact", "generated", "fit", {}, "share", 0.15, 1),
    ("forking tokens exist", "forks", "change", {}, "top_fifth", 0.8, -1),
    ("forking tokens exist", "forks", "forks", {"effect": 0.2}, "share", 0.25, 1),
    ("forks are the graph's", "forks", "forks", {"effect": 0.2}, "precision", 0.85, -1),
    ("forks are the graph's", "forks", "forks", {"effect": 0.2}, "recall", 0.85, -1),
    ("other tokens do not matter", "forks", "kinds", {"kind": "random word"}, "fork_share", 0.01, 1),
    ("forks can be found", "sampled", "callers", {"samples": 30, "caller": STEP}, "precision", 0.7, -1),
    ("forks can be found", "sampled", "callers", {"samples": 30, "caller": STEP}, "recall", 0.7, -1),
    ("forks are found again", "sampled", "callers", {"samples": 30, "caller": STEP}, "found_again", 0.7, -1),
    ("noise fakes forks", "sampled", "callers", {"samples": 30, "caller": NAIVE}, "precision", 0.5, 1),
    ("noise fakes forks", "sampled", "hazard", {"samples": 30}, "inflation", 1.5, -1),
    ("noise is multinomial", "generated", "slopes", {"what": "generated"}, "slope", -0.45, 1),
    ("noise is multinomial", "generated", "slopes", {"what": "generated"}, "slope", -0.55, -1),
    ("uncertainty is not forking", "forks", "entropy", {}, "precision", 0.5, 1),
    ("outcomes are decided late", "forks", "halfway", {"place": 0.5}, "differs", 0.2, -1),
]
# A claim, and the control that leaves it undecided.
CONTROLS: list[tuple[str, str, str, dict[str, Any], dict[str, float]]] = [
    ("forking tokens exist", "forks", "change", {}, with_interval("words", 0.1, 0.01)),
    ("forks are the graph's", "generated", "control", {}, with_interval("share", 0.1, 0.01)),
    ("other tokens do not matter", "forks", "kinds", {"kind": "random word"}, with_interval("entropy", 0.3, 0.01)),
    ("forks can be found", "sampled", "null", {"samples": 30}, with_interval("strong", 0.1, 0.06)),
    (
        "forks are found again",
        "sampled",
        "callers",
        {"samples": 30, "caller": STEP},
        with_interval("by_chance", 0.3, 0.01),
    ),
    (
        "noise fakes forks",
        "sampled",
        "callers",
        {"samples": 300, "caller": NAIVE},
        with_interval("precision", 0.5, 0.05),
    ),
    ("noise fakes forks", "sampled", "hazard", {"samples": 300}, with_interval("inflation", 1.3, 0.05)),
    ("noise is multinomial", "generated", "slopes", {"what": "drawn"}, with_interval("slope", -0.3, 0.01)),
    ("uncertainty is not forking", "forks", "kinds", {"kind": "random word"}, with_interval("change", 0.1, 0.01)),
    ("outcomes are decided late", "forks", "halfway", {"place": 1.0}, with_interval("differs", 0.2, 0.01)),
]


def verdicts(evidence: Evidence) -> dict[str, str]:
    return {claim.name: claim.verdict for claim in forking_claims(evidence)}


def test_everything_holds_of_the_forged_tables() -> None:
    assert verdicts(fork_evidence(fork_tables())) == dict.fromkeys(NAMES, "holds")


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
    found = verdicts(fork_evidence(spoilt(fork_tables(), f"study/{key}", table, where, value)))
    assert found[claim] == verdict


@pytest.mark.parametrize(("claim", "key", "table", "where", "values"), CONTROLS)
def test_a_control_that_is_not_null_leaves_the_claim_undecided(
    claim: str, key: str, table: str, where: dict[str, Any], values: dict[str, float]
) -> None:
    assert verdicts(fork_evidence(spoilt(fork_tables(), f"study/{key}", table, where, values)))[claim] == "undecided"


def test_where_too_much_was_left_out_no_law_decides_anything() -> None:
    tables = spoilt(fork_tables(), "study/laws", "exact", {}, with_interval("left_out", 0.2, 0.01))
    found = verdicts(fork_evidence(tables))
    assert found.pop("laws are exact") == "does not hold"
    # What is generated needs no law.
    assert found.pop("noise is multinomial") == "holds"
    assert set(found.values()) == {"undecided"}


def test_without_results_nothing_is_decided() -> None:
    assert verdicts(Evidence({})) == dict.fromkeys(NAMES, "undecided")


def test_of_texts_without_words_nothing_is_claimed_that_needs_them() -> None:
    evidence = as_evidence(fork_tables(), {"study/laws": {"kinds": ["end", "label", "node"]}})
    found = verdicts(evidence)
    assert set(NAMES) - set(found) == set(OF_WORDS)
    assert set(found.values()) == {"holds"}
