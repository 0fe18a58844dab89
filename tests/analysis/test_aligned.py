"""Aligned curves: a shifted curve lies on the first, and the band is the one of the textbook."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mcinterp.analysis.compare.aligned import over_runs, spread, stretches

STEPS = np.arange(1, 4001, dtype=float)


def curve(shift: int, seed: int = 0) -> np.ndarray:
    """A noisy plateau and fall; with `shift` the same, so many steps later (before, the plateau goes on)."""
    noise = np.random.default_rng(seed).normal(1, 0.05, 8000)
    places = np.arange(1, 4001) - shift + 2000
    level = 0.1 * np.where(places < 4000, 1.0, np.exp(-(places - 4000) / 300))
    return np.asarray(level * noise[places])


@pytest.mark.parametrize("shift", [0, 1, 7, 250, -333])
@pytest.mark.parametrize("width", [1, 2, 13, 40])
def test_a_curve_that_is_shifted_lies_on_the_first_once_aligned(shift: int, width: int) -> None:
    first, second = stretches(STEPS, curve(0), 2000, width), stretches(STEPS, curve(shift), 2000 + shift, width)
    shared = sorted(set(first.places[first.whole]) & set(second.places[second.whole]))
    assert len(shared) > (3000 if width == 1 else 60)
    values = [dict(zip(one.places, one.values, strict=True)) for one in (first, second)]
    assert [values[0][place] for place in shared] == pytest.approx([values[1][place] for place in shared], abs=1e-15)
    if shift and width == 1:
        plain = stretches(STEPS, curve(shift), 2000, width)
        assert not np.allclose(plain.values[100:-100], first.values[100:-100])


@pytest.mark.parametrize("width", [1, 4, 5])
def test_a_stretch_is_the_mean_of_its_steps(width: int) -> None:
    values = np.random.default_rng(3).normal(size=60)
    values[17] = np.nan
    found = stretches(np.arange(1, 61, dtype=float), values, 20, width)
    for place, value, count, whole in zip(found.places, found.values, found.counts, found.whole, strict=True):
        steps = [s for s in range(1, 61) if abs(s - 20 - place) < width / 2]
        kept = [values[s - 1] for s in steps if np.isfinite(values[s - 1])]
        assert (value, count) == pytest.approx((np.mean(kept), len(kept)))
        assert whole == (len(steps) == width)
    assert found.counts.sum() == 59
    assert found.places[np.abs(found.places).argmin()] == pytest.approx(0, abs=0.5)


def test_nothing_measured_is_no_curve() -> None:
    assert len(stretches(STEPS, np.full(4000, np.nan), 0, 10).places) == 0
    assert len(stretches(np.array([]), np.array([]), 0, 10).places) == 0


@pytest.mark.parametrize("logarithmic", [True, False])
def test_the_band_is_the_t_interval_over_runs(logarithmic: bool) -> None:
    curves = [stretches(STEPS, curve(30 * k, seed=k), 2000 + 30 * k, 20) for k in range(4)]
    places, found = over_runs(curves, logarithmic)
    values = np.array([[dict(zip(one.places, one.values, strict=True))[place] for place in places] for one in curves])
    values = np.log(values) if logarithmic else values
    low, high = stats.t.interval(0.95, 3, values.mean(0), stats.sem(values, axis=0))
    back = np.exp if logarithmic else np.asarray
    np.testing.assert_allclose(found.value, back(values.mean(0)))
    np.testing.assert_allclose(found.low, back(low))
    np.testing.assert_allclose(found.high, back(high))
    assert all(all(place in one.places[one.whole] for one in curves) for place in places)


def test_two_runs_have_a_mean_and_no_band() -> None:
    _, found = over_runs([stretches(STEPS, curve(0, seed), 2000, 20) for seed in range(2)], True)
    assert np.isfinite(found.value).all()
    assert np.isnan(found.low).all()
    assert np.isnan(found.high).all()


def test_spread_is_a_factor() -> None:
    one = stretches(STEPS, curve(0), 2000, 20)
    other = stretches(STEPS, 1.5 * curve(0), 2000, 20)
    assert spread([one, one], -500, 500) == 1
    assert spread([one, other], -500, 500) == pytest.approx(np.exp(np.log(1.5) / np.sqrt(2)))
    assert np.isnan(spread([one, other], 90_000, 90_001))
