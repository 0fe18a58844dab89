import numpy as np
import pytest
from scipy import stats

from mcinterp.analysis.statistics import (
    RunningMean,
    false_discovery,
    mean_estimate,
    pooled_difference,
    pooled_estimate,
    ratio_estimate,
)
from mcinterp.errors import InputError


def test_a_mean_has_the_interval_of_a_one_sample_t_test():
    values = np.random.default_rng(0).normal(0.3, 1.0, 40)
    estimate = mean_estimate(values)
    test = stats.ttest_1samp(values, 0)
    interval = test.confidence_interval(0.95)
    assert estimate.value == pytest.approx(values.mean())
    assert (estimate.low, estimate.high) == pytest.approx((interval.low, interval.high))
    assert estimate.p_value == pytest.approx(test.pvalue)


def test_samples_without_entries_are_left_out():
    values = np.array([1.0, 2.0, np.nan, 4.0])
    assert mean_estimate(values).value == pytest.approx(7 / 3)
    assert mean_estimate(values).low == pytest.approx(mean_estimate(np.array([1.0, 2.0, 4.0])).low)


def test_a_pooled_mean_weighs_entries_equally():
    sums, counts = np.array([4.0, 0.0, 6.0]), np.array([2.0, 0.0, 4.0])
    assert pooled_estimate(sums, counts).value == pytest.approx(10 / 6)


def test_equal_samples_have_a_point_interval_and_zero_means_no_effect():
    same = pooled_estimate(np.zeros(5), np.ones(5))
    assert (same.value, same.low, same.high, same.p_value) == (0, 0, 0, 1)
    assert mean_estimate(np.full(5, 2.0)).p_value == 0


def test_one_sample_has_no_interval():
    estimate = mean_estimate(np.array([2.0]))
    assert estimate.value == 2
    assert np.isnan(estimate.low)
    assert np.isnan(estimate.high)


def test_trailing_axes_are_estimated_side_by_side():
    values = np.random.default_rng(1).normal(size=(30, 2, 3))
    estimate = mean_estimate(values)
    one = mean_estimate(values[:, 1, 2])
    assert estimate.columns("x", (1, 2)) == pytest.approx(one.columns("x"))


def test_no_samples_are_an_error():
    with pytest.raises(InputError, match="at least one sample"):
        mean_estimate(np.array([]))


TRIALS = 2000


def coverage(low: np.ndarray, high: np.ndarray, truth: float) -> float:
    return float(((low <= truth) & (truth <= high)).mean())


def masked_errors(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Skewed sums over random counts, as masked errors are; their ratio is 1 in truth. Both (n, trials)."""
    generator = np.random.default_rng(2)
    counts = generator.binomial(25, 0.3, size=(n, TRIALS)).astype(float)
    scale = generator.exponential(1.0, size=(n, TRIALS))
    return scale * generator.gamma(np.maximum(counts, 1e-9) / 2, 2.0), counts


@pytest.mark.parametrize("n", [5, 30, 512])
def test_intervals_of_normal_means_cover_the_truth(n):
    estimate = mean_estimate(np.random.default_rng(1).normal(0.3, 1.0, (n, TRIALS)))
    assert 0.93 <= coverage(estimate.low, estimate.high, 0.3) <= 0.97


@pytest.mark.parametrize(("n", "least"), [(32, 0.89), (64, 0.91), (128, 0.93), (512, 0.93)])
def test_intervals_of_masked_errors_cover_the_truth(n, least):
    """Fewer than about 100 samples this skewed have intervals that are a little too short."""
    estimate = pooled_estimate(*masked_errors(n))
    assert least <= coverage(estimate.low, estimate.high, 1.0) <= 0.97


@pytest.mark.parametrize("n", [30, 128])
def test_intervals_of_ratios_cover_the_truth(n):
    generator = np.random.default_rng(3)
    below = generator.gamma(2.0, 0.5, (TRIALS, n))
    above = 0.5 * below + generator.normal(0, 0.3, (TRIALS, n))
    found = [ratio_estimate(*pair) for pair in zip(above, below, strict=True)]
    ends = [np.array([float(getattr(estimate, name)) for estimate in found]) for name in ("low", "high")]
    assert 0.93 <= coverage(*ends, 0.5) <= 0.97


def test_intervals_of_differences_of_masked_errors_cover_the_truth():
    sums, counts = masked_errors(128)
    other = 0.7 * sums + np.random.default_rng(4).normal(0, 0.2, sums.shape) * counts
    found = [pooled_difference(a, b, c, b) for a, b, c in zip(sums.T, counts.T, other.T, strict=True)]
    ends = [np.array([float(getattr(estimate, name)) for estimate in found]) for name in ("low", "high")]
    assert 0.93 <= coverage(*ends, 0.3) <= 0.97


def test_false_discovery_is_benjamini_hochberg_and_skips_missing_values():
    p = np.array([0.01, np.nan, 0.02, 0.5])
    assert false_discovery(p)[[0, 2, 3]] == pytest.approx([0.03, 0.03, 0.5])
    assert np.isnan(false_discovery(p)[1])


def test_a_running_mean_is_that_of_all_samples_at_once() -> None:
    values = np.random.default_rng(5).normal(1e3, 1e-3, (40, 2, 3))
    values[:, 0, 0] = 7.0
    running = RunningMean()
    for part in np.split(values, [1, 4, 30]):
        running.add(part)
    found, expected = running.estimate(), mean_estimate(values)
    for name in ("value", "low", "high", "p_value"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-12)
    assert found.high[0, 0] == 7
