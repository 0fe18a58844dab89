"""The one-dimensional system: every closed form against an integration or a search that knows nothing of it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from mcinterp.studies.ghost_points.dynamics import (
    critical_rate,
    epochs_between,
    gradient,
    loss,
    optimum,
    path,
    r_of_loss,
    switch_time,
    trained,
    zone_edge,
)
from mcinterp.studies.ghost_points.limits import SMALL_RATE, critical, oscillation, share, sweep, zone
from mcinterp.studies.ghost_points.velocity import velocity

TARGETS = [50.0, 100.0, 200.0]


def slow_switch_time(r: float) -> float:
    """When 1/x reaches 0: near the switch y = 1/x obeys ẏ = −(1 + r y²), which is harmless."""
    up = solve_ivp(lambda t, x: r + x**2, (0, 1e5), [0.0], rtol=1e-11, atol=1e-13, events=_at_one)
    down = solve_ivp(lambda t, y: -1 - r * y**2, (0, 10), [1.0], rtol=1e-11, atol=1e-13, events=_at_zero)
    return float(up.t_events[0][0] + down.t_events[0][0])


def _at_one(t: float, x: np.ndarray) -> float:
    return float(x[0] - 1)


def _at_zero(t: float, y: np.ndarray) -> float:
    return float(y[0])


_at_one.terminal = _at_zero.terminal = True  # type: ignore[attr-defined]


@pytest.mark.parametrize("r", [1e-5, 2.5e-4, 0.01, 0.3])
def test_the_switch_time_is_that_of_the_integrated_system(r: float) -> None:
    assert float(switch_time(r)) == pytest.approx(slow_switch_time(r), rel=1e-7)


def test_without_an_r_above_zero_nothing_switches() -> None:
    assert switch_time([0.0, -1e-9, -5.0]).tolist() == [math.inf] * 3
    rest = solve_ivp(lambda t, x: -0.01 + x**2, (0, 2000), [0.0], rtol=1e-9)
    assert rest.y[0, -1] == pytest.approx(-0.1, rel=1e-4)


@pytest.mark.parametrize("target", TARGETS)
def test_the_optimum_switches_at_the_target_and_the_edge_at_twice_it(target: float) -> None:
    assert slow_switch_time(float(optimum(target))) == pytest.approx(target, rel=1e-7)
    assert slow_switch_time(float(zone_edge(target))) == pytest.approx(2 * target, rel=1e-7)
    assert float(loss(optimum(target), target)) == pytest.approx(0, abs=1e-12)
    assert float(loss(zone_edge(target), target)) == pytest.approx(1)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("relative", [0.26, 0.7, 0.99, 1.01, 3.0, 10.0])
def test_the_gradient_is_the_slope_of_the_loss(target: float, relative: float) -> None:
    r = relative * float(optimum(target))
    small = 1e-6 * r
    slope = (loss(r + small, target) - loss(r - small, target)) / (2 * small)
    assert float(gradient(r, target)) == pytest.approx(target * float(slope), rel=1e-6)


@pytest.mark.parametrize("target", TARGETS)
def test_in_the_zone_the_loss_is_one_and_the_gradient_zero(target: float) -> None:
    edge = float(zone_edge(target))
    inside = np.array([-1.0, -1e-9, 0.0, 1e-12, 0.5 * edge, np.nextafter(edge * (1 - 1e-12), 0)])
    assert (loss(inside, target) == 1).all()
    assert (gradient(inside, target) == 0).all()
    assert float(gradient(edge * (1 + 1e-12), target)) < 0
    assert (trained(inside, 1.0, target, 50) == inside).all()


@pytest.mark.parametrize("target", TARGETS)
def test_the_critical_rate_is_where_the_lowest_landing_is_the_edge(target: float) -> None:
    """Of one step from a fine grid of all that lies above the optimum."""
    above = float(optimum(target)) * (1 + np.geomspace(1e-9, 100, 20_001))
    rate = float(critical_rate(target))
    lowest = [float(trained(above, factor * rate, target, 1).min() / zone_edge(target)) for factor in (0.99, 1, 1.01)]
    assert lowest[1] == pytest.approx(1, abs=1e-7)
    assert lowest[0] > 1.02
    assert lowest[2] < 0.98


def test_training_is_a_plain_loop() -> None:
    target, rate, r = 80.0, 0.7 * float(critical_rate(80.0)), 10 * float(optimum(80.0))
    way = [r]
    for _ in range(500):
        time = math.pi / (2 * math.sqrt(way[-1]))
        step = 0.0 if time > 2 * target else math.copysign(math.pi / 4 * way[-1] ** -1.5, target - time)
        way.append(way[-1] - rate * step)
    # Steps over the optimum amplify rounding, so that only the way down and a little of what follows is the same.
    assert path(r, rate, target, 500)[:220] == pytest.approx(way[:220], rel=1e-9)
    assert float(trained(r, rate, target, 500)) == float(path(r, rate, target, 500)[-1])


def test_the_way_down_is_that_of_the_flow() -> None:
    target, rate = 100.0, 0.01 * float(critical_rate(100.0))
    start, end = 10 * float(optimum(target)), float(r_of_loss(0.3, target))
    assert float(loss(end, target)) == pytest.approx(0.3)
    flow = solve_ivp(
        lambda k, r: -rate * math.pi / 4 * r**-1.5, (0, 1e5), [start], rtol=1e-9, atol=1e-14, events=_below(end)
    )
    closed = float(epochs_between(start, end, rate))
    assert closed == pytest.approx(float(flow.t_events[0][0]), rel=1e-5)
    assert int((path(start, rate, target, 20_000) > end).sum()) == pytest.approx(closed, abs=3)


def _below(end: float):  # type: ignore[no-untyped-def]
    def event(k: float, r: np.ndarray) -> float:
        return float(r[0] - end)

    event.terminal = True  # type: ignore[attr-defined]
    return event


def test_the_critical_rate_is_found_by_bisection() -> None:
    result = critical(60, 1)
    frame = result.table("critical")
    assert frame["target"].tolist() == TARGETS
    assert (frame["ratio"] - 1).abs().max() < 0.01
    assert (frame["ratio"] > 1).all()
    assert frame["rate"].to_numpy() == pytest.approx(frame["closed_form"] * frame["ratio"])
    assert (frame["dead_below"] == 0).all()
    assert result.table("scaling")["slope"][0] == pytest.approx(-5, abs=0.01)
    assert critical(60, 1).table("critical").equals(frame)
    assert not critical(60, 2).table("critical").equals(frame)


def test_runs_die_above_the_critical_rate_only() -> None:
    frame = sweep(20, 0).table("rates")
    assert (frame[frame["relative"] < 1]["dead"] == 0).all()
    assert (frame[frame["relative"] >= 1.1]["dead"] == 1).all()
    assert (frame["without_switch"] <= frame["dead"]).all()
    # A step of the length of the whole optimum, 4/3 times the critical one, is needed to get to r ≤ 0.
    assert (frame[frame["relative"] < 4 / 3]["without_switch"] == 0).all()


def test_the_zone_is_exact() -> None:
    frame = zone(20, 0).table("zone")
    assert (frame["largest_gradient"] == 0).all()
    assert (frame["lowest_loss"] == 1).all()
    assert (frame["edge_ratio"] - 1).abs().max() < 1e-14
    assert frame["edge_gradient"].to_numpy() == pytest.approx(math.pi / 4)
    assert (frame["landed"] == 20).all()
    assert (frame["left"] == 0).all()
    assert (frame["moved"] == 0).all()


def test_settled_runs_stay_half_a_step_from_the_optimum() -> None:
    result = oscillation(4, 0)
    frame = result.table("oscillation").set_index("relative")
    assert frame.loc[:SMALL_RATE, "ratio"].to_numpy() == pytest.approx(1, abs=0.006)
    assert (frame["unmoved"] == 0).all()
    assert result.table("slope")["slope"][0] == pytest.approx(1, abs=0.01)
    rate, step = 0.05 * float(critical_rate(100.0)), 2 * 0.05 * float(critical_rate(100.0)) * 1e6 / math.pi**2
    assert frame.loc[0.05, "rate"] == pytest.approx(rate)
    assert frame.loc[0.05, "closed_form"] * float(optimum(100.0)) == pytest.approx(step / 2)


def test_the_velocity_has_no_root_while_a_run_learns() -> None:
    result = velocity(5, 0)
    stages, passage = result.table("stages"), result.table("passage").iloc[0]
    assert result.arrays["velocity"].shape == (len(stages), len(result.arrays["x"]))
    assert (stages[stages["run"] == "learns"]["roots"] == 0).all()
    assert stages[stages["run"] == "dies"]["roots"].tolist()[-2:] == [2, 2]
    assert stages["lowest"].to_numpy() == pytest.approx(stages["r"])
    assert passage["switch_ratio"] == pytest.approx(1, abs=1e-9)
    assert passage["ghost_share"] == pytest.approx(0.5, abs=1e-9)
    assert (result.table("lowest")["roots"] == 0).all()
    assert (result.table("lowest")["lowest"] > 1).all()


def test_a_share_has_its_exact_interval() -> None:
    assert share(0, 10, "x") == pytest.approx({"x": 0.0, "x_low": 0.0, "x_high": 1 - 0.025**0.1})
