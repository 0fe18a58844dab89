"""The claims about ghost points: every verdict of every finding comes out of forged tables; the detector's curves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from forged_ghost import ghost_evidence, ghost_tables
from forging import spoilt, with_interval

from mcinterp.results import Result
from mcinterp.studies.ghost_points import drops as module
from mcinterp.studies.ghost_points import networks as trained
from mcinterp.studies.ghost_points.claims import ghost_claims
from mcinterp.studies.ghost_points.drops import RATES, TYPICAL, drops
from mcinterp.studies.ghost_points.revival import LOWER
from mcinterp.study import Evidence

# For every finding: its claim, its place among the findings, and a row to change — so that it fails, so that it cannot
# be told (nothing where the number is exact).
SPOILT: list[tuple[str, int, str, str, Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]]] = [
    ("a ghost, not a fixed point", 0, "velocity", "lowest", {"relative": 0.9}, {"roots": 1}, {}),
    (
        "a ghost, not a fixed point",
        1,
        "velocity",
        "passage",
        {},
        with_interval("switch_ratio", 1.01, 0.001),
        with_interval("switch_ratio", 1.0, 0.001),
    ),
    (
        "a ghost, not a fixed point",
        2,
        "velocity",
        "passage",
        {},
        with_interval("ghost_share", 0.4, 0.01),
        with_interval("ghost_share", 0.5, 0.01),
    ),
    (
        "critical learning rate",
        1,
        "critical",
        "critical",
        {"target": 100.0},
        with_interval("ratio", 1.02, 0.005),
        with_interval("ratio", 1.0, 0.02),
    ),
    (
        "critical learning rate",
        3,
        "rates",
        "rates",
        {"relative": 1.1},
        with_interval("dead", 0.9, 0.02),
        with_interval("dead", 0.94, 0.02),
    ),
    (
        "fifth power of the target time",
        0,
        "critical",
        "scaling",
        {},
        with_interval("slope", -4.9, 0.01),
        with_interval("slope", -5.0, 0.1),
    ),
    ("no-learning zone", 0, "zone", "zone", {"target": 50.0}, {"largest_gradient": 1e-300}, {}),
    ("no-learning zone", 1, "zone", "zone", {"target": 50.0}, {"edge_ratio": 1 - 1e-6}, {}),
    ("no-learning zone", 2, "zone", "zone", {"target": 50.0}, {"left": 1}, {}),
    ("no-learning zone", 3, "zone", "zone", {"target": 50.0}, {"moved": 1e-300}, {}),
    (
        "residual oscillation",
        0,
        "oscillation",
        "oscillation",
        {"relative": 0.05},
        with_interval("ratio", 0.98, 0.001),
        with_interval("ratio", 0.99, 0.001),
    ),
    (
        "residual oscillation",
        1,
        "oscillation",
        "oscillation",
        {"relative": 0.1},
        with_interval("ratio", 1.02, 0.001),
        with_interval("ratio", 1.01, 0.001),
    ),
    (
        "residual oscillation",
        2,
        "oscillation",
        "slope",
        {},
        with_interval("slope", 1.1, 0.01),
        with_interval("slope", 1.0, 0.1),
    ),
    (
        "the drop is found",
        0,
        "drops",
        "drops",
        {"relative": RATES[1]},
        with_interval("found", 0.8, 0.05),
        with_interval("found", 0.9, 0.05),
    ),
    (
        "the drop is found",
        1,
        "drops",
        "drops",
        {"relative": RATES[0]},
        with_interval("start", 0.1, 0.01),
        with_interval("start", -0.05, 0.01),
    ),
    (
        "the drop is found",
        2,
        "drops",
        "drops",
        {"relative": RATES[0]},
        with_interval("end", -0.1, 0.01),
        with_interval("end", math.nan),
    ),
    (
        "the steepest fall is found",
        0,
        "drops",
        "drops",
        {"relative": RATES[-1]},
        with_interval("steepest", -0.15, 0.01),
        with_interval("steepest", -0.05, 0.03),
    ),
    *(
        (claim, place, "networks", table, where, with_interval(column, wrong, 0.05), with_interval(column, 0.5, 0.1))
        for claim, place, table, where, column, wrong in (
            ("networks learn in a drop", 0, "drops", {"rate": trained.RATES[1]}, "found", 0.1),
            ("networks die above a critical rate", 0, "outcomes", {"rate": trained.RATES[1]}, "learned", 0.1),
            ("networks die above a critical rate", 1, "outcomes", {"rate": trained.RATES[2]}, "died", 0.1),
            ("networks die above a critical rate", 2, "outcomes", {"rate": trained.RATES[3]}, "learned", 0.9),
            ("confidence lowers success", 0, "outcomes", {"gain": max(trained.GAINS)}, "learned", 0.9),
            ("rank raises success", 0, "outcomes", {"rank": max(trained.RANKS)}, "strictly", 0.1),
        )
    ),
    *(
        ("lower confidence revives", place, "revival", "revival", {"gain": LOWER[-1]}, *values)
        for place, values in enumerate(
            (
                (with_interval("regained", 0.2, 0.1), with_interval("regained", 1.0, 0.1)),
                (with_interval("after", 0.6, 0.1), with_interval("after", 0.75, 0.1)),
            )
        )
    ),
    *(
        (
            "a ghost precedes the drop of networks",
            place,
            "fields",
            "windows",
            {"window": "plateau"},
            with_interval(column, 0.1, 0.1),
            with_interval(column, 0.5, 0.1),
        )
        for place, column in enumerate(("rootless", "ghost"))
    ),
]

CONTROLS: list[tuple[str, str, str, Mapping[str, Any], Mapping[str, Any]]] = [
    ("critical learning rate", "critical", "critical", {"target": 200.0}, {"dead_below": 1}),
    ("no-learning zone", "oscillation", "oscillation", {}, {"unmoved": 1e-300}),
    ("residual oscillation", "oscillation", "oscillation", {}, {"unmoved": 1e-300}),
    ("the drop is found", "drops", "drops", {"relative": RATES[0]}, with_interval("control_found", 0.3, 0.1)),
    ("networks learn in a drop", "networks", "drops", {"rate": min(trained.RATES)}, with_interval("found", 0.6, 0.2)),
    (
        "networks die above a critical rate",
        "networks",
        "outcomes",
        {"rate": trained.RATES[1], "sweep": "rate"},
        with_interval("died", 0.6, 0.2),
    ),
    (
        "confidence lowers success",
        "networks",
        "outcomes",
        {"gain": min(trained.GAINS)},
        with_interval("learned", 0.3, 0.3),
    ),
    ("rank raises success", "networks", "outcomes", {"rank": min(trained.RANKS)}, with_interval("strictly", 0.8, 0.1)),
    ("lower confidence revives", "revival", "revival", {"gain": LOWER[0]}, with_interval("after", 0.8, 0.1)),
    (
        "a ghost precedes the drop of networks",
        "fields",
        "windows",
        {"window": "untrained"},
        with_interval("ghost", 0.9, 0.1),
    ),
]


def verdicts(found: Evidence) -> dict[str, str]:
    return {claim.name: claim.verdict for claim in ghost_claims(found)}


def test_all_claims_hold_where_all_numbers_are_those_of_the_closed_forms() -> None:
    claims = ghost_claims(ghost_evidence(ghost_tables()))
    wrong = {finding.text: finding.verdict for claim in claims for finding in claim.findings}
    assert {text: verdict for text, verdict in wrong.items() if verdict != "holds"} == {}
    assert len({claim.name for claim in claims}) == len(claims) == 13


def test_every_finding_is_spoilt_below() -> None:
    places = {(claim, place) for claim, place, *_ in SPOILT}
    for claim in ghost_claims(ghost_evidence(ghost_tables())):
        for place, finding in enumerate(claim.findings):
            # One target time stands for the three.
            assert (claim.name, place) in places or finding.text.startswith("T = ")


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
        found = {
            c.name: c
            for c in ghost_claims(ghost_evidence(spoilt(ghost_tables(), f"study/{key}", table, where, values)))
        }[claim]
        assert found.findings[place].verdict == verdict
        assert found.verdict == verdict
        assert [f.verdict for f in found.findings].count("holds") == len(found.findings) - 1


@pytest.mark.parametrize(("claim", "key", "table", "where", "values"), CONTROLS)
def test_a_control_that_is_not_null_decides_nothing(
    claim: str, key: str, table: str, where: Mapping[str, Any], values: Mapping[str, Any]
) -> None:
    assert verdicts(ghost_evidence(spoilt(ghost_tables(), f"study/{key}", table, where, values)))[claim] == "undecided"


def test_a_zone_that_no_run_landed_in_keeps_nobody() -> None:
    changed = ghost_tables()
    for row in changed["study/zone"]["zone"]:
        row["landed"] = 0
    assert verdicts(ghost_evidence(changed))["no-learning zone"] == "undecided"


def test_without_results_nothing_is_decided() -> None:
    assert set(verdicts(Evidence({})).values()) == {"undecided"}


@pytest.fixture(scope="module")
def found() -> Result:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "RATES", (0.2, 0.5))
        patch.setattr(module, "WATCHED", (TYPICAL, 4.0))
        return drops(4, 0)


def test_the_detector_finds_the_drop_where_the_closed_form_has_it(found: Result) -> None:
    frame = found.table("drops")
    assert (frame["found"] == 1).all()
    assert (frame["control_found"] == 0).all()
    assert frame["start"].abs().max() < 0.05
    assert frame["end"].abs().max() < 0.1
    assert frame["steepest"].abs().max() < 0.05


def test_a_nearer_start_has_a_shorter_plateau(found: Result) -> None:
    frame = found.table("starts").sort_values("start")
    assert (np.diff(frame["plateau_share"]) > 0).all()
    assert frame["found"].tolist() == sorted(frame["found"])
    assert set(frame["found"]) == {False, True}


def test_the_drawn_run_follows_its_closed_form_and_the_control_a_line(found: Result) -> None:
    arrays, marks = found.arrays, found.table("marks").set_index("curve")
    n = len(arrays["closed_form"])
    assert np.array_equal(arrays["epoch"][:n], arrays["closed_form_epoch"])
    # Close to the dive an epoch makes a difference.
    assert arrays["learned"][: n - 5] == pytest.approx(arrays["closed_form"][: n - 5], abs=0.01)
    line = arrays["without_ghost"][: n - 1]
    assert np.diff(line) / np.diff(arrays["epoch"][: n - 1]) == pytest.approx(
        -line[0] / marks["optimum"].iloc[0], rel=0.01
    )
    assert arrays["without_ghost"][n:].max() < 1e-3
    assert marks["found"].tolist() == [True, False]


def test_an_untrained_system_has_no_drop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a gradient nothing is found, whatever the closed form says, and no claim of a drop holds."""
    monkeypatch.setattr(module, "RATES", (0.2, 0.5))
    monkeypatch.setattr(module, "WATCHED", (TYPICAL,))
    monkeypatch.setattr(module, "path", lambda r, rate, target, epochs: np.broadcast_to(r, (epochs + 1, *np.shape(r))))
    untrained = drops(4, 0)
    assert (untrained.table("drops")["found"] == 0).all()
    assert not untrained.table("starts")["found"].any()
    results = dict(ghost_evidence(ghost_tables()).results) | {"study/drops": untrained}
    found = verdicts(Evidence(results))
    assert found["the drop is found"] != "holds"
    assert found["the steepest fall is found"] == "undecided"
