"""Classes along an axis: means against loops, signs that do not flip, effects that are known."""

from __future__ import annotations

import numpy as np
import pytest

from mcinterp.analysis.representations import (
    ClassMeans,
    along,
    component_shares,
    components_along,
    effects_beside,
    isomap_along,
    turned_along,
)
from mcinterp.errors import InputError

RNG = np.random.default_rng(0)


def test_means_in_parts_are_those_of_loops_and_what_lacks_is_nan() -> None:
    states, classes = RNG.normal(size=(60, 3)), RNG.integers(0, 4, 60)
    cells = RNG.integers(-1, 3, 60)
    classes[cells == 2] = np.minimum(classes[cells == 2], 2)
    means = ClassMeans(3, 4, 3)
    for part in (slice(0, 25), slice(25, 60)):
        means.add(states[part], classes[part], cells[part])
    for cell in range(3):
        for name in range(4):
            own = states[(cells == cell) & (classes == name)]
            wanted = own.mean(0) if len(own) else np.full(3, np.nan)
            np.testing.assert_allclose(means.means[cell, name], wanted, rtol=1e-12)
    assert np.isnan(means.means[2, 3]).all()
    both = means.merged([slice(0, 2), slice(2, 3)])
    assert both.counts.sum() == (cells >= 0).sum()
    np.testing.assert_allclose(both.sums[0], means.sums[:2].sum(0))
    assert np.isnan(along(means.means, lambda own: float(own.sum()))[2])
    with pytest.raises(InputError, match="states must be"):
        means.add(states[:3], classes[:4], cells[:4])


def test_signs_follow_those_before() -> None:
    points = RNG.normal(size=(6, 5)) * [4, 2, 1, 0.5, 0.2]
    course = np.stack([(-1) ** step * points + 0.01 * step * RNG.normal(size=(6, 5)) for step in range(8)])
    found = components_along(course, 2)
    assert (np.einsum("cnk,cnk->ck", found[1:], found[:-1]) > 0).all()
    squares = (found**2).sum((1, 2))
    assert squares == pytest.approx([24.0] * 8, rel=10)
    lacking = course.copy()
    lacking[3, 2] = np.nan
    assert np.isnan(components_along(lacking, 2)[3, 2]).all()
    assert np.isfinite(np.delete(components_along(lacking, 2)[3], 2, 0)).all()


def test_planes_are_turned_onto_each_other() -> None:
    plane = RNG.normal(size=(7, 2))
    angles = RNG.uniform(0, 6, 5)
    turns = [np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) for a in angles]
    found = turned_along(np.stack([plane @ turn for turn in turns]))
    np.testing.assert_allclose(found, np.broadcast_to(found[0], found.shape), atol=1e-12)


def test_isomap_unrolls_a_curve() -> None:
    angle = np.linspace(0, 1.5 * np.pi, 30)
    spiral = np.stack([angle * np.cos(angle), angle * np.sin(angle), 0 * angle], 1)
    first = isomap_along(np.stack([spiral, spiral[::-1][::-1]]), neighbours=3, n=1)[:, :, 0]
    assert (np.diff(first[0]) > 0).all() or (np.diff(first[0]) < 0).all()
    np.testing.assert_allclose(first[0], first[1])
    few = np.full((1, 30, 3), np.nan)
    few[0, :3] = spiral[:3]
    assert np.isnan(isomap_along(few, neighbours=3)).all()


def test_shares_of_components_are_their_variances() -> None:
    points = RNG.normal(size=(9, 4))
    values = np.linalg.eigvalsh(np.cov(points.T))[::-1]
    np.testing.assert_allclose(component_shares(points)[:4], values / values.sum())


def test_effects_beside_another_label_are_those_that_were_put_in() -> None:
    own, other = RNG.normal(size=(5, 3)), 3 * RNG.normal(size=(4, 3))
    counts = RNG.integers(0, 9, size=(5, 4))
    counts[:, 0], counts[0] = 2, 3  # all are connected
    states = own[:, None] + other[None] + 0.7
    found = effects_beside(states * counts[..., None], counts)
    np.testing.assert_allclose(found, own - own.mean(0), atol=1e-10)
    # Means alone would be led astray, as labels are not alike for every class.
    means = (states * counts[..., None]).sum(1) / counts.sum(1)[:, None]
    assert np.abs(means - means.mean(0) - (own - own.mean(0))).max() > 0.1
