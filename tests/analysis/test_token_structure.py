"""What is said of token embeddings, on embeddings whose structure is known by construction."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mcinterp.analysis.passes.embeddings import principal_components
from mcinterp.analysis.passes.geometry import grouping
from mcinterp.analysis.passes.token_structure import TokenStructure, norm_symmetry, token_structure
from mcinterp.analysis.statistics import Floats

VALUES = np.arange(-100, 101) / 100


def measured(tokens: Floats, values: Floats = VALUES) -> TokenStructure:
    centred = tokens - tokens.mean(0)
    return token_structure(tokens, values, centred @ principal_components(tokens).T)


def embedded(*coordinates: Floats, noise: float = 0.0) -> Floats:
    """Tokens (token, 32) with these coordinates along directions of their own, and noise in all."""
    generator = np.random.default_rng(0)
    directions = np.linalg.qr(generator.normal(size=(32, len(coordinates))))[0]
    return np.column_stack(coordinates) @ directions.T + noise * generator.normal(size=(len(coordinates[0]), 32))


def test_the_structure_that_the_paper_draws() -> None:
    """Magnitude along the first component, sign along the second, norms alike for ±v: all four measures are at 1."""
    found = measured(embedded(3 * np.abs(VALUES), 0.5 * np.sign(VALUES)))
    assert found.norm_symmetry == pytest.approx(1)
    assert found.sign_separable == 1
    assert found.magnitude_order > 0.99
    assert found.continuity > 0.99


def test_a_line_of_values_has_no_direction_of_magnitude() -> None:
    found = measured(embedded(VALUES, noise=0.01))
    assert found.sign_separable > 0.97
    assert abs(found.magnitude_order) < 0.3
    assert found.continuity > 0.95


def test_magnitude_without_sign() -> None:
    found = measured(embedded(np.abs(VALUES), noise=0.01))
    assert found.magnitude_order > 0.99
    assert abs(found.sign_separable - 0.5) < 0.1


def test_signs_in_two_heaps_have_no_order() -> None:
    found = measured(embedded(np.sign(VALUES), noise=0.05))
    assert found.sign_separable > 0.99
    assert abs(found.continuity) < 0.2
    assert abs(found.magnitude_order) < 0.3


def test_random_embeddings_have_none_of_it() -> None:
    all_found = [measured(np.random.default_rng(seed).normal(size=(201, 64))) for seed in range(30)]
    for name, null in (("norm_symmetry", 0.0), ("sign_separable", 0.5), ("continuity", 0.0)):
        values = [getattr(found, name) for found in all_found]
        assert abs(np.mean(values) - null) < 0.06, name


def test_norms_of_one_sign_only_are_not_symmetric() -> None:
    """Larger for v than for −v by chance alone: no agreement; by as much at every v: less than none."""
    norms = 1 + 0.3 * np.random.default_rng(1).normal(size=201)
    assert abs(norm_symmetry(norms, VALUES)) < 0.25
    assert norm_symmetry(np.where(VALUES > 0, 2.0, 1.0), VALUES) == pytest.approx(-1)
    assert norm_symmetry(np.abs(VALUES), VALUES) == pytest.approx(1)


def test_the_agreement_is_the_intraclass_correlation() -> None:
    norms = np.random.default_rng(2).normal(size=7) + 5
    values = np.array([-3.0, -2, -1, 0, 1, 2, 3])
    first, second = norms[[4, 5, 6]], norms[[2, 1, 0]]
    mean = (first.mean() + second.mean()) / 2
    variance = (((first - mean) ** 2).sum() + ((second - mean) ** 2).sum()) / 6
    assert norm_symmetry(norms, values) == pytest.approx(((first - mean) * (second - mean)).mean() / variance)


def test_what_cannot_be_told_is_empty() -> None:
    one_sign = measured(np.random.default_rng(3).normal(size=(50, 8)), np.arange(1.0, 51))
    assert np.isnan(one_sign.sign_separable)
    assert np.isnan(one_sign.norm_symmetry)
    assert np.isfinite(one_sign.continuity)
    alike = token_structure(np.ones((201, 8)), VALUES, np.zeros((201, 2)))
    assert all(np.isnan(value) for value in vars(alike).values())
    assert np.isnan(norm_symmetry(np.ones(1), np.zeros(1)))


COLUMNS = np.tile(np.arange(5), 5)
Grouped = Callable[[float, np.random.Generator, float], Floats]


@pytest.fixture
def grouped(monkeypatch: pytest.MonkeyPatch) -> Grouped:
    """Positions (25, 64) in columns, by the columns' share of their scatter and over how few directions it falls."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    simulated: Grouped = importlib.import_module("interval_coverage").grouped
    return simulated


@pytest.mark.parametrize("falls", [4, 1000])
@pytest.mark.parametrize("share", [0.0, 0.2])
def test_the_interval_of_a_grouping_covers(grouped: Grouped, share: float, falls: float) -> None:
    generator = np.random.default_rng(4)
    found = [grouping(grouped(share, generator, falls), COLUMNS, 100, seed) for seed in range(80)]
    truth = np.mean([one.excess for one in found])
    covered = np.mean([one.excess_low <= truth <= one.excess_high for one in found])
    assert covered >= 0.83


def test_no_grouping_is_rejected_as_often_as_said_and_a_detectable_one_is_found(grouped: Grouped) -> None:
    generator = np.random.default_rng(5)
    null = [grouping(grouped(0.0, generator, 1000), COLUMNS, 100, seed) for seed in range(150)]
    assert np.mean([one.p_value <= 0.05 for one in null]) < 0.1
    needed = float(np.mean([one.detectable for one in null]))
    seen = [grouping(grouped(1.1 * needed / (1 - 1 / 6), generator, 1000), COLUMNS, 100, seed) for seed in range(60)]
    assert np.mean([one.excess >= needed for one in seen]) > 0.5
    assert np.mean([one.p_value <= 0.05 for one in seen]) > 0.75
