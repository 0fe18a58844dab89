"""What is known exactly: geometry of states that are mixtures of independent ones, on the graphs of the paper."""

from __future__ import annotations

from typing import Any

import numpy as np

from mcinterp.analysis.graph_geometry import (
    NodeGraph,
    dirichlet_energy,
    expected_squares,
    squares_explained,
    variance_in_low_modes,
)
from mcinterp.analysis.statistics import Floats
from mcinterp.config.graphs import graph_named
from mcinterp.results import Result, Table

NULLS = "nulls"
GRAPHS = ("ring:7", "ring:11", "ring:12", "grid:3x4", "grid:4x4", "hex:4x6", "circulant:12")
COLUMNS = {
    "graph": "which",
    "states": "what the states are made of: of independent ones of the same size",
    "energy": "mean squared distance of neighbours over that of all pairs, in expectation",
    "in_modes": "share of the variance in the graph's second and third eigenvectors, in expectation",
    "explained": "η² of the expected squared distances; 0 where they are all the same",
    "least": "energy of the two eigenvectors themselves, the least that a plane can have",
}
OWN, MIXED, APART, PREDICTION, DIFFERENCE = (
    "the node",
    "node and neighbours in one space",
    "node and neighbours in two spaces",
    "neighbours alone",
    "node less neighbours",
)


def mixtures(graph: NodeGraph) -> dict[str, Floats]:
    """What states may be made of, each (node, source)."""
    own, near = np.eye(graph.n), graph.mixing(0.0)
    return {OWN: own, MIXED: own + near, APART: np.hstack([own, near]), PREDICTION: near, DIFFERENCE: own - near}


def nulls() -> Result:
    """The exact values, a row for every graph and mixture."""
    rows = [row for name in GRAPHS for row in _rows(name)]
    return Result(NULLS, "What mixing alone would give, exactly", {}, {}, {"nulls": Table.of(COLUMNS, rows)})


def _rows(name: str) -> list[dict[str, Any]]:
    graph = NodeGraph.of(graph_named(name))
    least = dirichlet_energy(graph.low_modes, graph)
    return [
        {
            "graph": name,
            "states": made,
            # Of independent states expectations are those of the mixture's own points.
            "energy": dirichlet_energy(mixture, graph),
            "in_modes": variance_in_low_modes(mixture, graph),
            "explained": float(np.nan_to_num(squares_explained(expected_squares(mixture), graph))),
            "least": least,
        }
        for made, mixture in mixtures(graph).items()
    ]
