"""The claims about matrix completion: every verdict of every finding comes out of forged tables."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from forged_evidence import FACTS, GROUPS, TRANSITION, evidence, tables
from forging import spoilt, with_interval

from mcinterp.studies.matrix_completion.claims import matrix_claims
from mcinterp.studies.matrix_completion.claims.components import SPELLED
from mcinterp.study import Claim, Evidence, Finding

ALL = {"group": "all", "method": "uniform"}
MASK, GIVEN = {"token": "MASK"}, {"token": "value 0.44"}
POSITIONS = {"kind": "all positions"}
NOTHING: Mapping[str, Any] = {}
Spoilt = tuple[str, str, str, str, Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]]


def qkv(direction: str, entries: str) -> dict[str, str]:
    return {"direction": direction, "component": "attention-qkv", "entries": entries}


def token_cases() -> list[Spoilt]:
    bounds = {"norm_symmetry": 0.3, "sign_separable": 0.7, "magnitude_order": 0.6, "continuity": 0.6, "alignment": 0.5}
    words = {
        "norm_symmetry": "agreement of the norms",
        "sign_separable": "share of values on their sign's side",
        "magnitude_order": "rank correlation of |v|",
        "continuity": "continuity in |v|",
        "alignment": "alignment",
    }
    places = {"at the last checkpoint before the drop": 3900, "at the end": 9000}
    return [
        ("token embeddings", f"{place}: {words[name]}", "run/embeddings", "tokens", {"step": step}, {name: wrong}, {})
        for place, step in places.items()
        for name, wrong in bounds.items()
        if (place, name) != ("at the end", "alignment")
    ]


def component_cases() -> list[Spoilt]:
    dropped = {"found": True, "start": 2500.0}
    unfinished = {"found": False, "start": float("nan"), "half_at": float("nan")}
    return [
        *(
            (
                "dynamics of components",
                f"{SPELLED.get(name, name)} alone: share of trainings",
                "run/components",
                "transitions",
                {"component": name},
                wrong,
                unfinished,
            )
            for name, wrong in {"mlp": dropped, "tokens": dropped, "attention": {"found": False}}.items()
        ),
        *(
            (
                "dynamics of components",
                f"{SPELLED.get(name, name)} alone: steps to half",
                "run/components",
                "transitions",
                {"component": name},
                {"half_at": 900.0},
                {"half_at": float("nan")},
            )
            for name in ("mlp", "tokens")
        ),
        (
            "dynamics of components",
            "share of trainings in which positions' drop is later",
            "run/components",
            "transitions",
            {"component": "positions"},
            {"start": 800.0},
            unfinished,
        ),
    ]


# For every finding: its claim, how its text begins, and rows to change: so that it fails, so that it cannot be told.
SPOILT: list[Spoilt] = [
    (
        "a sudden drop",
        "L_mask at the end",
        "after/ablation",
        "ablation",
        ALL,
        with_interval("masked_mse_clean", 0.08, 0.005),
        with_interval("masked_mse_clean", 0.055, 0.005),
    ),
    (
        "copying",
        "L_obs",
        "before/tokens",
        "tokens",
        MASK,
        with_interval("observed_mse", 0.05, 0.01),
        with_interval("observed_mse", 0.005, 0.002),
    ),
    (
        "copying",
        "mean square of the answers",
        "before/tokens",
        "tokens",
        MASK,
        with_interval("value_mse", 0.09, 0.01),
        with_interval("value_mse", 0.005, 0.002),
    ),
    (
        "copying",
        "largest L_obs",
        "before/tokens",
        "tokens",
        GIVEN,
        with_interval("observed_mse", 0.05, 0.01),
        with_interval("observed_mse", 0.005, 0.002),
    ),
    (
        "copying",
        "a value in the place of MASK",
        "before/tokens",
        "tokens",
        GIVEN,
        with_interval("value_mse", 0.1, 0.01),
        with_interval("value_mse", 0.015, 0.002),
    ),
    *(
        (
            claim,
            f"all attention uniform: change of {words}",
            "before/ablation",
            "ablation",
            ALL,
            with_interval(f"{name}_delta", 0.3 * clean, 0.01 * clean),
            with_interval(f"{name}_delta", 0.05 * clean, 0.01 * clean),
        )
        for claim, name, words, clean in (
            ("attention before the drop", "masked", "L_mask", 0.11),
            ("attention before the drop", "total", "L,", 0.022),
            ("copying without attention", "observed", "L_obs", 0.0002),
        )
    ),
    *(
        (
            claim,
            f"trained Q, K and V switched in: change of {words}",
            "run/switching",
            "pre_post",
            qkv("after → before", name),
            with_interval("change", -0.3 * clean, 0.01 * clean),
            with_interval("change", 0.05 * clean, 0.01 * clean),
        )
        for claim, name, words, clean in (
            ("attention before the drop", "masked", "L_mask", 0.11),
            ("attention before the drop", "total", "L,", 0.022),
            ("copying without attention", "observed", "L_obs", 0.0002),
        )
    ),
    *(
        (
            claim,
            f"positions permuted: change of {words}",
            "before/positions",
            "positions",
            POSITIONS,
            with_interval(f"{name}_delta", 0.3 * clean, 0.01 * clean),
            with_interval(f"{name}_delta", 0.05 * clean, 0.01 * clean),
        )
        for claim, name, words, clean in (
            ("attention before the drop", "masked", "L_mask", 0.11),
            ("copying without attention", "observed", "L_obs", 0.0002),
        )
    ),
    *(
        (
            "copying without attention",
            f"{words}: L_obs as a share of the error of answering 0",
            key,
            table,
            rows,
            with_interval(column, 0.02, 0.001),
            with_interval(column, 0.005, 0.001),
        )
        for words, key, table, rows, column in (
            ("all attention uniform", "before/ablation", "ablation", ALL, "observed_mse"),
            (
                "trained Q, K and V switched in",
                "run/switching",
                "pre_post",
                qkv("after → before", "observed"),
                "switched_mse",
            ),
            ("positions permuted", "before/positions", "positions", POSITIONS, "observed_delta"),
        )
    ),
    *(
        ("attention and positions", text, "after/ablation", "ablation", ALL, wrong, open_)
        for text, wrong, open_ in (
            (
                "all attention uniform: L_obs",
                with_interval("observed_mse", 0.05, 0.01),
                with_interval("observed_mse", 0.005, 0.001),
            ),
            (
                "all attention uniform: L_mask",
                with_interval("masked_mse", 0.3, 0.01),
                with_interval("masked_mse", 0.09, 0.01),
            ),
            (
                "all attention uniform: rise",
                with_interval("masked_delta", 0.001, 0.0005),
                with_interval("masked_delta", 0.055, 0.01),
            ),
        )
    ),
    (
        "attention and positions",
        "Q, K and V of the plateau",
        "run/switching",
        "pre_post",
        qkv("before → after", "observed"),
        with_interval("switched_mse", 0.05, 0.001),
        with_interval("switched_mse", 0.005, 0.001),
    ),
    *(
        (
            "attention and positions",
            f"positions permuted: rise of {words}",
            "after/positions",
            "positions",
            POSITIONS,
            with_interval(f"{name}_delta", wrong, 0.001),
            with_interval(f"{name}_delta", edge, 0.01 * edge / 0.055),
        )
        for name, words, wrong, edge in (("masked", "L_mask", 0.001, 0.055), ("observed", "L_obs", 0.05, 0.005))
    ),
    *(
        (
            "not nuclear norm minimisation",
            text,
            "after/nuclear",
            table,
            rows,
            with_interval("difference", wrong, abs(wrong) / 2),
            with_interval("difference", 0.0, 0.001),
        )
        for text, table, rows, wrong in (
            ("MSE over all entries, model − minimiser, at", "errors", {"trained": True}, 0.002),
            ("nuclear norm, model", "norms", {"trained": True}, -0.1),
            ("largest MSE, model", "errors", {"p_mask": 0.4}, 0.002),
            ("smallest nuclear norm", "norms", {"p_mask": 0.4}, -0.1),
            ("largest MSE over all entries", "regularised", {"solution": "λ = 1"}, 0.002),
        )
    ),
    *(
        (
            "causal attention",
            direction,
            "after/patching",
            "patching",
            {"direction": direction, "group": "all"},
            with_interval("mse_to_source", 0.4, 0.01),
            with_interval("mse_to_source", 0.2, 0.01),
        )
        for direction in ("X into −X", "−X into X")
    ),
    ("groups of heads", "families", "after/taxonomy", "heads", {"family": "identity"}, {"family": "none"}, {}),
    ("groups of heads", "groups", "after/taxonomy", "heads", {"group": "mask-ignore"}, {"group": "ambiguous"}, {}),
    *(
        (
            "groups of heads",
            f"one group's attention uniform: smallest rise of {words}",
            "after/ablation",
            "ablation",
            {"group": "observed-copy"},
            with_interval(f"{name}_delta", -0.01, 0.001),
            with_interval(f"{name}_delta", 0.0, 0.001),
        )
        for name, words in (("masked", "L_mask"), ("total", "L,"))
    ),
    *(
        (
            "groups of heads",
            f"heads of no class uniform: rise of {words}",
            "study/unclassified",
            "ablation",
            {},
            with_interval(f"{name}_delta", 0.05, 0.01),
            with_interval(f"{name}_delta", 0.0055, 0.003),
        )
        for name, words in (("masked", "L_mask"), ("total", "L,"))
    ),
    (
        "attention forms in the drop",
        "on the plateau",
        "before/taxonomy",
        "heads",
        {},
        {"family": "row"},
        {},
    ),
    (
        "attention forms in the drop",
        "at the end",
        "after/taxonomy",
        "heads",
        {},
        {"family": "none", "group": "none"},
        {},
    ),
    (
        "attention forms in the drop",
        "at the last checkpoint before",
        "run/plateau",
        "measures",
        {"step": 3900},
        with_interval("value", 0.8, 0.01),
        with_interval("value", 0.475, 0.01),
    ),
    (
        "attention forms in the drop",
        "at the first checkpoint after",
        "run/plateau",
        "measures",
        {"step": 5200},
        with_interval("value", 0.4, 0.01),
        with_interval("value", 0.65, 0.01),
    ),
    (
        "probes",
        "masked row: best",
        "after/probes",
        "probes",
        {"target": "masked row", "layer": 4},
        with_interval("control_ratio", 0.95, 0.01),
        with_interval("control_ratio", 0.9, 0.01),
    ),
    (
        "probes",
        "masked entry: test",
        "after/probes",
        "probes",
        {"target": "entry", "layer": 12},
        with_interval("first_ratio", 0.9, 0.01),
        with_interval("first_ratio", 0.5, 0.01),
    ),
    (
        "probes",
        "singular vector",
        "after/probes",
        "probes",
        {"target": "singular vector"},
        with_interval("cosine_gain", 0.4, 0.01),
        with_interval("cosine_gain", 0.1, 0.01),
    ),
    *token_cases(),
    (
        "positional embeddings",
        "before the drop",
        "run/embeddings",
        "positions",
        {"step": 0},
        with_interval("excess", 0.2, 0.02),
        with_interval("excess", 0.075, 0.02),
    ),
    (
        "positional embeddings",
        "at the end",
        "run/embeddings",
        "positions",
        {"step": 9000},
        with_interval("excess", -0.05, 0.02),
        with_interval("excess", 0.01, 0.02),
    ),
    *component_cases(),
    *(
        (
            "other laws",
            f"{measure} on {law}",
            "after/shift",
            "shift",
            {"condition": law},
            with_interval(column, wrong * usual, 0.5 * usual),
            with_interval(column, 2 * usual, 0.5 * usual),
        )
        for law in ("Gaussian factors", "Laplace factors")
        for column, measure, usual, wrong in (
            ("masked_mse", "L_mask", 0.01, 5),
            ("masked_ratio", "L_mask over the error of answering 0", 0.1, 6),
        )
    ),
]

CONTROLS: list[tuple[str, str, str, Mapping[str, Any], Mapping[str, Any]]] = [
    (
        "attention before the drop",
        "before/ablation",
        "ablation",
        {"group": "none"},
        with_interval("masked_delta", 0.01, 0.001),
    ),
    (
        "attention before the drop",
        "run/switching",
        "pre_post",
        {"component": "none", "entries": "total"},
        with_interval("change", 0.01, 0.001),
    ),
    (
        "copying without attention",
        "before/positions",
        "positions",
        {"kind": "data too"},
        with_interval("observed_delta", 0.01, 0.001),
    ),
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
    ("attention forms in the drop", "run/plateau", "measures", {}, {"untrained": 0.9}),
    ("token embeddings", "run/embeddings", "tokens", {}, {"untrained_continuity": 0.9}),
    ("dynamics of components", "run/components", "control", {}, {"restored_change": 0.01}),
    (
        "other laws",
        "after/shift",
        "shift",
        {"condition": "training, fresh batch"},
        with_interval("masked_mse", 0.03, 0.001),
    ),
]


def claims(found: Evidence) -> dict[str, Claim]:
    return {claim.name: claim for claim in matrix_claims(found)}


def finding(claim: Claim, begins: str) -> Finding:
    chosen = [one for one in claim.findings if one.text.startswith(begins)]
    assert chosen, f"no finding of {claim.name} begins with {begins}"
    return chosen[0]


def test_all_claims_hold_where_all_numbers_are_as_the_paper_has_them() -> None:
    wrong = {one.text: one.verdict for claim in matrix_claims(evidence()) for one in claim.findings}
    assert {text: verdict for text, verdict in wrong.items() if verdict != "holds"} == {}


@pytest.mark.parametrize(("claim", "begins", "key", "table", "where", "fails", "undecided"), SPOILT)
def test_every_finding_can_fail_and_can_be_undecided(
    claim: str,
    begins: str,
    key: str,
    table: str,
    where: Mapping[str, Any],
    fails: Mapping[str, Any],
    undecided: Mapping[str, Any],
) -> None:
    for values, verdict in ((fails, "does not hold"), (undecided, "undecided")):
        if not values:
            continue
        found = claims(evidence(spoilt(tables(), key, table, where, values)))[claim]
        assert finding(found, begins).verdict == verdict
        assert found.verdict == (
            "does not hold" if any(one.verdict == "does not hold" for one in found.findings) else verdict
        )


def test_every_finding_is_among_those_that_are_spoilt() -> None:
    """Those of depth, of the spread between groups and of the curve have tests of their own."""
    own = ("masked row: depth", "masked entry: largest share", "largest rise of L_mask over", "L_mask in training has")
    spoilt_ones = {(claim, begins) for claim, begins, *_ in SPOILT}
    for name, claim in claims(evidence()).items():
        for one in claim.findings:
            begun = any(name == other and one.text.startswith(begins) for other, begins in spoilt_ones)
            assert begun or one.text.startswith(own) or one.text.startswith("positions alone"), one.text


@pytest.mark.parametrize(("claim", "key", "table", "where", "values"), CONTROLS)
def test_a_control_that_is_not_null_decides_nothing(
    claim: str, key: str, table: str, where: Mapping[str, Any], values: Mapping[str, Any]
) -> None:
    assert claims(evidence(spoilt(tables(), key, table, where, values)))[claim].verdict == "undecided"


def test_a_solver_that_is_off_decides_nothing() -> None:
    facts = copy.deepcopy(FACTS)
    facts["after/nuclear"]["reference"]["largest_relative_difference"] = 1e-3
    assert claims(evidence(facts=facts))["not nuclear norm minimisation"].verdict == "undecided"


def test_few_layers_cannot_show_what_is_early_or_gradual() -> None:
    facts = copy.deepcopy(FACTS)
    facts["after/probes"]["n_layers"] = 2
    probes = claims(evidence(facts=facts))["probes"]
    assert [one.verdict for one in probes.findings] == ["holds", "undecided", "holds", "undecided", "holds"]


def test_the_depth_of_the_masked_row_and_one_block_that_does_all() -> None:
    late, sudden = tables(), tables()
    for row in late["after/probes"]["probes"]:
        if row["target"] == "masked row":
            error = 0.05 + 0.01 * abs(row["layer"] - 11)
            row.update({"train_mse": error} | with_interval("test_mse", error, 0.001))
    for row in sudden["after/probes"]["probes"]:
        if row["target"] == "entry":
            row.update(with_interval("test_mse", 0.1 if row["layer"] < 6 else 0.01, 0.001))
    for begins, changed in (("masked row: depth", late), ("masked entry: largest share", sudden)):
        assert finding(claims(evidence(changed))["probes"], begins).verdict == "does not hold"


def test_layers_that_are_not_told_apart_leave_the_depth_open() -> None:
    open_ = tables()
    for row in open_["after/probes"]["probes"]:
        if row["target"] == "masked row":
            row.update(with_interval("test_mse", row["test_mse"], 0.05))
    assert finding(claims(evidence(open_))["probes"], "masked row: depth").verdict == "undecided"


def test_equal_groups_do_not_hurt_to_different_degrees() -> None:
    alike = tables()
    for row in alike["after/ablation"]["ablation"]:
        if row["group"] in GROUPS:
            row.update(with_interval("masked_delta", 0.05, 0.001))
    groups = claims(evidence(alike))["groups of heads"]
    assert [one.text for one in groups.findings if one.verdict != "holds"] == [
        "largest rise of L_mask over the smallest"
    ]


def test_one_training_decides_nothing_about_trainings() -> None:
    changed = tables()
    parts = changed["run/components"]
    parts["transitions"] = [row for row in parts["transitions"] if row["kind"] == "run" or row["seed"] == 1]
    found = claims(evidence(changed))["dynamics of components"]
    assert found.verdict == "undecided"
    longest = finding(found, "share of trainings in which positions' drop is later")
    assert (longest.number.value, longest.number.n, longest.number.high) == (1, 1, 1)
    assert longest.number.low == pytest.approx(0.025)  # Clopper and Pearson: 2.5 % of it would give 1 of 1


@pytest.mark.parametrize(("n", "verdict"), [(2, "undecided"), (5, "undecided"), (6, "holds")])
def test_trainings_that_all_agree_decide_only_where_half_of_them_is_ruled_out(n: int, verdict: str) -> None:
    """0.025 ** (1 / n) is above ½ from 6 on."""
    changed = tables()
    parts = changed["run/components"]
    parts["transitions"] = [row for row in parts["transitions"] if row["kind"] == "run" or row["seed"] <= n]
    found = claims(evidence(changed))["dynamics of components"]
    for begins in ("MLPs alone: share", "attention alone: share", "share of trainings in which positions"):
        assert finding(found, begins).verdict == verdict


def test_a_component_that_stands_on_its_plateau_at_the_end_has_not_shown_whether_it_drops() -> None:
    where, values = {"component": "positions"}, {"found": False, "start": float("nan"), "half_at": float("nan")}
    found = claims(evidence(spoilt(tables(), "run/components", "transitions", where, values)))["dynamics of components"]
    assert np.isnan(finding(found, "positions alone: share").number.value)
    assert found.verdict == "undecided"


def test_a_straight_decline_of_the_attention_alone_is_no_plateau_and_drop() -> None:
    """It takes long to reach half, but the detector sees nothing sudden."""
    where, values = {"component": "attention"}, {"found": False, "start": float("nan"), "half_at": 2500.0}
    changed = spoilt(tables(), "run/components", "transitions", where, values)
    waits = finding(claims(evidence(changed))["dynamics of components"], "attention alone: share of trainings")
    assert waits.number.value == 0
    assert waits.verdict == "does not hold"


def test_a_line_of_values_is_not_what_the_paper_says_of_tokens() -> None:
    """The value along one direction: signs are apart, but magnitudes have no direction and norms say nothing new."""
    line = {"magnitude_order": 0.05, "norm_symmetry": 0.9}
    found = claims(evidence(spoilt(tables(), "run/embeddings", "tokens", {"step": 9000}, line)))["token embeddings"]
    assert [one.text for one in found.findings if one.verdict == "does not hold"] == [
        "at the end: rank correlation of |v| with a direction of the plane"
    ]


def test_a_denominator_that_is_not_sure_decides_nothing() -> None:
    """The plateau's own error is part of what is said in its units."""
    facts = copy.deepcopy(FACTS)
    facts["training"]["plateau_interval"] = [0.05, 0.2]
    found = claims(evidence(facts=facts))["attention and positions"]
    assert finding(found, "all attention uniform: L_mask").verdict == "undecided"


def test_without_results_nothing_is_decided() -> None:
    assert {claim.verdict for claim in matrix_claims(Evidence({}))} == {"undecided"}


def test_without_a_drop_nothing_is_said_of_what_comes_before_or_after_it() -> None:
    facts = copy.deepcopy(FACTS) | {"training": {"transition": TRANSITION | {"found": False}}}
    found = claims(evidence(facts=facts))
    assert found["a sudden drop"].verdict == "does not hold"
    for name in ("attention and positions", "groups of heads", "attention forms in the drop", "positional embeddings"):
        assert found[name].verdict == "undecided"
