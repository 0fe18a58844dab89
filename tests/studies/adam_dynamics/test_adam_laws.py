"""Closed forms of Adam's update against definitions written out, linear algebra, integrals and solvers."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import scipy.integrate
import torch

from mcinterp.studies.adam_dynamics import bounds as streams
from mcinterp.studies.adam_dynamics.bounds import bounds, ratios, worst
from mcinterp.studies.adam_dynamics.flow import CURVATURES, adam_path, flow_path
from mcinterp.studies.adam_dynamics.laws import (
    bound,
    correction,
    growth,
    log_flow_bound,
    rates,
    ratio,
    stability,
)
from mcinterp.studies.adam_dynamics.updates import ExactAdam, descend, largest

SOME = [(0.9, 0.999), (0.5, 0.3), (0.99, 0.9), (0.95, 0.7), (0.5, 0.25), (0.0, 0.9)]


def slow_bound(beta1: float, beta2: float, n: int) -> float:
    """sup (w·g)²/(g·D g) = w·D⁻¹w, with the weights of the two means as fractions."""
    one, two = Fraction(beta1), Fraction(beta2)
    terms = (((1 - one) * one**age) ** 2 / ((1 - two) * two**age) for age in range(n))
    return float(sum(terms)) ** 0.5


@pytest.mark.parametrize(("beta1", "beta2"), SOME)
@pytest.mark.parametrize("n", [1, 2, 7, 40])
def test_the_bound_is_that_of_linear_algebra(beta1: float, beta2: float, n: int) -> None:
    assert float(bound(beta1, beta2, n)) == pytest.approx(slow_bound(beta1, beta2, n), rel=1e-12)


@pytest.mark.parametrize(("beta1", "beta2"), SOME[:-1])
def test_the_worst_gradients_attain_it_and_no_others_do(beta1: float, beta2: float) -> None:
    limits = bound(beta1, beta2, np.arange(1, 61))
    one, two = np.array([beta1]), np.array([beta2])
    np.testing.assert_allclose(ratios(worst(one, two, 60), one, two)[:, 0], limits, rtol=1e-12)
    random = ratios(np.random.default_rng(0).standard_normal((60, 200)), beta1, beta2)
    assert (random <= limits[:, None] * (1 + 1e-12)).all()
    assert (random[5:] < limits[5:, None]).all()


def test_ratios_are_those_of_the_means_written_out() -> None:
    gradients = np.random.default_rng(1).standard_normal((12, 3))
    found = ratios(gradients, np.array([0.9]), np.array([0.7]))
    for n in range(1, 13):
        ages = np.arange(n)[::-1, None]
        mean = (0.1 * 0.9**ages * gradients[:n]).sum(0)
        square = (0.3 * 0.7**ages * gradients[:n] ** 2).sum(0)
        np.testing.assert_allclose(found[n - 1], np.abs(mean) / np.sqrt(square), rtol=1e-12)
    assert ratios(np.zeros((2, 1)), np.array([0.9]), np.array([0.7])).tolist() == [[0.0], [0.0]]


def test_growth_is_that_of_the_bound_and_of_what_follows_a_burst() -> None:
    gained = np.log(bound(0.99, 0.9, 1001) / bound(0.99, 0.9, 1000))
    assert float(growth(0.99, 0.9)) == pytest.approx(float(gained), rel=1e-12)
    # A zero gradient multiplies m by β₁ and √v by √β₂.
    assert float(np.exp(growth(0.99, 0.9))) == pytest.approx(0.99 / 0.9**0.5, rel=1e-12)
    assert float(ratio(0.5, 0.25)) == 1.0


@pytest.mark.parametrize(("beta1", "beta2"), SOME[:4])
def test_the_bound_of_the_flow_is_that_of_an_integral(beta1: float, beta2: float) -> None:
    a, b = (1 - beta1) / beta1, (1 - beta2) / beta2
    assert tuple(map(float, rates(beta1, beta2))) == pytest.approx((a, b))
    square, _ = scipy.integrate.quad(lambda age: (a * np.exp(-a * age)) ** 2 / (b * np.exp(-b * age)), 0, 9)
    assert float(log_flow_bound(beta1, beta2, 9.0)) == pytest.approx(0.5 * np.log(square), abs=1e-9)
    assert float(stability(beta1, beta2)) == pytest.approx(2 * a - b)


def test_the_two_constants_agree_near_one_and_not_far_from_it() -> None:
    near = (0.9999, 0.9996)
    assert float(-stability(*near) / 2 / growth(*near)) == pytest.approx(1.0, abs=1e-3)
    assert float(-stability(0.9, 0.8) / 2 / growth(0.9, 0.8)) == pytest.approx(2.2, abs=0.1)
    assert float(log_flow_bound(0.9, 0.81818181818, 1.0)) < 0  # C is about 0, where the formula is 0/0


@pytest.mark.parametrize(("beta1", "beta2"), [(0.9, 0.999), (0.99, 0.9), (0.0, 0.0)])
def test_corrected_updates_of_a_constant_gradient_have_size_one(beta1: float, beta2: float) -> None:
    n = np.arange(1, 30)
    found = ratios(np.full((29, 1), -3.0), beta1, beta2)[:, 0]
    np.testing.assert_allclose(found * correction(beta1, beta2, n), 1.0, rtol=1e-12)


def test_networks_side_by_side_go_as_torchs_adam() -> None:
    ours = [torch.zeros(2, 3, 4, dtype=torch.float64), torch.zeros(2, 5, dtype=torch.float64)]
    betas = [(0.9, 0.999), (0.5, 0.8)]
    adam = ExactAdam(ours, *np.array(betas).T.copy())
    theirs = [[torch.nn.Parameter(each[i].clone()) for each in ours] for i in range(2)]
    reference = [torch.optim.Adam(each, lr=0.1, betas=pair, eps=0.0) for each, pair in zip(theirs, betas, strict=True)]
    generator = torch.Generator().manual_seed(0)
    for _ in range(6):
        gradients = [torch.randn(each.shape, generator=generator, dtype=torch.float64) for each in ours]
        found = adam.ratios(gradients)
        descend(ours, found, 0.1 * adam.corrections())
        for i, optimiser in enumerate(reference):
            for parameter, gradient in zip(theirs[i], gradients, strict=True):
                parameter.grad = gradient[i].clone()
            optimiser.step()
    for i in range(2):
        for parameter, each in zip(theirs[i], ours, strict=True):
            torch.testing.assert_close(each[i], parameter.detach(), rtol=1e-12, atol=1e-12)
    assert largest(found).tolist() == [max(float(each[i].abs().max()) for each in found) for i in range(2)]


def test_adams_path_is_torchs_and_the_flows_is_that_of_a_solver() -> None:
    start = np.random.default_rng(0).standard_normal((1, len(CURVATURES)))
    x = torch.nn.Parameter(torch.from_numpy(start[0].copy()))
    optimiser = torch.optim.Adam([x], lr=0.01, betas=(0.8, 0.95), eps=0.0)
    for _ in range(20):
        x.grad = torch.from_numpy(CURVATURES) * x.detach()
        optimiser.step()
    np.testing.assert_allclose(adam_path(start, 0.8, 0.95, 0.01, 20)[-1, 0], x.detach().numpy(), rtol=1e-9)

    a, b = 0.2 / 0.8, 0.05 / 0.95

    def velocity(time: float, state: np.ndarray) -> np.ndarray:
        place, mean, square = state.reshape(3, -1)
        gradient = CURVATURES * place
        c = np.sqrt(1 - np.exp(-b * time)) / (1 - np.exp(-a * time))
        return np.concatenate([-0.01 * c * mean / np.sqrt(square), a * (gradient - mean), b * (gradient**2 - square)])

    begin, gradient = 1e-4, CURVATURES * start[0]
    first = np.concatenate([start[0], a * begin * gradient, b * begin * gradient**2])
    solved = scipy.integrate.solve_ivp(velocity, (begin, 20), first, rtol=1e-9, atol=1e-12).y[: len(CURVATURES), -1]
    np.testing.assert_allclose(flow_path(start, 0.8, 0.95, 0.01, 20)[-1, 0], solved, atol=2e-5)


def test_the_flow_goes_on_where_a_gradient_changes_sign_at_once() -> None:
    start = np.random.default_rng(1).standard_normal((4, len(CURVATURES)))
    start[:, ::2] *= 1e-3
    for betas in ((0.8, 0.95), (0.95, 0.8)):
        assert np.isfinite(flow_path(start, *betas, 0.03, 12)).all()
    near = np.linalg.norm(flow_path(start, 0.8, 0.95, 0.03, 12) - adam_path(start, 0.8, 0.95, 0.03, 12), axis=-1)
    assert near.max() < 0.1


def test_the_table_of_pairs_says_what_the_closed_forms_do(monkeypatch: pytest.MonkeyPatch) -> None:
    result = bounds(3)
    pairs = result.table("pairs").set_index(["beta1", "beta2"])
    assert len(pairs) == 64
    assert (pairs["ratio"] > 1).sum() == 36
    assert np.abs(pairs["attained"] - 1).max() < 1e-10
    assert pairs["largest"].max() <= 1 + 1e-12
    assert pairs["burst"].dropna().sub(1).abs().max() < 1e-10
    assert pairs.loc[(0.9, 0.999), "exchanged"] > 100
    assert pairs.loc[(0.5, 0.3), ["growth", "flow_growth"]].gt(0).tolist() == [False, True]
    line = result.table("line")
    np.testing.assert_allclose(line["slope"], line["growth"], rtol=1e-9)
    assert line["stability"].between(-0.05, 0).all()
    assert len(line) > 10
    other = bounds(4).table("pairs")["largest_late"]
    assert not other.equals(result.table("pairs")["largest_late"])
    # A stream that passes its bound would be seen.
    monkeypatch.setattr(streams, "bound", lambda *args: 0.5 * bound(*args))
    assert bounds(3).table("pairs")["largest"].max() == pytest.approx(2.0)
