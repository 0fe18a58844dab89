"""Whether reach takes a graph that joins a class: one descriptor an entity or two, and a class-free language."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from mcinterp.analysis.statistics import interval_columns, mean_estimate
from mcinterp.results import Result, Table
from mcinterp.studies.percolation.crossings import BETWEEN, over_networks, smoothed
from mcinterp.studies.percolation.exam import reach_of
from mcinterp.studies.percolation.graph import component_sizes, said_pairs
from mcinterp.studies.percolation.runs import ABOUT_COLUMNS, CLASS_FREE, ONE, PRESET, TWO, Network, of_role

CONNECTED = "connected"

GRAPH_COLUMNS = {
    **ABOUT_COLUMNS,
    "language": "full, or pairs only",
    "degree": "descriptors that every entity is said to have",
    "components": "of the graph of all pairs that are said, those that have an edge",
    "largest": "nodes of the largest",
    "class_nodes": "E + K: nodes of a class",
    "step": "of the checkpoint: the last, of the preset's networks the last that the class-free ones are trained to",
    "n": "entities that are asked for a descriptor",
    **interval_columns("reach", "order parameter of never-said pairs at that step, mean over entities"),
}
MEAN_COLUMNS = {
    "role": "setting of the networks",
    "n": "networks",
    "seed": "of the first",
    **interval_columns("reach", "mean over networks (t interval)"),
}
CURVE_COLUMNS = {
    **ABOUT_COLUMNS,
    "step": "step",
    "reach": "order parameter around this step, on the batches",
}


def connected(networks: Sequence[Network]) -> Result:
    """Reach at the end of networks whose graphs join their classes, or do not, or know none.

    Args:
        networks: of the preset's setting, class-free ones, and those of one and of two descriptors each.
    """
    own = of_role(list(networks), ONE, TWO, CLASS_FREE, PRESET)
    until = max(network.run.config.training.steps for network in of_role(own, CLASS_FREE))
    rows = [_graph(network, until) for network in own]
    tables = {
        "graphs": Table.of(GRAPH_COLUMNS, rows),
        "means": Table.of(MEAN_COLUMNS, list(_means(rows))),
        "curves": Table.of(CURVE_COLUMNS, [row for network in own for row in _curve(network)]),
    }
    return Result(CONNECTED, "Whether it emerges: the graph of what is said", {}, {}, tables)


def _graph(network: Network, until: int) -> dict[str, Any]:
    task, run = network.task, network.run
    step = max(each for each in run.steps if network.role != PRESET or each <= until)
    sizes = component_sizes(said_pairs(task), task.classes * task.descriptors)
    reach = reach_of(run.checkpoint(step))
    return {
        **network.about,
        "language": task.language,
        "degree": task.degree,
        "components": len(sizes),
        "largest": int(sizes[0]),
        "class_nodes": task.entities + task.descriptors,
        "step": step,
        "n": len(reach),
        **mean_estimate(reach).columns("reach"),
    }


def _means(rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for role in dict.fromkeys(row["role"] for row in rows):
        own = [row for row in rows if row["role"] == role]
        about = {"role": role, "n": len(own), "seed": own[0]["trained"]}
        yield about | over_networks([row["reach"] for row in own]).columns("reach")


def _curve(network: Network) -> Iterator[dict[str, Any]]:
    metrics = network.run.metrics
    reach = smoothed(metrics["reach"].to_numpy(dtype=np.float64))
    for at in range(0, len(metrics), BETWEEN):
        yield {**network.about, "step": int(metrics["step"].iloc[at]), "reach": float(reach[at])}
