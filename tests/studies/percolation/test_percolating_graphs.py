"""Percolation: the closed form, graphs that are drawn, slopes, and when curves come to a level."""

from __future__ import annotations

import math
from typing import Any

import networkx as nx
import numpy as np
import pytest
import torch

from mcinterp.studies.percolation.config import LanguageConfig
from mcinterp.studies.percolation.crossings import first_crossing, over_networks, smoothed
from mcinterp.studies.percolation.graph import component_sizes, said_pairs
from mcinterp.studies.percolation.graphs import graphs
from mcinterp.studies.percolation.percolation import (
    components,
    drawn_edges,
    draws_for,
    edges_to_join,
    giant_shares,
    peak,
    slope,
    threshold,
)
from mcinterp.studies.percolation.shift import bend


@pytest.mark.parametrize(("entities", "descriptors", "scale"), [(400, 1600, 1.25), (15, 320, 2.0), (50, 50, 1.01)])
def test_the_giant_component_solves_its_two_equations(entities: int, descriptors: int, scale: float) -> None:
    edges = scale * threshold(entities, descriptors)
    a, b = giant_shares(entities, descriptors, edges)
    assert 0 < a < 1
    assert a == pytest.approx(1 - math.exp(-edges / entities * b), rel=1e-9)
    assert b == pytest.approx(1 - math.exp(-edges / descriptors * a), rel=1e-9)


def test_there_is_none_up_to_the_threshold_and_a_known_one_of_equal_sides() -> None:
    assert giant_shares(400, 1600, 800) == (0.0, 0.0)
    assert giant_shares(400, 1600, 0) == (0.0, 0.0)
    # Of two equal sides it is that of a graph of mean degree 2, whose giant share is known.
    assert giant_shares(100, 100, 200) == pytest.approx((0.796812, 0.796812), abs=1e-6)


def test_edges_to_join_a_share_are_those_at_which_it_is_joined() -> None:
    for joined in (0.01, 0.25, 0.5, 0.9):
        a, b = giant_shares(15, 80, edges_to_join(15, 80, joined))
        assert a * b == pytest.approx(joined, rel=1e-8)


def test_draws_with_replacement_have_as_many_different_pairs() -> None:
    rng = np.random.default_rng(0)
    draws = draws_for(60.0, 100.0)
    different = [len(set(rng.integers(100, size=round(draws)))) for _ in range(400)]
    assert np.mean(different) == pytest.approx(60, abs=0.6)
    assert draws_for(100.0, 100.0) == math.inf


def test_components_are_those_of_a_graph_library() -> None:
    rng = np.random.default_rng(1)
    left, right = drawn_edges(20, 30, 26, rng)
    assert len(set(zip(left, right, strict=True))) == 26
    graph = nx.Graph()
    graph.add_nodes_from([("e", at) for at in range(20)] + [("d", at) for at in range(30)])
    graph.add_edges_from((("e", int(a)), ("d", int(b))) for a, b in zip(left, right, strict=True))
    parts = sorted(nx.connected_components(graph), key=len, reverse=True)
    assert len(parts[0]) > len(parts[1])
    sizes = np.array([len(part) for part in parts[1:]])
    found = components(20, 30, left, right)
    assert found.entities == sum(kind == "e" for kind, _ in parts[0]) / 20
    assert found.descriptors == sum(kind == "d" for kind, _ in parts[0]) / 30
    assert found.susceptibility == pytest.approx((sizes**2).sum() / sizes.sum())


def test_one_component_leaves_nothing_beside_it() -> None:
    every = np.arange(6)
    assert components(2, 3, every // 3, every % 3).susceptibility == 0


def test_the_others_are_largest_near_the_threshold() -> None:
    rng = np.random.default_rng(2)
    found = [peak(200, 400, np.linspace(0.4, 3, 27), rng) / threshold(200, 400) for _ in range(10)]
    assert 0.8 < np.mean(found) < 1.5


def test_slopes_are_powers() -> None:
    x = np.array([20.0, 40, 80, 160, 320])
    assert slope(x, 7 * x**0.4) == pytest.approx(0.4)
    assert math.isnan(slope(x, [1, 2, math.nan, 4, 5]))
    assert math.isnan(slope([1.0], [2.0]))
    assert bend(x, 3 * x**0.7) == pytest.approx(0, abs=1e-12)
    steeper = np.where(x <= 80, x**0.3, 80**-0.2 * x**0.5)
    assert bend(x, steeper) == pytest.approx(0.2)


def test_one_descriptor_each_makes_stars_and_two_join_a_class() -> None:
    base: dict[str, Any] = {"entities": 60, "descriptors": 20, "language": "pairs"}
    one = component_sizes(said_pairs(LanguageConfig(**base, share=1 / 20)), 80)
    assert 60 < len(one) <= 80
    assert one.sum() == 240 + len(one)
    two = component_sizes(said_pairs(LanguageConfig(**base, share=2 / 20)), 80)
    assert len(two) == 4
    assert two.max() <= 80


def test_component_sizes_of_a_graph_by_hand() -> None:
    pairs = torch.tensor([[0, 1], [1, 2], [4, 4]])
    assert component_sizes(pairs, 6).tolist() == [5, 2]


def test_a_level_is_reached_the_first_time_between_two_points() -> None:
    steps = np.array([0.0, 10, 20, 30, 40])
    assert first_crossing(steps, np.array([0.0, 0.2, 0.6, 0.3, 0.9]), 0.5) == pytest.approx(17.5)
    assert first_crossing(steps, np.array([0.0, 0.2, math.nan, 0.6, 0.9]), 0.5) == pytest.approx(25)
    assert math.isnan(first_crossing(steps, np.array([0.0, 0.1, 0.2, 0.3, 0.4]), 0.5))
    assert math.isnan(first_crossing(steps, np.full(5, 0.9), 0.5))
    assert math.isnan(first_crossing(steps, np.full(5, math.nan), 0.5))


def test_curves_are_averaged_over_the_steps_around_that_have_a_value() -> None:
    curve = np.random.default_rng(3).random(40)
    curve[[4, 20, 21]] = math.nan
    slow = [np.nanmean(curve[max(0, at - 5) : at + 6]) for at in range(40)]
    np.testing.assert_allclose(smoothed(curve), slow)
    np.testing.assert_allclose(smoothed(np.array([0.0, 3, 6, math.nan, 2]), 3), [1.5, 3, 4.5, 4, 2])
    gap = np.full(30, math.nan)
    gap[0] = 1.0
    assert np.isnan(smoothed(gap)[6:]).all()


def test_a_mean_over_networks_leaves_no_failure_out() -> None:
    assert float(over_networks([1.0, 2.0, 3.0]).value) == 2
    assert np.isnan(over_networks([1.0, math.nan]).value)
    assert np.isnan(over_networks([]).value)


def test_drawn_graphs_agree_with_the_closed_form_and_the_threshold_has_the_root(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mcinterp.studies.percolation.graphs.PEAK_SCALES", np.linspace(0.7, 1.7, 11))
    result = graphs(4, 0)
    shares = result.table("shares").set_index(["nodes", "scale"])
    for nodes in (400, 2000):
        here = shares.loc[nodes]
        assert here.loc[3.0, "entities"] == pytest.approx(here.loc[3.0, "entities_closed"], abs=0.02)
        assert here.loc[0.5, "entities_closed"] == 0
    line = result.table("closed").set_index("scale")
    assert line.loc[2.0, "joined"] == pytest.approx(shares.loc[(2000, 2.0), "joined_closed"], abs=1e-6)
    slopes = result.table("slopes").set_index(["entities", "measure"])["slope"]
    assert slopes[400, "threshold"] == pytest.approx(0.5)
    assert slopes[15, "threshold"] == pytest.approx(0.5)
    assert slopes[15, "pairs joined: 0.5"] > slopes[400, "pairs joined: 0.5"] > 0.5
    assert 0.3 < slopes[400, "peak, drawn"] < 0.7
    assert graphs(4, 0).table("peaks").equals(result.table("peaks"))
