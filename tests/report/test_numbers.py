from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcinterp.report.numbers import fixed, interval, number, plural


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.22134, "0.221"),
        (-0.22134, "−0.221"),
        (0.0, "0"),
        (4000, "4,000"),
        (12.34, "12.3"),
        (9.9999, "10.0"),
        (0.0099999, "0.0100"),
        (1.234e-9, "1.23e−9"),
        (2.5e7, "2.50e7"),
        (math.inf, "∞"),
        (math.nan, "–"),
        (None, "–"),
        ("", "–"),
    ],
)
def test_a_number_has_three_significant_digits(value: object, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((0.2213, 0.2101, 0.2325), "0.221 [0.210, 0.233]"),
        ((0.55, 0.542, 0.558), "0.550 [0.542, 0.558]"),
        ((120.4, 80.0, 160.0), "120 [80, 160]"),
        ((0.0, 0.0, 0.0), "0 [0, 0]"),
        ((-0.001, -0.5, 0.5), "0.0 [−0.5, 0.5]"),
        ((0.5, math.nan, math.nan), "0.500"),
        ((math.nan, math.nan, math.nan), "–"),
    ],
)
def test_an_interval_has_the_digits_its_width_deserves(values: tuple[float, float, float], text: str) -> None:
    assert interval(*values) == text


@given(st.floats(min_value=-1e12, max_value=1e12))
def test_a_number_is_right_to_half_a_unit_in_its_third_digit(value: float) -> None:
    shown = float(number(value).replace("−", "-").replace(",", ""))
    assert math.isclose(shown, value, rel_tol=0.005, abs_tol=1e-300)


@given(st.floats(-100, 100), st.floats(1e-4, 10))
def test_a_shown_interval_contains_its_value(value: float, half: float) -> None:
    shown = interval(value, value - half, value + half).replace("−", "-").replace(",", "")
    middle, low, high = (float(part.strip("[]")) for part in shown.split())
    assert low <= middle <= high
    assert abs(middle - value) <= 0.2 * half + 1e-9


def test_small_forms() -> None:
    assert fixed(-0.001, 2) == "0.00"
    assert [plural(1, "head"), plural(1200, "head")] == ["1 head", "1,200 heads"]
