"""Follow a model along walks through a graph whose nodes have tokens of their own: states by node, and predictions.

For each of several labellings, which say what token each node has, many walks are read. States are averaged over walks
by node and by the length of context, so that what is seen is the context's and not one walk's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from mcinterp.analysis.representations import ClassMeans, Ints
from mcinterp.analysis.statistics import Floats
from mcinterp.language.model import StateModel
from mcinterp.task.walks import random_walks

READ_AT_ONCE = 2**15
"""Tokens of walks that are read together, at most."""


@dataclass(frozen=True)
class Walks:
    """Walks through a graph.

    Attributes:
        nodes: (walk, pos).
        labels: the token of each node, (node,).
        edges: whether two nodes are neighbours, (node, node).
    """

    nodes: Ints
    labels: Ints
    edges: np.ndarray

    @classmethod
    def drawn(cls, edges: np.ndarray, labels: Ints, n: int, length: int, seed: int) -> Walks:
        """So many walks of so many nodes; first nodes come equally often, to one or less."""
        generator = torch.Generator().manual_seed(seed)
        start = torch.arange(n) % len(edges)
        nodes = random_walks(torch.from_numpy(edges)[None], torch.zeros(n).long(), length, generator, start)
        return cls(nodes.numpy(), labels, edges)

    @property
    def tokens(self) -> Ints:
        """(walk, pos)."""
        return self.labels[self.nodes]

    def near(self) -> np.ndarray:
        """Whether a node is a neighbour of the current one, (walk, pos, node)."""
        return self.edges[self.nodes]

    def previous(self) -> np.ndarray:
        """Whether a node is the one before the current one, (walk, pos, node); none at the first."""
        found = np.zeros((*self.nodes.shape, len(self.edges)), dtype=bool)
        np.put_along_axis(found[:, 1:], self.nodes[:, :-1, None], True, axis=-1)
        return found


@dataclass(frozen=True)
class Trace:
    """What a model does along walks of one labelling.

    Attributes:
        walks: them.
        layers: states by cell and node, before every block and after the last.
        pairs: the same of late positions by current and previous node, (1, node · node, d); none where not asked for.
        unrelated: the same with a node in place of the previous one that was drawn at random.
        probabilities: of every node's token, (walk, pos, node).
    """

    walks: Walks
    layers: tuple[ClassMeans, ...]
    pairs: tuple[ClassMeans, ...]
    unrelated: tuple[ClassMeans, ...]
    probabilities: Floats


def trace(
    model: StateModel,
    walks: Walks,
    cells: Ints,
    effects: bool = True,
    late: int = 1,
    done: Callable[[int], Any] = lambda n: None,
    seed: int = 0,
) -> Trace:
    """Read walks.

    Args:
        model: what reads.
        walks: of one labelling.
        cells: for each position the cell that its states are averaged in, (pos,); a later one is not less.
        effects: whether states are also summed up by pairs of nodes; else there are no pairs.
        late: position that these pairs begin at.
        done: told the number of walks read.
        seed: of the nodes in place of the previous ones.
    """
    n = len(walks.edges)
    after = np.concatenate([np.full((len(walks.nodes), 1), -1), walks.nodes[:, :-1]], 1)
    counted = np.where(np.arange(len(cells)) >= max(late, 1), 0, -1)
    drawn = np.random.default_rng(seed).integers(0, n, walks.nodes.shape)
    every = range(model.n_layers + 1)
    layers = tuple(ClassMeans(int(cells.max()) + 1, n, model.d_model) for _ in every)
    pairs, unrelated = (tuple(ClassMeans(1, n * n, model.d_model) for _ in every if effects) for _ in range(2))
    probabilities = []
    for part, states, mass in _read(model, walks):
        nodes, spread = walks.nodes[part].ravel(), np.broadcast_to(cells, walks.nodes[part].shape).ravel()
        last = np.broadcast_to(counted, walks.nodes[part].shape).ravel()
        for layer, state in enumerate(states):
            flat = state.flatten(0, 1).cpu().float().numpy()
            layers[layer].add(flat, nodes, spread)
            if not effects:
                continue
            pairs[layer].add(flat, nodes * n + np.maximum(after[part].ravel(), 0), last)
            unrelated[layer].add(flat, nodes * n + drawn[part].ravel(), last)
        probabilities.append(mass.double().cpu().numpy())
        done(len(walks.nodes[part]))
    return Trace(walks, layers, pairs, unrelated, np.concatenate(probabilities))


def _read(
    model: StateModel, walks: Walks
) -> Iterator[tuple[slice, list[Float[Tensor, "n pos d"]], Float[Tensor, "n pos node"]]]:
    """States and probabilities of parts of the walks; of a token that texts begin with, nothing."""
    tokens = torch.from_numpy(walks.tokens).to(model.device)
    begin = model.begin_token
    step = max(1, READ_AT_ONCE // tokens.shape[1])
    for first in range(0, len(tokens), step):
        part = slice(first, first + step)
        own: Int[Tensor, "n pos"] = tokens[part]
        if begin is not None:
            own = torch.cat([torch.full_like(own[:, :1], begin), own], 1)
        states, mass = model.states(own, walks.labels.tolist())
        shown = slice(0 if begin is None else 1, None)
        yield part, [state[:, shown] for state in states], mass[:, shown]


def neighbour_mass(trace: Trace) -> Floats:
    """Probability of the current node's neighbours, (walk, pos)."""
    return np.asarray((trace.probabilities * trace.walks.near()).sum(-1))


def other_neighbour_mass(trace: Trace) -> Floats:
    """Share of what is not on the node before that is on the current node's other neighbours, (walk, pos).

    The node before is always a neighbour: to go back to it takes no memory of the graph. NaN where all is on it, and
    where there is no other neighbour.
    """
    near, previous = trace.walks.near(), trace.walks.previous()
    back = (trace.probabilities * previous).sum(-1)
    others = near & ~previous
    with np.errstate(invalid="ignore", divide="ignore"):
        share = (trace.probabilities * others).sum(-1) / (1 - back)
    return np.where(others.any(-1) & (1 - back > 1e-12), share, np.nan)


def doubling_windows(n: int) -> list[tuple[int, int]]:
    """Contexts [0, 1), [1, 2), [2, 4), [4, 8), … up to n; a last one that would be short joins the one before."""
    edges = [0, 1]
    while edges[-1] < n:
        edges.append(min(2 * edges[-1], n))
    if len(edges) > 3 and edges[-1] - edges[-2] < (edges[-2] - edges[-3]) / 2:
        del edges[-2]
    return list(pairwise(edges))


def cells_of(windows: Sequence[tuple[int, int]]) -> Ints:
    """For each position the number of its window, (pos,)."""
    return np.repeat(np.arange(len(windows)), [end - begin for begin, end in windows])


def memory_mass(walks: Walks, both_ways: bool) -> tuple[Floats, Floats]:
    """What `neighbour_mass` and `other_neighbour_mass` are of a memory of what followed what, each (walk, pos).

    Args:
        walks: that are remembered, each alone.
        both_ways: whether also of what came before what.
    """
    n = len(walks.edges)
    followed = np.zeros((len(walks.nodes), n, n), dtype=bool)
    row, found = np.arange(len(walks.nodes)), np.empty((*walks.nodes.shape, n))
    for place, node in enumerate(walks.nodes.T):
        if place:
            before = walks.nodes[:, place - 1]
            followed[row, before, node] = True
            if both_ways:
                followed[row, node, before] = True
        known = followed[row, node].astype(float)
        some = known.sum(1, keepdims=True)
        found[:, place] = np.where(some > 0, known / np.maximum(some, 1), (np.arange(n) != node[:, None]) / (n - 1))
    likened = Trace(walks, (), (), (), found)
    return neighbour_mass(likened), other_neighbour_mass(likened)
