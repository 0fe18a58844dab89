"""The claims about matrix completion: every verdict of every finding comes out of forged tables."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest
from forged_evidence import FACTS, evidence, tables
from forging import spoilt, with_interval

from mcinterp.studies.matrix_completion.claims import matrix_claims
from mcinterp.study import Evidence

ALL = {"group": "all", "method": "uniform"}
QKV = {"component": "attention-qkv"}

# For every finding: its claim, its place among the findings, and a row to change — so that it fails, so that it cannot
# be told.
SPOILT: list[tuple[str, int, str, str, Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]]] = [
    (
        "copying",
        0,
        "before/tokens",
        "tokens",
        {"token": "MASK"},
        with_interval("observed_mse", 0.05, 0.01),
        with_interval("observed_mse", 0.005, 0.002),
    ),
    (
        "copying",
        1,
        "before/tokens",
        "tokens",
        {"token": "MASK"},
        with_interval("value_mse", 0.09, 0.01),
        with_interval("value_mse", 0.005, 0.002),
    ),
    (
        "copying",
        2,
        "before/tokens",
        "tokens",
        {"input": "full rank"},
        with_interval("value_mse", 0.1, 0.01),
        with_interval("value_mse", 0.015, 0.002),
    ),
    (
        "copying",
        3,
        "before/ablation",
        "ablation",
        ALL,
        with_interval("masked_delta", 0.1, 0.01),
        with_interval("masked_delta", 0.0055, 0.001),
    ),
    (
        "copying",
        4,
        "run/switching",
        "pre_post",
        QKV,
        with_interval("change", -0.05, 0.01),
        with_interval("change", 0.005, 0.004),
    ),
    ("attention and positions", 0, "after/ablation", "ablation", ALL, {"observed_mse": 0.05}, {}),
    (
        "attention and positions",
        2,
        "after/ablation",
        "ablation",
        ALL,
        with_interval("masked_delta", 0.001, 0.0005),
        with_interval("masked_delta", 0.055, 0.01),
    ),
    (
        "attention and positions",
        1,
        "after/ablation",
        "ablation",
        ALL,
        with_interval("masked_delta", 0.3, 0.01),
        with_interval("masked_delta", 0.08, 0.01),
    ),
    (
        "attention and positions",
        3,
        "after/positions",
        "positions",
        {"kind": "all positions"},
        with_interval("masked_delta", 0.001, 0.001),
        with_interval("masked_delta", 0.055, 0.01),
    ),
    (
        "attention and positions",
        4,
        "after/positions",
        "positions",
        {"kind": "all positions"},
        with_interval("observed_delta", 0.05, 0.001),
        with_interval("observed_delta", 0.005, 0.001),
    ),
    (
        "not nuclear norm minimisation",
        0,
        "after/nuclear",
        "errors",
        {},
        with_interval("difference", 0.002, 0.001),
        with_interval("difference", 0.0, 0.001),
    ),
    (
        "not nuclear norm minimisation",
        1,
        "after/nuclear",
        "norms",
        {},
        with_interval("difference", -0.1, 0.05),
        with_interval("difference", 0.0, 0.05),
    ),
    (
        "causal attention",
        0,
        "after/patching",
        "patching",
        {"direction": "X into −X", "group": "all"},
        with_interval("mse_to_source", 0.4, 0.01),
        with_interval("mse_to_source", 0.2, 0.01),
    ),
    (
        "causal attention",
        1,
        "after/patching",
        "patching",
        {"direction": "−X into X", "group": "all"},
        with_interval("mse_to_source", 0.4, 0.01),
        with_interval("mse_to_source", 0.2, 0.01),
    ),
    ("groups of heads", 0, "after/taxonomy", "heads", {"group": "mask-ignore"}, {"group": "none"}, {}),
    (
        "groups of heads",
        1,
        "after/ablation",
        "ablation",
        {"group": "observed-copy"},
        with_interval("masked_delta", -0.01, 0.001),
        with_interval("masked_delta", 0.0, 0.001),
    ),
    (
        "groups of heads",
        3,
        "study/unclassified",
        "ablation",
        {},
        with_interval("masked_delta", 0.05, 0.01),
        with_interval("masked_delta", 0.0055, 0.003),
    ),
    (
        "probes",
        0,
        "after/probes",
        "probes",
        {"target": "masked row"},
        {"control_mse": 0.01},
        {"control_mse": 0.0555},
    ),
    (
        "probes",
        2,
        "after/probes",
        "probes",
        {"target": "entry", "layer": 12},
        with_interval("test_mse", 0.09, 0.001),
        with_interval("test_mse", 0.05, 0.001),
    ),
    (
        "probes",
        4,
        "after/probes",
        "probes",
        {"target": "singular vector"},
        with_interval("test_cosine", 0.8, 0.01),
        with_interval("test_cosine", 0.5, 0.01),
    ),
    (
        "embeddings",
        0,
        "run/embeddings",
        "tokens",
        {"step": 2000},
        with_interval("component_rank", 0.2, 0.01),
        with_interval("component_rank", 0.8, 0.01),
    ),
    ("embeddings", 1, "run/embeddings", "positions", {"step": 2000}, {"explained": 0.4}, {}),
    ("embeddings", 2, "run/embeddings", "positions", {"step": 9000}, {"explained": 0.1}, {}),
    *(
        (
            "dynamics of components",
            place,
            "run/components",
            "times",
            {"component": name},
            with_interval("half_at", wrong, 50.0),
            with_interval("half_at", 500.0, 50.0),
        )
        for place, (name, wrong) in enumerate(
            {"mlp": 1500.0, "tokens": 1500.0, "attention": 100.0, "positions": 100.0}.items()
        )
    ),
    (
        "dynamics of components",
        4,
        "run/components",
        "times",
        {"component": "positions"},
        with_interval("half_at", 600.0, 50.0),
        with_interval("half_at", 1000.0, 50.0),
    ),
]

CONTROLS: list[tuple[str, str, str, Mapping[str, Any], Mapping[str, Any]]] = [
    ("copying", "before/ablation", "ablation", {"group": "none"}, with_interval("masked_delta", 0.01, 0.001)),
    ("copying", "run/switching", "pre_post", {"component": "none"}, with_interval("change", 0.01, 0.001)),
    (
        "attention and positions",
        "after/ablation",
        "ablation",
        {"group": "none"},
        with_interval("masked_delta", 0.01, 0.001),
    ),
    (
        "attention and positions",
        "after/positions",
        "positions",
        {"kind": "data too"},
        with_interval("masked_delta", 0.01, 0.001),
    ),
    (
        "causal attention",
        "after/patching",
        "patching",
        {"group": "other matrix"},
        with_interval("nearer", 0.3, 0.01),
    ),
    ("embeddings", "run/embeddings", "tokens", {}, {"untrained_rank": 0.9}),
    ("dynamics of components", "run/components", "control", {}, {"restored_change": 0.01}),
]


def verdicts(found: Evidence) -> dict[str, str]:
    return {claim.name: claim.verdict for claim in matrix_claims(found)}


def test_all_claims_hold_where_all_numbers_are_as_the_paper_has_them() -> None:
    claims = matrix_claims(evidence())
    assert len(claims) == 8
    wrong = {finding.text: finding.verdict for claim in claims for finding in claim.findings}
    assert {text: verdict for text, verdict in wrong.items() if verdict != "holds"} == {}


@pytest.mark.parametrize(("claim", "place", "key", "table", "where", "fails", "undecided"), SPOILT)
def test_every_finding_can_fail_and_can_be_undecided(
    claim: str,
    place: int,
    key: str,
    table: str,
    where: Mapping[str, Any],
    fails: Mapping[str, Any],
    undecided: Mapping[str, Any],
) -> None:
    for values, verdict in ((fails, "does not hold"), (undecided, "undecided")):
        if not values:
            continue
        found = {c.name: c for c in matrix_claims(evidence(spoilt(tables(), key, table, where, values)))}[claim]
        assert found.findings[place].verdict == verdict
        assert found.verdict == (
            "does not hold" if any(f.verdict == "does not hold" for f in found.findings) else verdict
        )


@pytest.mark.parametrize(("claim", "key", "table", "where", "values"), CONTROLS)
def test_a_control_that_is_not_null_decides_nothing(
    claim: str, key: str, table: str, where: Mapping[str, Any], values: Mapping[str, Any]
) -> None:
    assert verdicts(evidence(spoilt(tables(), key, table, where, values)))[claim] == "undecided"


def test_a_solver_that_is_off_decides_nothing() -> None:
    facts = copy.deepcopy(FACTS)
    facts["after/nuclear"]["reference"]["largest_relative_difference"] = 1e-3
    assert verdicts(evidence(facts=facts))["not nuclear norm minimisation"] == "undecided"


def test_few_layers_cannot_show_what_is_early_or_gradual() -> None:
    facts = copy.deepcopy(FACTS)
    facts["after/probes"]["n_layers"] = 2
    probes = {claim.name: claim for claim in matrix_claims(evidence(facts=facts))}["probes"]
    assert [finding.verdict for finding in probes.findings] == ["holds", "undecided", "holds", "undecided", "holds"]


def test_the_depth_of_the_masked_row_and_one_block_that_does_all() -> None:
    late, sudden = tables(), tables()
    for row in late["after/probes"]["probes"]:
        if row["target"] == "masked row":
            row.update(with_interval("test_mse", 0.05 + 0.01 * abs(row["layer"] - 11), 0.001))
    for row in sudden["after/probes"]["probes"]:
        if row["target"] == "entry":
            row.update(with_interval("test_mse", 0.1 if row["layer"] < 6 else 0.01, 0.001))
    for place, changed in ((1, late), (3, sudden)):
        probes = {claim.name: claim for claim in matrix_claims(evidence(changed))}["probes"]
        assert [f.verdict for f in probes.findings].index("does not hold") == place


def test_equal_groups_do_not_hurt_to_different_degrees() -> None:
    alike = tables()
    for row in alike["after/ablation"]["ablation"]:
        if row["group"] not in ("all", "none"):
            row.update(with_interval("masked_delta", 0.05, 0.001))
    groups = {claim.name: claim for claim in matrix_claims(evidence(alike))}["groups of heads"]
    assert [finding.verdict for finding in groups.findings] == ["holds", "holds", "does not hold", "holds"]


def test_one_training_stands_for_itself_and_one_that_never_arrives_is_missing() -> None:
    changed = tables()
    for row in changed["run/components"]["times"]:
        row.update({"n": 1, "reached_half": 1, "half_at_low": float("nan"), "half_at_high": float("nan")})
    assert verdicts(evidence(changed))["dynamics of components"] == "holds"
    row = next(row for row in changed["run/components"]["times"] if row["component"] == "tokens")
    row.update({"reached_half": 0, "half_at": float("nan")})
    assert verdicts(evidence(changed))["dynamics of components"] == "undecided"


def test_without_results_nothing_is_decided() -> None:
    assert set(verdicts(Evidence({})).values()) == {"undecided"}
    no_drop = copy.deepcopy(FACTS) | {"training": {"transition": {"found": False, "plateau": 0.11}}}
    found = verdicts(evidence(facts=no_drop))
    assert found["attention and positions"] == "undecided"
