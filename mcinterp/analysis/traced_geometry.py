"""What walks through a graph tell of a model: geometry and predictions by context, beside what mixing alone gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy.optimize import minimize_scalar

from mcinterp.analysis.graph_geometry import (
    NodeGraph,
    dirichlet_energy,
    distance_explained,
    expected_squares,
    explained_by_chance,
    plane_alignment,
    squares_explained,
    variance_in_low_modes,
)
from mcinterp.analysis.representations import ClassMeans, components_along, effects_beside, turned_along
from mcinterp.analysis.statistics import Floats, interval_columns, mean_estimate
from mcinterp.analysis.tracing import Trace, Walks, memory_mass, neighbour_mass, other_neighbour_mass
from mcinterp.results import Table

Windows = Sequence[tuple[int, int]]
SHUFFLES = 400
CHANCE, RARE = 99.0, 99.9
"""Percentiles of shuffled nodes that a number is compared with."""
MEASURES: Mapping[str, tuple[Callable[[Floats, NodeGraph], float], str]] = {
    "explained": (distance_explained, "share of the variance of squared distances that graph distance explains, η²"),
    "energy": (dirichlet_energy, "mean squared distance of neighbours over that of all pairs; 1 by chance"),
    "energy_two": (lambda points, graph: dirichlet_energy(points, graph, 2), "the same of nodes two edges apart"),
    "in_modes": (variance_in_low_modes, "share of the variance in the graph's second and third eigenvectors"),
    "plane": (plane_alignment, "how far the first two principal components lie in these: 1 within, 0 across"),
}
_MEANT = {
    name: column for key, (_, meaning) in MEASURES.items() for name, column in interval_columns(key, meaning).items()
}
WINDOW = {"begin": "tokens before the first position of the context", "end": "… and before what comes after its last"}
GEOMETRY_COLUMNS = {
    "layer": "blocks that the states have gone through",
    **WINDOW,
    "n": "labellings; 95 % t intervals are over them",
    **_MEANT,
    "chance": f"{CHANCE:g} % quantile of explained where nodes are shuffled, mean over labellings",
    **interval_columns("above_chance", "explained less that quantile"),
    **interval_columns("energy_shuffled", "energy under shuffled nodes, mean over them"),
}
PREDICTION_COLUMNS = {
    **WINDOW,
    "n": "labellings; 95 % t intervals are over them",
    **interval_columns("mass", "probability of the current node's neighbours"),
    **interval_columns("other_mass", "share of what is not on the node before that is on the other neighbours"),
    "directed": "mass of a memory of what followed each token",
    "directed_other": "its other_mass",
    "undirected": "mass of a memory of what stood beside each token",
}
EFFECT_COLUMNS = {
    "layer": "blocks that the states have gone through",
    "removed": "what the other label is, whose effects are taken out",
    "n": "labellings; 95 % t intervals are over them",
    **interval_columns("explained", "η² of the current node's effects alone, late in context"),
    **interval_columns("means", "η² of the class means of the same states"),
    **interval_columns("change", "explained less means"),
    "chance": f"{RARE:g} % quantile of explained where nodes are shuffled, mean over labellings",
    **interval_columns("above_chance", "explained less that quantile"),
    **interval_columns("plane", "plane of the effects"),
    **interval_columns("plane_above_chance", f"plane less its {RARE:g} % quantile where nodes are shuffled"),
}
PREVIOUS, UNRELATED = "previous node", "a node drawn at random"


def over(values: Sequence[float] | Floats, name: str) -> dict[str, float]:
    """The mean over labellings with its interval, as columns."""
    return mean_estimate(np.asarray(values, dtype=np.float64)).columns(name)


def layer_points(traces: Sequence[Trace], layer: int, groups: Sequence[slice]) -> list[Floats]:
    """Class means of one layer by window, (window, node, d), of each labelling."""
    return [trace.layers[layer].merged(groups).means for trace in traces]


def geometry_table(traces: Sequence[Trace], graph: NodeGraph, windows: Windows, groups: Sequence[slice]) -> Table:
    """Every measure by layer and window, over labellings.

    Args:
        traces: of each labelling.
        graph: that the walks are through.
        windows: of context.
        groups: the cells of each window.
    """
    rows = []
    for layer in range(len(traces[0].layers)):
        points = layer_points(traces, layer, groups)
        for place, window in enumerate(windows):
            own = [of[place : place + 1] for of in points]
            rows.append({"layer": layer, **_window(window), "n": len(traces), **_geometry(own, graph)})
    return Table.of(GEOMETRY_COLUMNS, rows)


def _window(window: tuple[int, int]) -> dict[str, int]:
    return {"begin": window[0], "end": window[1]}


def _geometry(points: Sequence[Floats], graph: NodeGraph) -> dict[str, float]:
    found = {name: [_where_whole(own[0], graph, name) for own in points] for name in MEASURES}
    chance = [_quantile(own[0], graph, CHANCE) for own in points]
    shuffled = [_shuffled_energy(own[0], graph) for own in points]
    return {
        **{key: value for name, values in found.items() for key, value in over(values, name).items()},
        "chance": float(np.mean(chance)),
        **over(np.subtract(found["explained"], chance), "above_chance"),
        **over(shuffled, "energy_shuffled"),
    }


def _where_whole(points: Floats, graph: NodeGraph, name: str) -> float:
    return MEASURES[name][0](points, graph) if np.isfinite(points).all() else float("nan")


def _quantile(points: Floats, graph: NodeGraph, percent: float) -> float:
    if not np.isfinite(points).all():
        return float("nan")
    return float(np.percentile(explained_by_chance(points, graph, 0, SHUFFLES), percent))


def _shuffled_energy(points: Floats, graph: NodeGraph, shuffles: int = 50) -> float:
    if not np.isfinite(points).all():
        return float("nan")
    generator = np.random.default_rng(0)
    return float(np.mean([dirichlet_energy(points[generator.permutation(graph.n)], graph) for _ in range(shuffles)]))


def prediction_table(traces: Sequence[Trace], windows: Windows) -> Table:
    """How much is on neighbours by window, over labellings, beside what memories would say of the same walks."""
    masses = {"mass": neighbour_mass, "other_mass": other_neighbour_mass}
    found = {name: [by_window(of(trace), windows) for trace in traces] for name, of in masses.items()}
    directed = [memory_mass(trace.walks, both_ways=False) for trace in traces]
    found["directed"] = [by_window(mass, windows) for mass, _ in directed]
    found["directed_other"] = [by_window(other, windows) for _, other in directed]
    found["undirected"] = [by_window(memory_mass(trace.walks, both_ways=True)[0], windows) for trace in traces]
    rows = []
    for place, window in enumerate(windows):
        here = {name: [float(each[place]) for each in values] for name, values in found.items()}
        columns = {key: value for name in masses for key, value in over(here.pop(name), name).items()}
        means = {name: float(np.mean(values)) for name, values in here.items()}
        rows.append({**_window(window), "n": len(traces), **columns, **means})
    return Table.of(PREDICTION_COLUMNS, rows)


def by_window(values: Floats, windows: Windows) -> Floats:
    """Means of values (walk, pos) over each window, NaN left out, (window,)."""
    parts = [values[:, begin:end] for begin, end in windows]
    return np.array([float(np.nanmean(part)) if np.isfinite(part).any() else np.nan for part in parts])


def effect_table(traces: Sequence[Trace], graph: NodeGraph) -> Table:
    """The geometry of what the current node adds beside the node before it, and beside a node drawn at random."""
    rows = []
    for layer in range(len(traces[0].layers)):
        means = [distance_explained(_pooled(trace.pairs[layer], graph.n), graph) for trace in traces]
        for removed in (PREVIOUS, UNRELATED):
            sums = [(trace.pairs if removed == PREVIOUS else trace.unrelated)[layer] for trace in traces]
            effects = [_effects(own, graph.n) for own in sums]
            rows.append({"layer": layer, "removed": removed, "n": len(traces), **_of_effects(effects, means, graph)})
    return Table.of(EFFECT_COLUMNS, rows)


def _of_effects(effects: Sequence[Floats], means: Sequence[float], graph: NodeGraph) -> dict[str, float]:
    explained = np.array([distance_explained(own, graph) for own in effects])
    chance = np.array([_quantile(own, graph, RARE) for own in effects])
    planes = np.array([plane_alignment(own, graph) for own in effects])
    return {
        **over(explained, "explained"),
        **over(means, "means"),
        **over(explained - means, "change"),
        "chance": float(chance.mean()),
        **over(explained - chance, "above_chance"),
        **over(planes, "plane"),
        **over(planes - [_plane_by_chance(own, graph) for own in effects], "plane_above_chance"),
    }


def _plane_by_chance(points: Floats, graph: NodeGraph) -> float:
    generator = np.random.default_rng(0)
    shuffles = [plane_alignment(points[generator.permutation(graph.n)], graph) for _ in range(SHUFFLES)]
    return float(np.percentile(shuffles, RARE))


def _effects(pairs: ClassMeans, n: int) -> Floats:
    return effects_beside(pairs.sums[0].reshape(n, n, -1), pairs.counts[0].reshape(n, n))


def _pooled(pairs: ClassMeans, n: int) -> Floats:
    """Means by current node alone."""
    return np.asarray(pairs.sums[0].reshape(n, n, -1).sum(1) / pairs.counts[0].reshape(n, n).sum(1)[:, None])


def predecessor_shares(walks: Walks, groups: Sequence[slice]) -> Floats:
    """How often each node came before the current one, of each window, (window, current, before); 0 where none did."""
    n, found = len(walks.edges), []
    for group in groups:
        places = np.arange(walks.nodes.shape[1])[group]
        places = places[places > 0]
        pairs = walks.nodes[:, places] * n + walks.nodes[:, places - 1]
        counts = np.bincount(pairs.ravel(), minlength=n * n).reshape(n, n)
        found.append(counts / np.maximum(walks_at(walks, group), 1)[:, None])
    return np.stack(found)


def walks_at(walks: Walks, group: slice) -> Floats:
    """How often each node is the current one in a window, (node,)."""
    return np.bincount(walks.nodes[:, group].ravel(), minlength=len(walks.edges)).astype(float)


def fitted_mixing(points: Floats, shares: Floats) -> float:
    """The α of I + α C whose expected squared distances are most like those of points, up to scale.

    Args:
        points: class means of the last window, (node, d).
        shares: C, how often each node came before each, (node, before).
    """
    above = np.triu_indices(len(points), 1)
    squares = ((points[:, None] - points[None]) ** 2).sum(-1)[above]

    def left(own: float) -> float:
        expected = expected_squares(np.eye(len(points)) + own * shares)
        return float(((squares - expected * (squares @ expected) / (expected @ expected)) ** 2).sum())

    return float(minimize_scalar(left, bounds=(0.0, 10.0), method="bounded").x)


def mixing_course(
    trace: Trace, layer: int, graph: NodeGraph, groups: Sequence[slice], weight: float | None = None
) -> tuple[float, Floats]:
    """What η² is, by window, of states that mix their predecessors in and do nothing else.

    Args:
        trace: whose walks say how often each node came before each.
        layer: that the weight is fitted to.
        graph: that the walks are through.
        groups: the cells of each window.
        weight: α of I + α C; the one that fits the class means of the last window best where left out.

    Returns:
        α, and η², (window,); 0 where nothing was before, as all states are then alike far apart.
    """
    shares = predecessor_shares(trace.walks, groups)
    if weight is None:
        weight = fitted_mixing(trace.layers[layer].merged(groups[-1:]).means[0], shares[-1])
    courses = [squares_explained(expected_squares(np.eye(graph.n) + weight * share), graph) for share in shares]
    return weight, np.nan_to_num(np.array(courses))


def pictures(trace: Trace, groups: Sequence[slice]) -> tuple[Floats, Floats]:
    """The plane of the first two components of each layer and window, turned along; and its share of the variance.

    Returns:
        coordinates (layer, window, node, 2), each window scaled to a root mean square of 1; shares (layer, window).
    """
    planes, shares = [], []
    for states in trace.layers:
        means = states.merged(groups).means
        plane = components_along(means)
        inside = np.nansum((plane - np.nanmean(plane, 1, keepdims=True)) ** 2, axis=(1, 2))
        total = np.nansum((means - np.nanmean(means, 1, keepdims=True)) ** 2, axis=(1, 2))
        scale = np.sqrt(inside / means.shape[1])
        planes.append(turned_along(plane / np.where(scale > 0, scale, 1.0)[:, None, None]))
        shares.append(inside / np.where(total > 0, total, np.nan))
    return np.stack(planes), np.stack(shares)


def described(windows: Windows) -> list[str]:
    """What each window is called."""
    return [str(begin) if end == begin + 1 else f"{begin}–{end - 1}" for begin, end in windows]


AXES: Mapping[str, Sequence[str]] = {
    "plane": ["layer", "window", "node", "coordinate"],
    "plane_share": ["layer", "window"],
}
"""Axis order of `pictures`."""
