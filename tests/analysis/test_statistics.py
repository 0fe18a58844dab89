import numpy as np
import pytest
from scipy import stats
from slow_statistics import interval, p_value

from mcinterp.analysis.statistics import (
    RunningMean,
    false_discovery,
    linearised_estimate,
    mean_estimate,
    pooled_difference,
    pooled_estimate,
    ratio_estimate,
)
from mcinterp.errors import InputError


@pytest.mark.parametrize("values", [np.array([0.1, 0.9, -0.4, 2.0, 0.3]), np.linspace(-0.2, 1.0, 40)])
def test_of_few_samples_or_even_ones_a_mean_has_the_interval_of_a_one_sample_t_test(values):
    estimate, test = mean_estimate(values), stats.ttest_1samp(values, 0)
    interval = test.confidence_interval(0.95)
    assert estimate.value == pytest.approx(values.mean())
    assert (estimate.low, estimate.high) == pytest.approx((interval.low, interval.high))
    assert estimate.p_value == pytest.approx(test.pvalue)


@pytest.mark.parametrize("n", [8, 30, 300])
def test_of_skewed_samples_it_is_that_of_the_transformed_statistic(n):
    values = np.random.default_rng(n).lognormal(0.0, 1.2, n)
    estimate = mean_estimate(values)
    low, high = interval(values.mean(), values - values.mean())
    assert (estimate.low, estimate.high) == pytest.approx((low, high))
    assert high - values.mean() > 1.05 * (values.mean() - low)
    assert mean_estimate(values - 1.0).p_value == pytest.approx(p_value(values.mean() - 1.0, values - values.mean()))


def test_turning_the_sign_turns_the_interval_over():
    values = np.random.default_rng(3).exponential(size=(50, 4))
    one, other = mean_estimate(values), mean_estimate(-values)
    assert other.low == pytest.approx(-one.high)
    assert other.p_value == pytest.approx(one.p_value)


def test_heavy_tails_lower_the_degrees_of_freedom():
    """Of as many samples, evenly spread and with the same error, but for two far out on either side."""
    even = np.linspace(-1, 1, 100)
    tails = np.r_[np.full(49, 0.1), np.full(49, -0.1), 5.0, -5.0]
    widths = []
    for values in (even / even.std(), tails / tails.std()):
        found = mean_estimate(values)
        widths.append(found.high - found.low)
    assert widths[1] > 1.2 * widths[0]


@pytest.mark.parametrize("kind", ["normal", "lognormal", "standard_cauchy"])
@pytest.mark.parametrize("n", [2, 5, 9, 40])
def test_an_interval_leaves_0_out_just_where_its_p_value_is_below_5_percent(kind, n):
    generator = np.random.default_rng(n)
    values = getattr(generator, kind)(size=(n, 500)) - generator.uniform(0, 3, 500)
    found = mean_estimate(values)
    outside = (found.low > 0) | (found.high < 0)
    assert 0 < outside.sum() < 500
    assert (outside == (found.p_value < 0.05)).all()
    assert ((found.low <= found.value) & (found.value <= found.high)).all()


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


@pytest.mark.parametrize("n", [32, 64, 128, 512])
def test_intervals_of_masked_errors_cover_the_truth(n):
    estimate = pooled_estimate(*masked_errors(n))
    assert 0.93 <= coverage(estimate.low, estimate.high, 1.0) <= 0.97


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
    values = np.random.default_rng(5).gamma(0.3, 1e-3, (40, 2, 3)) + 10
    values[:, 0, 0] = 7.0
    running = RunningMean()
    for part in np.split(values, [1, 4, 30]):
        running.add(part)
    found, expected = running.estimate(), mean_estimate(values)
    for name in ("value", "low", "high", "p_value"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-11)
    assert found.high[0, 0] == 7


def test_an_average_over_the_same_samples_is_part_of_the_error():
    """A variance is the mean of squares about an average over the same samples, whose own error is 0 to first order;
    a mean distance from half that average is not."""
    generator, held, alone = np.random.default_rng(6), 0, 0
    for _ in range(400):
        x = generator.exponential(1.0, 100)
        scores = x - x.mean() / 2
        value, own = scores.mean(), (scores - scores.mean()) / 100
        full = linearised_estimate(value, own - (x - x.mean()) / 200)
        held += bool(full.low <= 0.5 <= full.high)
        short = linearised_estimate(value, own)
        alone += bool(short.low <= 0.5 <= short.high)
    assert 0.92 <= held / 400 <= 0.98
    assert alone / 400 > 0.99
