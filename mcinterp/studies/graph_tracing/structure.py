"""The geometry of states along context: of the walk's graph, of the prior's, and what comes first, it or accuracy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from mcinterp.analysis.graph_geometry import (
    NodeGraph,
    component_alignments,
    distance_explained_beyond,
    explained_by_chance,
)
from mcinterp.analysis.representations import component_shares
from mcinterp.analysis.statistics import Floats, interval_columns
from mcinterp.analysis.traced_geometry import (
    AXES,
    EFFECT_COLUMNS,
    GEOMETRY_COLUMNS,
    PREDICTION_COLUMNS,
    SHUFFLES,
    WINDOW,
    by_window,
    described,
    effect_table,
    geometry_table,
    layer_points,
    over,
    pictures,
    prediction_table,
)
from mcinterp.analysis.tracing import Trace, doubling_windows, neighbour_mass, other_neighbour_mass, trace
from mcinterp.results import Result, Table
from mcinterp.studies.graph_tracing.moments import COURSE_COLUMNS, DROP_COLUMNS, MOMENT_COLUMNS, Courses
from mcinterp.studies.graph_tracing.runs import (
    LABELLINGS,
    OWN,
    UNTRAINED,
    Network,
    labellings,
    prior_of,
    tracing,
)
from mcinterp.studies.graph_tracing.task import GraphTracing

STRUCTURE = "structure"
SURE = 95.0
"""Percentile of shuffled nodes that a partial η² is compared with."""
NETWORK = {"network": "which"}
BOTH_COLUMNS = {
    **NETWORK,
    "layer": "blocks that the states have gone through",
    **WINDOW,
    "n": "labellings; 95 % t intervals are over them",
    **interval_columns("prior", "η² of distances in both graphs less that of the context's alone"),
    **interval_columns("prior_above", f"prior less its {SURE:g} % quantile where nodes are shuffled"),
    **interval_columns("context", "η² of both less that of the prior's alone"),
    **interval_columns("context_above", f"context less its {SURE:g} % quantile where nodes are shuffled"),
    **interval_columns("lead", "prior less context"),
}
COMPONENT_COLUMNS = {
    **NETWORK,
    "component": "of the last layer's class means in the last window, that of most variance first, from 1",
    "n": "labellings",
    "share": "of the variance, mean over labellings",
    "prior": "how far it lies in the second and third eigenvector of the prior's graph, likewise",
    "context": "… of the walk's graph",
}
PREDICTED = {
    **interval_columns("prior_mass", "probability of the current token's neighbours in the prior"),
    "bayes": "mass of the exact law of what the network is trained on; of the own network, on rings",
    "bayes_other": "its other_mass",
}


@dataclass(frozen=True)
class Followed:
    """A network along walks of several labellings.

    Attributes:
        network: it.
        traces: of each labelling, a cell for every position.
    """

    network: Network
    traces: tuple[Trace, ...]

    @classmethod
    def of(cls, network: Network) -> Followed:
        """Follow it along as many labellings, the same for all networks."""
        graph, cells = network.graph, np.arange(network.length)
        traces = []
        for number, labels in enumerate(labellings(graph, LABELLINGS)):
            walks = network.walks(labels, number)
            traces.append(trace(network.language, walks, cells, late=network.length // 2))
        return cls(network, tuple(traces))

    @property
    def graph(self) -> NodeGraph:
        """That the walks are through."""
        return self.network.graph

    @property
    def priors(self) -> list[NodeGraph]:
        """The prior's neighbours among the nodes, of each labelling."""
        return [prior_of(self.graph, each.walks.labels) for each in self.traces]

    @property
    def windows(self) -> list[tuple[int, int]]:
        """Of context."""
        return doubling_windows(self.network.length)

    @property
    def groups(self) -> list[slice]:
        """The positions of each window."""
        return [slice(begin, end) for begin, end in self.windows]

    @property
    def last_layer(self) -> int:
        """Blocks."""
        return len(self.traces[0].layers) - 1


def structure(networks: Mapping[str, Network], tell: Callable[[str], None] = lambda line: None) -> Result:
    """Follow every network, and take their states and predictions apart by context.

    Returns:
        tables `geometry`, `predictions`, `effects`, `both`, `components`, each by network; `course`, `moments` and
        `drops` of the own one and of the untrained; arrays `plane`, `plane_share` of the own one's first labelling.
    """
    parts: dict[str, list[pd.DataFrame]] = {}
    own: Followed | None = None
    for name, network in networks.items():
        tell(f"following the walks of {LABELLINGS} labellings: {name}")
        followed = Followed.of(network)
        own = followed if name == OWN else own
        for key, frame in _tables(followed).items():
            parts.setdefault(key, []).append(frame)
    if own is None:
        raise ValueError("the own network is not among them")
    tables = {key: Table(pd.concat(frames, ignore_index=True), COLUMNS[key]) for key, frames in parts.items()}
    plane, share = pictures(own.traces[0], own.groups)
    facts = _facts(own)
    return Result(STRUCTURE, TITLE, {}, facts, tables, {"plane": plane, "plane_share": share})


TITLE = "What states and predictions become as context grows"
COLUMNS: Mapping[str, Mapping[str, str]] = {
    "geometry": {**NETWORK, **GEOMETRY_COLUMNS},
    "predictions": {**NETWORK, **PREDICTION_COLUMNS, **PREDICTED},
    "effects": {**NETWORK, **EFFECT_COLUMNS},
    "both": BOTH_COLUMNS,
    "components": COMPONENT_COLUMNS,
    "course": {**NETWORK, **COURSE_COLUMNS},
    "moments": {**NETWORK, **MOMENT_COLUMNS},
    "drops": {**NETWORK, **DROP_COLUMNS},
}


def _facts(own: Followed) -> dict[str, Any]:
    first = own.traces[0]
    return {
        "graph": own.network.shape.name,
        "edges": [list(edge) for edge in own.network.shape.edges],
        "labels": [own.network.checkpoint.task.token_labels()[token] for token in first.walks.labels],
        "prior": tracing(own.network.checkpoint.config).prior,
        "windows": described(own.windows),
        "begins": [begin for begin, _ in own.windows],
        "last": own.windows[-1][0],
        "layers": own.last_layer,
        "length": own.network.length,
        "walks": len(first.walks.nodes),
        "axes": {name: list(axes) for name, axes in AXES.items()},
    }


def _tables(of: Followed) -> dict[str, pd.DataFrame]:
    """Every table of a network, with its name."""
    name = of.network.name
    predictions = prediction_table(of.traces, of.windows).frame.join(pd.DataFrame(_prior_masses(of)))
    predictions["bayes"], predictions["bayes_other"] = _bayes(of)
    frames = {
        "geometry": geometry_table(of.traces, of.graph, of.windows, of.groups).frame,
        "predictions": predictions,
        "effects": effect_table(of.traces, of.graph).frame,
    }
    frames |= {"both": pd.DataFrame(_both(of)), "components": pd.DataFrame(_components(of))}
    if name in (OWN, UNTRAINED):
        courses = Courses.of(of.traces, of.graph, of.windows, of.last_layer)
        frames |= {"course": courses.course().frame, "moments": courses.moments().frame, "drops": courses.drops().frame}
    for frame in frames.values():
        frame.insert(0, "network", name)
    return frames


def _prior_masses(of: Followed) -> list[dict[str, float]]:
    """How much is on the prior's neighbours, by window."""
    masses = []
    for each, prior in zip(of.traces, of.priors, strict=True):
        masses.append(by_window((each.probabilities * prior.edges[each.walks.nodes]).sum(-1), of.windows))
    return [over(column, "prior_mass") for column in np.transpose(masses)]


def _bayes(of: Followed) -> tuple[Floats, Floats]:
    """What the exact law has on neighbours, and on the others than the node before, by window; NaN without a law."""
    task: GraphTracing = of.network.checkpoint.task
    if of.network.name != OWN or not task.has_law:
        empty = np.full(len(of.windows), np.nan)
        return empty, empty
    exact = [
        replace(each, probabilities=task.exact_law(each.walks.tokens)[..., each.walks.labels]) for each in of.traces
    ]
    masses = (neighbour_mass, other_neighbour_mass)
    both = [np.mean([by_window(mass(each), of.windows) for each in exact], 0) for mass in masses]
    return both[0], both[1]


def _both(of: Followed) -> list[dict[str, Any]]:
    """Partial η² of the prior's graph and of the walk's, by layer and window."""
    rows = []
    for layer in range(of.last_layer + 1):
        points = layer_points(of.traces, layer, of.groups)
        for place, (begin, end) in enumerate(of.windows):
            own = [_partial(each[place], of.graph, prior) for each, prior in zip(points, of.priors, strict=True)]
            prior, prior_chance, context, context_chance = np.transpose(own)
            rows.append(
                {
                    "layer": layer,
                    "begin": begin,
                    "end": end,
                    "n": len(own),
                    **over(prior, "prior"),
                    **over(prior - prior_chance, "prior_above"),
                    **over(context, "context"),
                    **over(context - context_chance, "context_above"),
                    **over(prior - context, "lead"),
                }
            )
    return rows


def _partial(points: Floats, graph: NodeGraph, prior: NodeGraph) -> tuple[float, float, float, float]:
    """Partial η² of the prior and of the context, each with the quantile of shuffled nodes."""
    found: list[float] = []
    for one, other in ((prior, graph), (graph, prior)):
        chance = explained_by_chance(points, one, 0, SHUFFLES, other)
        found += [distance_explained_beyond(points, one, other), float(np.percentile(chance, SURE))]
    return found[0], found[1], found[2], found[3]


def _components(of: Followed) -> list[dict[str, Any]]:
    """Shares of the principal components, and which graph's modes they are."""
    points = [each[-1] for each in layer_points(of.traces, of.last_layer, of.groups)]
    shares = np.mean([component_shares(own) for own in points], 0)
    prior = np.mean([component_alignments(own, one) for own, one in zip(points, of.priors, strict=True)], 0)
    context = np.mean([component_alignments(own, of.graph) for own in points], 0)
    return [
        {"component": place + 1, "n": len(points), "share": share, "prior": prior[place], "context": context[place]}
        for place, share in enumerate(shares)
    ]
