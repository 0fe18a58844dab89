"""Rules, findings and claims: what holds, what does not, and what cannot be told."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from mcinterp.results import Result
from mcinterp.study import Claim, Control, Finding, Number, Rule
from mcinterp.study.claims import MISSING, claims_result, extreme


@pytest.mark.parametrize(
    ("rule", "low", "high", "verdict"),
    [
        (Rule(high=1.0), 0.2, 0.9, "holds"),
        (Rule(high=1.0), 0.2, 1.1, "undecided"),
        (Rule(high=1.0), 1.1, 1.2, "does not hold"),
        (Rule(low=0.0), 0.1, 0.2, "holds"),
        (Rule(low=0.0), -0.1, 0.2, "undecided"),
        (Rule(low=0.0), -0.2, -0.1, "does not hold"),
        (Rule(-1.0, 1.0), -0.5, 0.5, "holds"),
        (Rule(-1.0, 1.0), -1.5, 0.5, "undecided"),
        (Rule(-1.0, 1.0), -1.5, 1.5, "undecided"),
        (Rule(-1.0, 1.0), 1.5, 2.0, "does not hold"),
        (Rule(high=1.0), math.nan, math.nan, "undecided"),
    ],
)
def test_a_rule_decides_only_where_the_whole_interval_lies(rule: Rule, low: float, high: float, verdict: str) -> None:
    assert rule.verdict(Number((low + high) / 2, low, high, 5)) == verdict


def test_a_rule_says_what_it_asks_for() -> None:
    assert [str(rule) for rule in (Rule(high=0.05), Rule(low=2.0), Rule(-1.0, 1.0), Rule(3.0, 3.0))] == [
        "at most 0.05",
        "at least 2",
        "from -1 to 1",
        "3",
    ]


def _finding(value: float, control: float | None = None) -> Finding:
    null = None if control is None else Control("nothing", Number.exact(control), Rule(-0.1, 0.1))
    return Finding("a number", Number(value, value - 0.1, value + 0.1, 9), Rule(low=0.0), "after/x", null)


def test_a_control_that_is_not_null_leaves_a_finding_undecided() -> None:
    assert _finding(1.0, 0.0).verdict == "holds"
    assert _finding(-1.0, 0.0).verdict == "does not hold"
    assert _finding(1.0, 0.5).verdict == "undecided"
    assert _finding(-1.0, math.nan).verdict == "undecided"


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ((1.0, 2.0), "holds"),
        ((1.0, 0.05), "undecided"),
        ((1.0, -2.0), "does not hold"),
        ((0.05, -2.0), "does not hold"),
    ],
)
def test_a_claim_holds_if_all_of_its_findings_do(values: tuple[float, ...], verdict: str) -> None:
    assert Claim("c", "text", "source", tuple(map(_finding, values))).verdict == verdict


def test_numbers_are_scaled_with_their_intervals() -> None:
    number = Number(2.0, 1.0, 4.0, 7)
    assert number.over(Number.exact(2.0)) == Number(1.0, 0.5, 2.0, 7)
    assert number.plus(1.0) == Number(3.0, 2.0, 5.0, 7)
    for scale in (0.0, -1.0, math.nan):
        assert math.isnan(number.over(Number.exact(scale)).value)
    assert math.isnan(number.over(Number(1.0, -0.1, 2.0)).value), "a scale that may be 0"


def test_a_ratio_carries_the_error_of_both_parts() -> None:
    scale = Number(2.0, 1.6, 2.5, 7)
    assert Number.exact(6.0).over(scale) == Number(3.0, pytest.approx(2.4), pytest.approx(3.75), 1)
    below = Number.exact(-6.0).over(scale)
    assert (below.low, below.high) == (pytest.approx(-3.75), pytest.approx(-2.4))
    both = Number(6.0, 5.0, 7.0, 9).over(scale)
    assert both.low == pytest.approx(3 - math.hypot(0.5, 0.6))
    assert both.high == pytest.approx(3 + math.hypot(0.5, 0.75))


@pytest.mark.parametrize(("above", "below"), [(1.0, 1.0), (0.05, 1.0), (-0.5, 1.0), (3.0, 0.6)])
def test_the_interval_of_a_ratio_covers(above: float, below: float) -> None:
    """Independent normal estimates of both parts, the lower one up to a quarter off."""
    generator = np.random.default_rng(0)
    tops, bottoms = above + 0.1 * generator.normal(size=4000), below + 0.07 * generator.normal(size=4000)
    ratios = [_normal(top, 0.1).over(_normal(bottom, 0.07)) for top, bottom in zip(tops, bottoms, strict=True)]
    covered = np.mean([ratio.low <= above / below <= ratio.high for ratio in ratios])
    assert 0.93 <= covered <= 0.97


def _normal(value: float, error: float) -> Number:
    return Number(value, value - 1.96 * error, value + 1.96 * error, 9)


def test_the_extreme_of_numbers_looks_at_their_intervals() -> None:
    wide, narrow = Number(1.0, 0.0, 5.0), Number(2.0, 1.9, 2.1)
    assert extreme([wide, narrow], largest=True) is wide
    assert extreme([wide, narrow], largest=False) is wide
    assert math.isnan(extreme([wide, MISSING], largest=True).value)
    assert math.isnan(extreme([], largest=True).value)


def test_claims_are_stored_as_tables(tmp_path: Path) -> None:
    claims = (
        Claim("first", "It rises.", "a paper", (_finding(1.0, 0.0), _finding(0.0))),
        Claim("second", "It falls.", "a paper", (_finding(-1.0),), "falls by 3"),
    )
    claims_result("claims", "Claims", claims, {"study": "x"}).save(tmp_path / "claims")
    stored = Result.load(tmp_path / "claims")
    assert stored.table("claims")[["claim", "verdict", "holds", "findings"]].to_numpy().tolist() == [
        ["first", "undecided", 1, 2],
        ["second", "does not hold", 0, 1],
    ]
    assert stored.table("claims")["reported"].fillna("").tolist() == ["", "falls by 3"]
    found = stored.table("findings")
    assert found["verdict"].tolist() == ["holds", "undecided", "does not hold"]
    assert found["control"][0] == "nothing: 0 (from -0.1 to 0.1)"
    assert found[["n", "value", "value_low", "value_high"]].iloc[0].tolist() == [9, 1.0, 0.9, 1.1]
