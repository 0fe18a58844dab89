"""Sentences about probes say what the paired difference from shuffled targets says, and no more."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mcinterp.report.numbers import interval
from mcinterp.report.views.probes import sentences


def probe(gain: tuple[float, float, float], cosine_gain: float = np.nan) -> pd.DataFrame:
    """One probe whose error is 0.08, with wide intervals that meet those of its control."""
    vector = not np.isnan(cosine_gain)
    numbers = {
        "test_mse": (0.08, 0.07, 0.09),
        "control_mse": (0.08 + gain[0], 0.07, 0.10),
        "gain": gain,
        "test_cosine": (0.4, 0.39, 0.41) if vector else (np.nan,) * 3,
        "cosine_gain": (cosine_gain, cosine_gain - 0.01, cosine_gain + 0.01),
    }
    row = {
        f"{name}{end}": part
        for name, own in numbers.items()
        for end, part in zip(("", "_low", "_high"), own, strict=True)
    }
    about = {"layer": 1, "target": "masked row", "entries": "all", "control_cosine": 0.4 - cosine_gain}
    return pd.DataFrame([about | row])


@pytest.mark.parametrize(
    ("gain", "said"),
    [
        ((0.008, 0.007, 0.009), "is best decoded after block 1"),
        ((0.001, 0.0005, 0.0015), "is best decoded after block 1"),
        ((0.001, -0.001, 0.003), "is not told apart from shuffled targets"),
        ((0.0, 0.0, 0.0), "is not told apart from shuffled targets"),
        ((-0.008, -0.009, -0.007), "is decoded worse than shuffled targets"),
    ],
)
def test_the_verdict_is_that_of_the_pairs_though_the_intervals_of_both_meet(
    gain: tuple[float, float, float], said: str
) -> None:
    (sentence,) = sentences(probe(gain), {})
    assert said in sentence
    assert interval(*gain) in sentence
    assert "cosine" not in sentence


@pytest.mark.parametrize("gain", [0.05, -0.05])
def test_a_direction_is_told_with_its_own_pairs(gain: float) -> None:
    (sentence,) = sentences(probe((0.008, 0.007, 0.009), gain), {})
    assert f"against {0.4 - gain:.3f} with shuffled targets, probe minus control, paired," in sentence
