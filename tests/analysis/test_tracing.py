"""Walks and what models do along them, with models whose states and probabilities are known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from mcinterp.analysis.graph_geometry import NodeGraph, dirichlet_energy
from mcinterp.analysis.traced_geometry import (
    effect_table,
    fitted_mixing,
    geometry_table,
    mixing_course,
    pictures,
    predecessor_shares,
    prediction_table,
)
from mcinterp.analysis.tracing import Trace, Walks, cells_of, doubling_windows, memory_mass, other_neighbour_mass, trace
from mcinterp.config.graphs import graph_named
from mcinterp.errors import InputError
from mcinterp.language.words import read_words, single_tokens

GRAPH = NodeGraph.of(graph_named("ring:7"))
N = 12


class Mixes:
    """A model whose states are the embedding of the current token, and that plus the one before it."""

    name, n_layers, d_model, n_parameters, n_positions, begin_token = "mixes", 1, 64, 0, None, 9
    device = torch.device("cpu")

    def __init__(self) -> None:
        self.embedding = torch.randn(10, 64, generator=torch.Generator().manual_seed(0))

    def states(self, tokens: Tensor, wanted: Sequence[int]) -> tuple[list[Tensor], Tensor]:
        own = self.embedding[tokens]
        before = torch.cat([torch.zeros_like(own[:, :1]), own[:, :-1]], 1)
        before[:, :2] = 0  # what texts begin with adds nothing
        return [own, own + before], torch.full((*tokens.shape, len(wanted)), 0.1)

    def read(self, text: str) -> list[int]:
        return [ord(letter) for letter in text]

    def spell(self, tokens: Sequence[int]) -> str:
        return "".join(map(chr, tokens))


@pytest.fixture(scope="module")
def traces() -> list[Trace]:
    windows = doubling_windows(N)
    deals = [np.random.default_rng(seed).permutation(9)[:7] for seed in range(3)]
    walks = [Walks.drawn(GRAPH.edges, deal, 140, N, seed) for seed, deal in enumerate(deals)]
    return [trace(Mixes(), own, cells_of(windows), late=2) for own in walks]


def test_windows_double_and_cover_all() -> None:
    assert doubling_windows(48) == [(0, 1), (1, 2), (2, 4), (4, 8), (8, 16), (16, 32), (32, 48)]
    assert doubling_windows(33) == [(0, 1), (1, 2), (2, 4), (4, 8), (8, 16), (16, 33)]
    assert cells_of(doubling_windows(6)).tolist() == [0, 1, 2, 2, 3, 3]


def test_states_are_averaged_by_node_and_mixing_is_seen_and_taken_out(traces: list[Trace]) -> None:
    first = traces[0]
    embedding = Mixes().embedding.numpy()
    np.testing.assert_allclose(first.layers[0].means[2], embedding[first.walks.labels], atol=1e-5)
    windows = doubling_windows(N)
    groups = [slice(place, place + 1) for place in range(len(windows))]
    geometry = geometry_table(traces, GRAPH, windows, groups).frame.set_index(["layer", "begin"])
    exact = dirichlet_energy(GRAPH.mixing(), GRAPH)
    assert geometry.loc[(1, 4), "energy"] == pytest.approx(exact, abs=0.12)
    assert geometry.loc[(1, 4), "above_chance_low"] > 0
    assert geometry.loc[(1, 0), "energy"] == pytest.approx(geometry.loc[(0, 4), "energy"], abs=1e-6)
    effects = effect_table(traces, GRAPH).frame.set_index(["layer", "removed"])
    assert effects.loc[(1, "previous node"), "explained"] == pytest.approx(
        effects.loc[(0, "previous node"), "means"], abs=1e-6
    )
    assert effects.loc[(1, "a node drawn at random"), "change"] == pytest.approx(0, abs=0.05)
    share = predecessor_shares(first.walks, [slice(2, N)])
    own, course = mixing_course(
        first, 1, GRAPH, [slice(0, 1), slice(1, 2), slice(2, N)], fitted_mixing(GRAPH.mixing(), share[0])
    )
    assert own == pytest.approx(1, abs=0.15)
    assert course[0] == 0
    assert course[1:].min() > 0.9
    plane, shares = pictures(first, groups)
    assert plane.shape == (2, len(windows), 7, 2)
    assert ((shares > 0) & (shares < 1)).all()


def test_predictions_stand_beside_memories(traces: list[Trace]) -> None:
    rows = prediction_table(traces, doubling_windows(N)).frame
    assert rows["mass"].tolist() == pytest.approx([0.2] * len(rows), abs=1e-6)
    assert rows["directed"].iloc[0] == pytest.approx(1 / 3)
    assert rows["directed"].is_monotonic_increasing
    assert rows["undirected"].iloc[1:].tolist() == pytest.approx([1.0] * (len(rows) - 1))
    walks = Walks(np.array([[0, 1, 0, 1, 2]]), np.arange(7), GRAPH.edges)
    mass, other = memory_mass(walks, both_ways=False)
    assert mass[0].tolist() == pytest.approx([1 / 3, 1 / 3, 1, 1, 1 / 3])
    assert np.isnan(other[0, 3])  # all is on the node before
    spread = Trace(walks, (), (), (), np.full((1, 5, 7), 1 / 7))
    assert other_neighbour_mass(spread)[0].tolist() == pytest.approx([2 / 7, 1 / 6, 1 / 6, 1 / 6, 1 / 6])


def test_words_must_be_one_token_each(tmp_path: Path) -> None:
    file = tmp_path / "words.txt"
    file.write_text("a\n\n b \nc\n")
    assert read_words(file) == ["a", "b", "c"]
    assert single_tokens(Mixes(), ["a", "b", "c"], 3) == [97, 98, 99]
    with pytest.raises(InputError, match="'bc' is 3 tokens of this model"):
        single_tokens(Mixes(), ["a", "bc", "d"], 3)
    with pytest.raises(InputError, match="are the same token"):
        single_tokens(Mixes(), ["a", "b", "a"], 3)
    with pytest.raises(InputError, match="has 4 nodes, each with a word of its own, and there are 3"):
        single_tokens(Mixes(), ["a", "b", "c"], 4)
    with pytest.raises(InputError, match="cannot be read"):
        read_words(tmp_path / "none.txt")
