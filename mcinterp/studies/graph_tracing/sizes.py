"""How much context a ring of each size takes, for one network that traces rings of all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mcinterp.analysis.statistics import Floats, interval_columns
from mcinterp.analysis.traced_geometry import over
from mcinterp.analysis.tracing import Walks, memory_mass, other_neighbour_mass, trace
from mcinterp.results import Result, Table
from mcinterp.studies.graph_tracing.moments import half_level
from mcinterp.studies.graph_tracing.runs import LABELLINGS, RINGS, WALKS, Network

CRITICAL = "sizes"
SIZE_COLUMNS = {
    "nodes": "of the ring",
    "n": "labellings; 95 % t intervals are over them",
    **interval_columns("critical", "tokens seen where the model is half-way from its first level to its last"),
    **interval_columns("memory", "the same of a memory of what followed each token, on the same walks"),
    **interval_columns("last", "the model's level in the last quarter of the context"),
}
SLOPE_COLUMNS = {
    "of": "whose",
    "n": "labellings; 95 % t intervals are over them",
    **interval_columns("slope", "of the logarithm of the critical context over that of the number of nodes"),
}
MODEL, MEMORY, DIFFERENCE = "model", "directed memory", "model less memory"


def sizes(rings: Mapping[int, Network]) -> Result:
    """Critical contexts of rings of several sizes, by the share of what is not on the node before.

    Args:
        rings: a network that traces all of them, on each ring, by its nodes.
    """
    rows, critical = [], np.empty((2, LABELLINGS, len(RINGS)))
    for place, n in enumerate(RINGS):
        found = np.array([_of(rings[n], number) for number in range(LABELLINGS)])
        critical[:, :, place] = found[:, :2].T
        columns = zip(("critical", "memory", "last"), found.T, strict=True)
        rows.append({"nodes": n, "n": LABELLINGS} | {k: v for name, of in columns for k, v in over(of, name).items()})
    slopes = np.array([[_slope(own) for own in each] for each in critical])
    named = {MODEL: slopes[0], MEMORY: slopes[1], DIFFERENCE: slopes[0] - slopes[1]}
    tables = {
        "rings": Table.of(SIZE_COLUMNS, rows),
        "slopes": Table.of(SLOPE_COLUMNS, [_slope_row(name, of) for name, of in named.items()]),
    }
    facts = {"length": rings[RINGS[0]].length, "walks": WALKS}
    return Result(CRITICAL, "How much context a larger ring takes", {}, facts, tables)


def _of(network: Network, number: int) -> tuple[float, float, float]:
    """Critical contexts of model and memory, and the model's last level, of one labelling."""
    generator = np.random.default_rng(number)
    labels = generator.permutation(network.checkpoint.task.d_vocab)[: network.graph.n]
    walks: Walks = network.walks(labels, number)
    found = trace(network.language, walks, np.zeros(network.length, dtype=np.int64), effects=False)
    curve = np.nanmean(_quiet(other_neighbour_mass(found)), 0)
    memory = np.nanmean(_quiet(memory_mass(walks, both_ways=False)[1]), 0)
    return half_level(curve), half_level(memory), float(curve[-(len(curve) // 4) :].mean())


def _quiet(values: Floats) -> Floats:
    """Values with at least one a position; the first walk's is 0 where none has any."""
    empty = ~np.isfinite(values).any(0)
    values = values.copy()
    values[0, empty] = 0.0
    return values


def _slope(critical: Floats) -> float:
    return float(np.polyfit(np.log(RINGS), np.log(critical), 1)[0])


def _slope_row(name: str, slopes: Floats) -> dict[str, Any]:
    return {"of": name, "n": len(slopes), **over(slopes, "slope")}
