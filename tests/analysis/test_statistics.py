import numpy as np
import pytest
from scipy import stats

from mcinterp.analysis.statistics import RunningMean, false_discovery, mean_estimate, pooled_estimate
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


@pytest.mark.parametrize("n", [64, 512])
def test_intervals_of_masked_errors_cover_the_truth(n):
    """95 % intervals of a ratio of skewed sums and random counts, as masked errors are, in 1,000 trials."""
    generator = np.random.default_rng(2)
    counts = generator.binomial(25, 0.3, size=(n, 1000)).astype(float)
    scale = generator.exponential(1.0, size=(n, 1000))
    sums = scale * generator.gamma(np.maximum(counts, 1e-9) / 2, 2.0)
    estimate = pooled_estimate(sums, counts)
    covered = ((estimate.low <= 1.0) & (estimate.high >= 1.0)).mean()
    assert 0.91 <= covered <= 0.97


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
