"""Random bipartite graphs beside their closed form: giant shares, where the giant appears, and what has which slope."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from mcinterp.analysis.statistics import interval_columns, mean_estimate
from mcinterp.results import Result, Table
from mcinterp.studies.percolation.percolation import (
    components,
    drawn_edges,
    edges_to_join,
    giant_shares,
    peak,
    slope,
    threshold,
)

GRAPHS = "graphs"
ENTITIES, LARGE = 400, 2000
"""Of graphs whose giant shares are looked at. In small ones they are below the closed form near the threshold."""
PER_ENTITY = 4
"""Descriptors of these graphs over their entities."""
SCALES = (0.5, 0.8, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0)
"""Their edges, over the threshold."""
LINE = np.linspace(0.0, 3.2, 65).tolist()
"""Where the closed form is drawn."""
PEAK_SIZES = (200, 400, 800, 1600, 3200)
"""Descriptors beside 400 entities, over which slopes are fitted."""
PEAK_SCALES = np.linspace(0.6, 1.8, 25)
SMALL, SMALL_SIZES = 15, (20, 40, 80, 160, 320)
"""Entities and descriptors of a class, as networks are trained on them."""
JOINED = (0.1, 0.25, 0.5)
MOST_GROWN = 40
"""Growing graphs of every size, of which each is looked at at every scale."""

SHARE_COLUMNS = {
    "nodes": f"E: entities; there are {PER_ENTITY} times as many descriptors",
    "scale": "edges over the threshold √(EK)",
    "n": "graphs",
    "seed": "of the graphs",
    **interval_columns("entities", "share of the entities in the largest component"),
    "entities_closed": "closed form: of the giant component",
    **interval_columns("descriptors", "share of the descriptors in it"),
    "descriptors_closed": "closed form",
    **interval_columns("entities_less", "share of the entities less the closed form"),
    **interval_columns("descriptors_less", "share of the descriptors less the closed form"),
    "joined_closed": "closed form: share of all pairs whose two ends are both in the giant component",
}
CLOSED_COLUMNS = {
    "scale": "edges over the threshold",
    "entities": "closed form: share of the entities in the giant component",
    "descriptors": "closed form: share of the descriptors",
    "joined": "closed form: share of all pairs that it joins",
}
PEAK_COLUMNS = {
    "descriptors": f"K, beside {ENTITIES} entities",
    "n": "graphs, grown edge by edge",
    "seed": "of the graphs",
    **interval_columns("peak", "edges at which the other components are largest on average, over √(EK)"),
}
SLOPE_COLUMNS = {
    "entities": "E",
    "measure": "of which event the edges are counted: the susceptibility's peak as drawn, or by the closed form the "
    "threshold, or a share of all pairs that the giant component joins",
    "n": "repetitions that are averaged; 1 of a closed form",
    **interval_columns("slope", "of the logarithm of these edges on that of K"),
}


def graphs(n: int, seed: int) -> Result:
    """Draw graphs and set them beside the closed form.

    Args:
        n: graphs at each number of edges, and, up to `MOST_GROWN`, growing graphs of each size.
        seed: of all of them.
    """
    shares = [_shares(nodes, scale, n, seed) for nodes in (ENTITIES, LARGE) for scale in SCALES]
    peaks = np.array([_peaks(repetition, seed) for repetition in range(min(n, MOST_GROWN))])
    tables = {
        "shares": Table.of(SHARE_COLUMNS, shares),
        "closed": Table.of(CLOSED_COLUMNS, [_closed_shares(scale) for scale in LINE]),
        "peaks": Table.of(PEAK_COLUMNS, list(_peak_rows(peaks, seed))),
        "slopes": Table.of(SLOPE_COLUMNS, list(_slopes(peaks))),
    }
    settings = {"samples": n, "seed": seed}
    facts = {"nodes": LARGE, "per_entity": PER_ENTITY}
    return Result(GRAPHS, "Random graphs and their closed form", settings, facts, tables)


def _shares(nodes: int, scale: float, n: int, seed: int) -> dict[str, Any]:
    sizes = nodes, PER_ENTITY * nodes
    edges = round(scale * threshold(*sizes))
    rng = np.random.default_rng([seed, 0, edges])
    found = [components(*sizes, *drawn_edges(*sizes, edges, rng)) for _ in range(n)]
    a, b = giant_shares(*sizes, edges)
    entities = np.array([each.entities for each in found])
    descriptors = np.array([each.descriptors for each in found])
    return {
        "nodes": nodes,
        "scale": scale,
        "n": n,
        "seed": seed,
        **mean_estimate(entities).columns("entities"),
        "entities_closed": a,
        **mean_estimate(descriptors).columns("descriptors"),
        "descriptors_closed": b,
        **mean_estimate(entities - a).columns("entities_less"),
        **mean_estimate(descriptors - b).columns("descriptors_less"),
        "joined_closed": a * b,
    }


def _closed_shares(scale: float) -> dict[str, float]:
    # As shares of a threshold the closed form is the same for all sizes that are in the same proportion.
    a, b = giant_shares(1, PER_ENTITY, scale * threshold(1, PER_ENTITY))
    return {"scale": scale, "entities": a, "descriptors": b, "joined": a * b}


def _peaks(repetition: int, seed: int) -> list[float]:
    """Edges at the peak for every K, of one growing graph each."""
    rng = np.random.default_rng([seed, 1, repetition])
    return [peak(ENTITIES, size, PEAK_SCALES, rng) for size in PEAK_SIZES]


def _peak_rows(peaks: np.ndarray, seed: int) -> Iterator[dict[str, Any]]:
    for at, size in enumerate(PEAK_SIZES):
        estimate = mean_estimate(peaks[:, at] / threshold(ENTITIES, size))
        yield {"descriptors": size, "n": len(peaks), "seed": seed, **estimate.columns("peak")}


def _slopes(peaks: np.ndarray) -> Iterator[dict[str, Any]]:
    drawn = mean_estimate(np.array([slope(PEAK_SIZES, of) for of in peaks]))
    yield {"entities": ENTITIES, "measure": "peak, drawn", "n": len(peaks), **drawn.columns("slope")}
    for entities, sizes in ((ENTITIES, PEAK_SIZES), (SMALL, SMALL_SIZES)):
        at = slope(sizes, [threshold(entities, size) for size in sizes])
        yield _closed(entities, "threshold", at)
        for joined in JOINED:
            at = slope(sizes, [edges_to_join(entities, size, joined) for size in sizes])
            yield _closed(entities, f"pairs joined: {joined:g}", at)


def _closed(entities: int, measure: str, value: float) -> dict[str, Any]:
    about = {"entities": entities, "measure": measure, "n": 1}
    return {**about, "slope": value, "slope_low": value, "slope_high": value}
