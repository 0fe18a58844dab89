"""How far any language model takes the geometry of a graph that it reads walks through, layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcinterp.analysis.graph_geometry import NodeGraph
from mcinterp.analysis.traced_geometry import (
    AXES,
    described,
    effect_table,
    geometry_table,
    pictures,
    prediction_table,
)
from mcinterp.analysis.tracing import Walks, cells_of, doubling_windows, trace
from mcinterp.config.graphs import NamedGraph
from mcinterp.errors import InputError
from mcinterp.language.model import StateModel
from mcinterp.results import Result

GRAPH_TRACE = "graph-trace"
FLOAT = 8
"""Bytes of a number of the sums."""


@dataclass(frozen=True)
class TracePlan:
    """What is going to be read.

    Attributes:
        model: what reads.
        shape: the graph.
        words: the words of the nodes, of which each labelling deals as many as there are nodes.
        tokens: of the words.
        labellings: ways of dealing them.
        walks: of each, from every node alike.
        length: tokens of a walk.
        seed: of labellings and walks.
    """

    model: StateModel
    shape: NamedGraph
    words: Sequence[str]
    tokens: Sequence[int]
    labellings: int
    walks: int
    length: int
    seed: int

    def __post_init__(self) -> None:
        most, begins = self.model.n_positions, self.model.begin_token is not None
        if most is not None and self.length + begins > most:
            room = most - begins
            raise InputError(
                f"walks of {self.length} tokens are longer than the model's {room} positions leave room for"
            )
        if self.length < 4 or self.walks < 1 or self.labellings < 1:
            raise InputError("at least 4 tokens a walk, a walk and a labelling are needed")

    @property
    def n_tokens(self) -> int:
        """That are read in all."""
        return self.labellings * self.walks * (self.length + (self.model.begin_token is not None))

    @property
    def operations(self) -> float:
        """Multiplications and additions of weights that this takes, about."""
        return 2.0 * self.n_tokens * self.model.n_parameters

    @property
    def sum_bytes(self) -> int:
        """Memory of the sums of states, of all labellings."""
        n, layers = self.shape.n, self.model.n_layers + 1
        cells = len(doubling_windows(self.length)) * n + 2 * n * n
        return FLOAT * self.labellings * layers * cells * self.model.d_model


def graph_trace(plan: TracePlan, done: Callable[[int], Any] = lambda n: None) -> Result:
    """Read walks of several labellings, and measure geometry and predictions by context.

    Args:
        plan: what is read.
        done: told the number of walks read.

    Returns:
        tables `geometry`, `predictions`, `effects`; arrays `plane`, `plane_share` of the first labelling.
    """
    graph, windows = NodeGraph.of(plan.shape), doubling_windows(plan.length)
    groups, cells = [slice(place, place + 1) for place in range(len(windows))], cells_of(windows)
    generator, tokens, traces = np.random.default_rng(plan.seed), np.array(plan.tokens), []
    deals = [generator.permutation(len(tokens))[: graph.n] for _ in range(plan.labellings)]
    for number, deal in enumerate(deals):
        walks = Walks.drawn(graph.edges, tokens[deal], plan.walks, plan.length, plan.seed + number)
        traces.append(trace(plan.model, walks, cells, late=plan.length // 2, done=done))
    plane, share = pictures(traces[0], groups)
    tables = {
        "geometry": geometry_table(traces, graph, windows, groups),
        "predictions": prediction_table(traces, windows),
        "effects": effect_table(traces, graph),
    }
    labels = [plan.words[place] for place in deals[0]]
    arrays, title = {"plane": plane, "plane_share": share}, "What states and predictions become as context grows"
    return Result(GRAPH_TRACE, title, _settings(plan), _facts(plan, labels), tables, arrays)


def _settings(plan: TracePlan) -> Mapping[str, Any]:
    return {"labellings": plan.labellings, "walks": plan.walks, "length": plan.length, "seed": plan.seed}


def _facts(plan: TracePlan, labels: Sequence[str]) -> Mapping[str, Any]:
    windows = doubling_windows(plan.length)
    return {
        "model": plan.model.name,
        "graph": plan.shape.name,
        "edges": [list(edge) for edge in plan.shape.edges],
        "labels": list(labels),
        "layers": plan.model.n_layers,
        "windows": described(windows),
        "last": windows[-1][0],
        "begins": plan.model.begin_token is not None,
        "axes": {name: list(axes) for name, axes in AXES.items()},
    }
