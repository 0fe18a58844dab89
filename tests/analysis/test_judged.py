"""What an interval says of an estimate and a reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mcinterp.analysis.judged import Judged

NAN = float("nan")
NUMBERS = st.floats(-1e3, 1e3)


@pytest.mark.parametrize(
    ("low", "high", "reference", "negligible", "side"),
    [
        (0.1, 0.3, 0.0, 0.0, "above"),
        (-0.3, -0.1, 0.0, 0.0, "below"),
        (-0.1, 0.3, 0.0, 0.0, "undecided"),
        (0.0, 0.3, 0.0, 0.0, "undecided"),
        (-0.3, 0.0, 0.0, 0.0, "undecided"),
        (0.0, 0.0, 0.0, 0.0, "equal"),
        (0.6, 0.7, 0.5, 0.0, "above"),
        (0.3, 0.4, 0.5, 0.0, "below"),
        (0.001, 0.004, 0.0, 0.01, "equal"),  # sure, and too small to matter
        (-0.01, 0.01, 0.0, 0.01, "equal"),
        (0.001, 0.2, 0.0, 0.01, "above"),
        (-50.0, 60.0, 0.0, 0.01, "undecided"),  # a huge interval is no sign of likeness
        (NAN, NAN, 0.0, 0.0, "missing"),
        (0.1, 0.2, NAN, 0.0, "missing"),
    ],
)
def test_the_whole_interval_decides(low: float, high: float, reference: float, negligible: float, side: str) -> None:
    assert Judged((low + high) / 2, low, high, reference, negligible).side == side


@given(NUMBERS, st.floats(0, 1e3), NUMBERS, st.floats(0, 10))
def test_what_is_turned_round_has_the_other_side(value: float, half: float, reference: float, small: float) -> None:
    turned = {"above": "below", "below": "above"}
    one = Judged(value, value - half, value + half, reference, small).side
    other = Judged(-value, -value - half, -value + half, -reference, small).side
    assert other == turned.get(one, one)


def test_words_of_every_side() -> None:
    words = ("more", "less", "not told apart", "as much", "not measured")
    intervals = [(1.0, 2.0), (-2.0, -1.0), (-1.0, 2.0), (0.0, 0.0), (NAN, NAN)]
    assert [Judged(sum(ends) / 2, *ends).say(*words) for ends in intervals] == list(words)
    assert [Judged(sum(ends) / 2, *ends).say(*words[:3]) for ends in intervals[3:]] == ["not told apart"] * 2


def test_a_difference_of_independent_means_has_the_interval_of_the_two_samples() -> None:
    """Against the interval for two means of many samples, where the t and the normal quantile are one."""
    rng = np.random.default_rng(0)
    first, second = rng.normal(1.0, 1.0, 4000), rng.normal(0.9, 2.0, 5000)
    ends = stats.ttest_ind(first, second, equal_var=False).confidence_interval()
    judged = Judged.beside(_row(first), "mean", _row(second), "mean")
    assert (judged.low, judged.high) == pytest.approx((ends.low, ends.high), rel=1e-3)


def test_a_difference_without_an_interval_is_missing() -> None:
    known, unknown = {"x": 1.0, "x_low": 0.9, "x_high": 1.1}, {"x": 2.0, "x_low": NAN, "x_high": NAN}
    assert Judged.beside(known, "x", unknown, "x").side == "missing"


def _row(samples: np.ndarray) -> dict[str, float]:
    ends = stats.ttest_1samp(samples, 0).confidence_interval()
    return {"mean": float(samples.mean()), "mean_low": float(ends.low), "mean_high": float(ends.high)}
