"""Bars of findings, and the sentence why: numbers in the drawing for every kind of rule and verdict."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pandas as pd
import pytest

from mcinterp.declared import Study
from mcinterp.report.bars import LEFT, RIGHT, Axis, Bar, Point
from mcinterp.report.formulas import formulas
from mcinterp.report.study import claims_page, claims_sentence
from mcinterp.report.unmeasured import grouped, unmeasured
from mcinterp.report.why import claim_why, control_state, finding_why
from mcinterp.results import Result
from mcinterp.study.claims import MISSING, NAN, Claim, Control, Finding, Number, Rule, claims_result

INF = math.inf
HALF, SMALL, NONE, NEAR = Rule(low=0.5), Rule(high=0.05), Rule(0.0, 0.0), Rule(-0.05, 0.05)
HERE = "study/x"


def stored(*findings: Finding, facts: dict[str, object] | None = None) -> Result:
    """One claim of these, as it is stored."""
    claim = Claim("it rises", "a_p rises & stays.", "a paper", findings)
    about = {"study": "forged", "title": "A <paper>", "source": "s", "preset": "tiny", "steps": {HERE: None}}
    return claims_result("claims", "Claims", [claim], about | (facts or {}))


def row_of(number: Number, rule: Rule, control: Number | None = None) -> pd.Series:
    null = None if control is None else Control("nothing", control, NEAR)
    return stored(Finding("a number", number, rule, HERE, null)).table("findings").iloc[0]


def bar_of(number: Number, rule: Rule, reported: float = NAN, points: tuple[Point, ...] = ()) -> str:
    verdict = Finding("", number, rule, HERE).verdict
    return str(Bar(number.value, number.low, number.high, rule.low, rule.high, verdict, reported, points).drawing("w"))


def shade(bar: str) -> tuple[float, float]:
    """Where the shaded range begins and ends."""
    found = re.search(r'class="allowed" x="([-\d.]+)" y="\S+" width="([\d.]+)"', bar)
    assert found
    return float(found[1]), float(found[1]) + float(found[2])


def place(bar: str) -> float:
    """Where the value's mark is."""
    found = re.search(r'class="mark (?:holds|open)" cx="([\d.]+)"', bar) or re.search(r'mark fails" d="M([\d.]+)', bar)
    assert found
    return float(found[1]) + (5 if "fails" in found[0] else 0)


def interval_of(bar: str) -> tuple[float, float]:
    found = re.search(r'class="interval" d="M([\d.]+) \S+?H([\d.]+)"', bar)
    assert found
    return float(found[1]), float(found[2])


@pytest.mark.parametrize(
    ("number", "rule", "verdict", "inside"),
    [
        (Number(0.8, 0.7, 0.9), HALF, "holds", True),
        (Number(0.2, 0.1, 0.3), HALF, "does not hold", False),
        (Number(0.48, 0.31, 0.66), HALF, "undecided", False),
        (Number(0.04, 0.03, 0.045), SMALL, "holds", True),
        (Number(9.0, 8.0, 10.0), SMALL, "does not hold", False),
        (Number.exact(0.0), NONE, "holds", True),
        (Number.exact(3.0), NONE, "does not hold", False),
        (Number(0.01, -0.02, 0.04), NEAR, "holds", True),
        (Number(-0.5, -0.6, -0.4), NEAR, "does not hold", False),
        (Number(1e-12, 1e-13, 1e-11), SMALL, "holds", True),
        (Number.exact(55541.0), NEAR, "does not hold", False),
    ],
)
def test_a_value_stands_in_the_range_where_its_rule_holds(
    number: Number, rule: Rule, verdict: str, inside: bool
) -> None:
    bar = bar_of(number, rule)
    low, high = shade(bar)
    assert (low - 0.11 <= place(bar) <= high + 0.11) == inside
    assert Finding("", number, rule, HERE).verdict == verdict
    assert f"mark {({'holds': 'holds', 'does not hold': 'fails', 'undecided': 'open'})[verdict]}" in bar
    assert high - low >= 1.9
    assert (f"{rule.low:g}".replace("-", "−") in bar) == math.isfinite(rule.low)


def test_the_numbers_in_the_drawing_are_in_proportion() -> None:
    """From 0.31 to 0.66 with the bound at 0.5: 19 and 16 hundredths, on an axis with 8 % of room."""
    bar = bar_of(Number(0.48, 0.31, 0.66), HALF)
    low, high = interval_of(bar)
    assert (place(bar) - low) / (high - low) == pytest.approx(0.17 / 0.35, abs=0.002)
    assert (shade(bar)[0] - low) / (high - low) == pytest.approx(0.19 / 0.35, abs=0.002)
    assert shade(bar)[1] == pytest.approx(RIGHT, abs=0.1)


def test_an_axis_is_logarithmic_where_positive_numbers_span_decades() -> None:
    axis = Axis.around([1e-9, 1e-3, 1.0])
    assert axis.log
    steps = [axis.place(value) for value in (1e-9, 1e-6, 1e-3, 1.0)]
    assert steps[1] - steps[0] == pytest.approx(steps[3] - steps[2])
    assert axis.place(0.0) == axis.place(-1.0) == axis.place(-INF) == LEFT
    assert not Axis.around([0.0, 1e-9, 1.0]).log
    assert not Axis.around([0.5, 20.0]).log
    assert ">log<" in bar_of(Number(1e-9, 1e-10, 1e-8), SMALL)


def test_what_is_beyond_all_numbers_is_an_arrow() -> None:
    open_end = bar_of(Number(1.0, 0.6, INF), HALF)
    assert interval_of(open_end)[1] == RIGHT
    assert open_end.count('class="beyond"') == 1
    endless = bar_of(Number(INF, 0.6, INF), HALF)
    assert "mark" not in endless
    assert 'class="beyond"' in endless
    assert "nan" not in endless


def test_without_a_number_there_is_no_mark_and_without_an_interval_no_line() -> None:
    missing = bar_of(MISSING, HALF)
    assert "not measured" in missing
    assert "mark" not in missing
    assert shade(missing)[0] > LEFT
    assert 'class="interval"' not in bar_of(Number.exact(0.7), HALF)
    assert 'class="interval"' not in bar_of(Number(0.7, NAN, NAN), HALF)


def test_the_papers_number_and_seeds_stand_on_the_same_axis() -> None:
    bar = bar_of(Number(0.5, 0.2, 0.8), HALF, reported=2.0, points=(Point(0.2, "holds"), Point(NAN, "undecided")))
    assert "paper 2.00" in bar
    assert 'class="mean"' in bar
    assert bar.count('class="mark') == 1
    left = re.search(r'class="paper" d="M([\d.]+)', bar)
    assert left
    assert float(left[1]) > interval_of(bar)[1]
    assert 'class="paper"' not in bar_of(Number(0.5, 0.2, 0.8), HALF)


@pytest.mark.parametrize(
    ("number", "rule", "said"),
    [
        (Number(0.8, 0.7, 0.9), HALF, "0.80 [0.70, 0.90] stays above 0.5, by 0.20"),
        (Number(0.2, 0.1, 0.3), HALF, "0.20 [0.10, 0.30] stays below 0.5, by 0.20"),
        (Number(0.48, 0.31, 0.66), HALF, "0.48 [0.31, 0.66] reaches over 0.5"),
        (Number(0.6, 0.45, 0.75), HALF, "0.60 [0.45, 0.75] reaches below 0.5"),
        (Number(0.04, 0.02, 0.06), SMALL, "0.040 [0.020, 0.060] reaches over 0.05"),
        (Number(0.0, -0.1, 0.1), NEAR, "0.00 [−0.10, 0.10] reaches below −0.05 and over 0.05"),
        (Number(0.0, -0.01, 0.02), NEAR, "0.000 [−0.010, 0.020] stays below 0.05, by 0.030"),
        (Number.exact(0.0), NONE, "0 is what it has to be"),
        (Number.exact(3.0), NONE, "3.00 stays above 0, by 3.0"),
        (Number.exact(0.5), HALF, "0.500 reaches 0.5, to rounding, and does not go beyond"),
        (Number(1.0, 0.6, INF), HALF, "1.00 [0.600, ∞] stays above 0.5, by 0.10"),
        (Number(1e-12, 1e-13, 1e-11), SMALL, "1.00e−12 [1.00e−13, 1.00e−11] stays below 0.05, by 0.050"),
        (Number(0.7, NAN, NAN), HALF, "0.700 has no interval, so that nothing is decided"),
        (MISSING, HALF, "it was not measured"),
    ],
)
def test_the_sentence_says_by_how_much(number: Number, rule: Rule, said: str) -> None:
    assert finding_why(row_of(number, rule)) == said


@pytest.mark.parametrize(
    ("control", "state"),
    [
        (Number.exact(0.0), "null"),
        (Number.exact(0.2), "not null"),
        (Number(0.0, -0.1, 0.1), "not surely null"),
        (MISSING, "not measured"),
    ],
)
def test_a_broken_control_is_what_a_verdict_hangs_on(control: Number, state: str) -> None:
    row = row_of(Number(0.8, 0.7, 0.9), HALF, control)
    assert control_state(row) == state
    assert finding_why(row).startswith("0.8" if state == "null" else f"its control is {state}, whatever the value")
    older = row.drop("control_state")
    assert (control_state(older) == "null") == (state == "null")


def test_a_claim_names_the_finding_that_decides_it() -> None:
    good, near = (Finding(text, Number(v, v - 0.1, v + 0.1), HALF, HERE) for text, v in (("far", 9.0), ("near", 0.7)))
    bad = Finding("bad", Number(0.2, 0.1, 0.3), HALF, HERE)
    across = Finding("across", Number(0.48, 0.31, 0.66), HALF, HERE)

    def why(*findings: Finding) -> str:
        return claim_why(stored(*findings).table("findings"))

    assert why(good, near).startswith(
        "Holds: all 2 findings do; nearest to its bound, 0.70 [0.60, 0.80] stays above 0.5"
    )
    assert why(good, across, bad) == (
        "Does not hold: 0.20 [0.10, 0.30] stays below 0.5, by 0.20 (bad); 1 of 3 findings holds."
    )
    assert why(across) == "Undecided: 0.48 [0.31, 0.66] reaches over 0.5."
    assert why(across, across).endswith("(across); none of 2 findings holds.")


def test_what_a_preset_does_not_measure_is_told_with_the_command() -> None:
    """Claims are undecided for want of evidence only if nothing else is undecided about them."""
    absent = Finding("absent", MISSING, HALF, "study/networks")
    across = Finding("across", Number(0.48, 0.31, 0.66), HALF, HERE)
    held = Finding("held", Number(0.8, 0.7, 0.9), HALF, HERE)
    study = Study("forged", "", "", "", ("exact", "full"), "", "", measured_by={"networks": ("full",)})
    for findings, lacking in (
        ((absent, held), ["study/networks"]),
        ((absent, across), None),
        ((across,), None),
        ((held,), None),
    ):
        result = stored(*findings)
        found = unmeasured(result.table("claims"), result.table("findings"), result.facts["steps"])
        assert found.get("it rises") == lacking
        groups = grouped(result.table("claims"), found, study)
        commands = [group.command for group in groups]
        assert commands == ["mcinterp reproduce forged --preset full"] * (lacking is not None)
    assert claims_sentence(stored(absent)) == "Of 1 claim, 1 is undecided, which was not measured."
    assert claims_sentence(stored(across)) == "Of 1 claim, 1 is undecided."


def test_the_page_gathers_what_is_not_measured_at_its_end() -> None:
    page = claims_page(stored(Finding("absent", MISSING, HALF, "after/ablation")), "run", False, [])
    assert "Nothing to decide this by: there is no result of ablation after the drop." in page
    assert page.index('id="claims"') < page.index('id="unmeasured"')
    assert '<li id="it-rises">' in page
    assert "<i>a</i><sub>p</sub> rises &amp; stays." in page
    decided = claims_page(stored(Finding("held", Number(0.8, 0.7, 0.9), HALF, HERE)), "run", False, [])
    assert 'id="unmeasured"' not in decided
    assert '<section id="it-rises"' in decided


def test_a_page_of_an_older_report_has_no_column_that_came_later(tmp_path: Path) -> None:
    result = stored(Finding("held", Number(0.8, 0.7, 0.9), HALF, HERE, Control("c", Number.exact(0.0), NEAR)))
    for column in ("reported", "control_state"):
        del result.tables["findings"].frame[column]
    page = claims_page(result, "run", False, [])
    assert "Control null: c: 0" in page


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("a_p = μ_p²/s", "<i>a</i><sub>p</sub> = <i>μ</i><sub>p</sub>²/s"),
        ("L_mask of masked_mse <b>", "<i>L</i><sub>mask</sub> of masked_mse &lt;b&gt;"),
        ("(1 − a)^k and x^2", "(1 − a)<sup>k</sup> and x<sup>2</sup>"),
        ("a_b_c ^ d", "a_b_c ^ d"),
        ("\u202eab", "\\u202eab"),
    ],
)
def test_symbols_are_formulas_and_everything_else_is_escaped(text: str, html: str) -> None:
    assert formulas(text) == html
