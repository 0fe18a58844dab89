"""Courses over single lengths of context: which of geometry and accuracy comes first, and whether either is sudden."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcinterp.analysis.graph_geometry import NodeGraph, dirichlet_energy, distance_explained
from mcinterp.analysis.representations import along
from mcinterp.analysis.statistics import Floats, interval_columns, share_estimate
from mcinterp.analysis.traced_geometry import by_window, layer_points, mixing_course, over
from mcinterp.analysis.tracing import Trace, other_neighbour_mass
from mcinterp.results import Table
from mcinterp.training.transition import Transition, find_transition

GEOMETRY, MIXING, ACCURACY = "geometry", "mixing alone", "accuracy"
COURSE_COLUMNS = {
    "seen": "tokens that the model has seen, the current one among them",
    "n": "labellings; 95 % t intervals are over them",
    **interval_columns("explained", "η² of the last layer's class means at this position"),
    **interval_columns("mixing", "η² of states that mix their predecessors in and do nothing else"),
    **interval_columns("energy", "normalised energy of the last layer's class means"),
    **interval_columns("other_mass", "share of what is not on the node before that is on the other neighbours"),
}
MOMENT_COLUMNS = {
    "what": "the number",
    "n": "labellings; the 95 % t interval is over them",
    **interval_columns("value", "it"),
    "mixing": "weight of the predecessor in the mixing that is most like the last layer, mean over labellings",
}
DROP_COLUMNS = {
    "curve": "1 less η² of the model's states, or of states that only mix; or 1 less accuracy",
    "n": "labellings",
    "found": "in how many the detector finds a sudden drop over the logarithm of context",
    **interval_columns("share", "found of n (exact binomial interval)"),
    "statement": "what it says of the first labelling",
}
LEAST_ENERGY = "least energy"
ENERGY_FIRST = "energy before accuracy"
ENERGY_FALL = "fall of energy"
GEOMETRY_FIRST = "geometry before accuracy"
MIXING_FIRST = "mixing before accuracy"
HALF_GEOMETRY, HALF_ACCURACY = "half of geometry", "half of accuracy"
RISE = "rise"
TINY = 1e-6
"""A curve of 1 less a share that is never less, as the detector works on logarithms."""


def half_level(curve: Floats) -> float:
    """Tokens seen where a curve first is half-way from its first level to its last, that of its last quarter."""
    curve = np.asarray(curve, dtype=np.float64)
    present = np.flatnonzero(np.isfinite(curve))
    if len(present) < 2:
        return float("nan")
    first, last = curve[present[0]], np.nanmean(curve[-max(1, len(curve) // 4) :])
    reached = (curve - first) * np.sign(last - first) >= abs(last - first) / 2
    return float(np.flatnonzero(reached & np.isfinite(curve))[0] + 1) if last != first else float("nan")


@dataclass(frozen=True)
class Courses:
    """Courses of several labellings.

    Attributes:
        explained, mixing, energy, other: (labelling, pos); see `COURSE_COLUMNS`.
        by_window: energy by window, (labelling, window).
        rises: η² of the last window less that of the first, (labelling,).
        begins: positions that windows begin at.
        alpha: weight of the predecessor that mixing was fitted with, mean over labellings.
    """

    explained: Floats
    mixing: Floats
    energy: Floats
    other: Floats
    by_window: Floats
    rises: Floats
    begins: tuple[int, ...]
    alpha: float

    @classmethod
    def of(cls, traces: Sequence[Trace], graph: NodeGraph, windows: Sequence[tuple[int, int]], layer: int) -> Courses:
        """Of one layer."""
        length = traces[0].walks.nodes.shape[1]
        places = [slice(at, at + 1) for at in range(length)]
        points = layer_points(traces, layer, places)
        mixed = [_mixed(trace, layer, graph, windows, places) for trace in traces]
        broad = layer_points(traces, layer, [slice(*window) for window in windows])
        levels = np.stack([along(own, lambda p: distance_explained(p, graph)) for own in broad])
        single = [(at, at + 1) for at in range(length)]
        return cls(
            np.stack([along(own, lambda p: distance_explained(p, graph)) for own in points]),
            np.stack([course for _, course in mixed]),
            np.stack([along(own, lambda p: dirichlet_energy(p, graph)) for own in points]),
            np.stack([by_window(other_neighbour_mass(trace), single) for trace in traces]),
            np.stack([along(own, lambda p: dirichlet_energy(p, graph)) for own in broad]),
            levels[:, -1] - levels[:, 0],
            tuple(begin for begin, _ in windows),
            float(np.mean([own for own, _ in mixed])),
        )

    def course(self) -> Table:
        """Every course by position, over labellings."""
        named = {"explained": self.explained, "mixing": self.mixing, "energy": self.energy, "other_mass": self.other}
        rows = [
            {"seen": at + 1, "n": len(self.explained)}
            | {key: value for name, of in named.items() for key, value in over(of[:, at], name).items()}
            for at in range(self.explained.shape[1])
        ]
        return Table.of(COURSE_COLUMNS, rows)

    def moments(self) -> Table:
        """What comes first, in doublings of context, and how far energy falls."""
        accuracy, geometry = (np.array([half_level(own) for own in of]) for of in (self.other, self.explained))
        mixing = np.array([half_level(own) for own in self.mixing])
        lowest = 1.0 + np.array(self.begins)[np.nanargmin(self.by_window, 1)]
        values = {
            LEAST_ENERGY: np.nanmin(self.by_window, 1),
            ENERGY_FALL: self.by_window[:, 0] - np.nanmin(self.by_window, 1),
            ENERGY_FIRST: np.log2(accuracy / lowest),
            GEOMETRY_FIRST: np.log2(accuracy / geometry),
            MIXING_FIRST: np.log2(accuracy / mixing),
            HALF_GEOMETRY: geometry,
            HALF_ACCURACY: accuracy,
            RISE: self.rises,
        }
        rows = [
            {"what": what, "n": len(own), **over(own, "value"), "mixing": self.alpha} for what, own in values.items()
        ]
        return Table.of(MOMENT_COLUMNS, rows)

    def drops(self) -> Table:
        """Whether the detector finds a sudden drop over the logarithm of context."""
        curves = {GEOMETRY: self.explained, MIXING: self.mixing, ACCURACY: self.other}
        return Table.of(DROP_COLUMNS, [_drops(name, curve) for name, curve in curves.items()])


def _drops(name: str, curves: Floats) -> dict[str, Any]:
    seen = np.log(1.0 + np.arange(curves.shape[1]))
    found: list[Transition] = [
        find_transition(seen, np.maximum(1 - own, TINY), "log context", f"1 less {name}") for own in curves
    ]
    count = sum(each.found for each in found)
    shares = share_estimate(count, len(found)).columns("share")
    return {"curve": name, "n": len(found), "found": count, **shares, "statement": found[0].statement}


def _mixed(
    trace: Trace, layer: int, graph: NodeGraph, windows: Sequence[tuple[int, int]], places: Sequence[slice]
) -> tuple[float, Floats]:
    """The weight that fits the last window best, and η² of mixing with it at every position."""
    own, _ = mixing_course(trace, layer, graph, [slice(*windows[-1])])
    return own, mixing_course(trace, layer, graph, places, own)[1]
