"""How the point of emergence shifts with descriptors, entities and batches, beside the closed form of percolation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcinterp.analysis.statistics import Estimate, Floats, interval_columns, mean_estimate
from mcinterp.results import Result, Table
from mcinterp.studies.percolation.config import LanguageConfig
from mcinterp.studies.percolation.crossings import BETWEEN, first_crossing, over_networks, smoothed
from mcinterp.studies.percolation.exam import reach_of
from mcinterp.studies.percolation.percolation import draws_for, edges_to_join, slope, threshold
from mcinterp.studies.percolation.runs import ABOUT_COLUMNS, MIDDLE, ROLES, Network

SHIFT = "shift"
ONSET, HALF = 0.25, 0.5
"""Reach at which the onset, and half of the way, are."""
GRAMMAR = "grammar"
FULL = "full language"

TIME_COLUMNS = {
    **ABOUT_COLUMNS,
    "language": "full, or pairs only",
    "onset": f"step at which reach is first {ONSET:g}; empty where it never is, as the next",
    "half": f"step at which reach is first {HALF:g}",
    "grammar": "step at which the grammar's share of probability has first come half of the way from its first to 1; "
    "empty for pairs only, as the rest is for the full language",
    "threshold": "m: edges √(EK) of a class at which the giant component appears",
    "drawn_onset": "edges of a class that training has drawn up to the onset, repeated ones too",
    "drawn_half": "… up to half",
    "over": "drawn_half over the threshold",
    "closed_onset": f"closed form: draws after which the giant component joins a share {ONSET:g} of all pairs",
    "closed_half": f"… a share {HALF:g}",
}
PAIRS_ONLY = ("threshold", "drawn_onset", "drawn_half", "over", "closed_onset", "closed_half")
"""Columns that are about edges, which are all that there is of pairs only."""
SLOPE_COLUMNS = {
    "family": "what varies: sizes of the language of pairs, sizes of the full one, entities, batches",
    "over": "K, E, or samples of a step",
    "event": f"onset (reach {ONSET:g}), half (reach {HALF:g}), or grammar",
    "part": "of all points, or how much the slope of the upper half of them is above that of the lower",
    "n": "trainings of every point, by seed; a slope is fitted to each seed's",
    "seed": "of the first",
    **interval_columns("slope", "of the logarithm of the step on that of what varies, mean over seeds (t interval)"),
    "closed": "the same of the steps after which, by the closed form, as large a share of pairs is joined: as many "
    "edges in fewer steps where batches are larger; empty for the full language",
}
RATIO_COLUMNS = {
    "role": "setting of the networks, of pairs only",
    "entities": "E of a class",
    "descriptors": "K of a class",
    "batch": "samples of a step",
    "threshold": "m: edges √(EK) of a class at which the giant component appears",
    "closed": f"closed form: draws after which the giant component joins a share {HALF:g} of all pairs",
    "n": "networks",
    "seed": "of the first",
    **interval_columns("drawn", "edges of a class that training has drawn up to half, mean over networks (t interval)"),
    **interval_columns("over", "these over the threshold, likewise"),
}
CURVE_COLUMNS = {
    "role": "setting of the networks",
    "language": "full, or pairs only",
    "entities": "E of a class",
    "descriptors": "K of a class",
    "batch": "samples of a step",
    "step": "step",
    "scaled": "step over √K",
    "n": "networks",
    "seed": "of the first",
    **interval_columns("reach", "order parameter around this step, mean over networks (t interval)"),
}


@dataclass(frozen=True)
class Family:
    """Settings that differ in one thing.

    Attributes:
        name: what varies.
        over: by which column of `ABOUT_COLUMNS`.
        roles: of the networks.
        events: what is timed.
    """

    name: str
    over: str
    roles: tuple[str, ...]
    events: tuple[str, ...] = ("onset", "half")


def families(networks: Sequence[Network]) -> list[Family]:
    """Those of the study, each in the order of what varies."""
    middle = f"pairs, K × {MIDDLE}"
    roles = list(dict.fromkeys(network.role for network in networks if network.task.language == "full"))
    found = [
        Family("sizes", "descriptors", tuple(role for role in ROLES if role.startswith("pairs, K"))),
        Family(FULL, "descriptors", tuple(roles), ("onset", "half", GRAMMAR)),
        Family("entities", "entities", (middle, *(role for role in ROLES if role.startswith("pairs, E")))),
        Family("batches", "batch", (middle, *(role for role in ROLES if role.startswith("pairs, batch")))),
    ]
    return found


def shift(networks: Sequence[Network]) -> Result:
    """When reach emerges in every setting, and with which power of what varies.

    Args:
        networks: of all settings that are compared.
    """
    times = [_times(network) for network in networks]
    slopes = [row for family in families(networks) for row in _slopes(family, times)]
    tables = {
        "times": Table.of(TIME_COLUMNS, times),
        "slopes": Table.of(SLOPE_COLUMNS, slopes),
        "ratios": Table.of(RATIO_COLUMNS, list(_ratios(times))),
        "curves": Table.of(CURVE_COLUMNS, list(_curves(networks))),
    }
    return Result(SHIFT, "When it emerges: descriptors, entities and edges", {}, {"onset": ONSET, "half": HALF}, tables)


def reach_curve(network: Network) -> tuple[Floats, Floats]:
    """Steps, and reach at each.

    Of pairs only every sample of a batch asks an entity for a descriptor, so that reach is known at every step. Of the
    full language few do, and entities are asked at the checkpoints.
    """
    if network.task.language == "pairs":
        metrics = network.run.metrics
        return metrics["step"].to_numpy(dtype=np.float64), smoothed(metrics["reach"].to_numpy(dtype=np.float64))
    steps = network.run.steps
    reach = np.array([reach_of(network.run.checkpoint(step)).mean() for step in steps])
    return np.array(steps, dtype=np.float64), reach


def _times(network: Network) -> dict[str, Any]:
    """When things happen in a network, and what percolation alone would say."""
    steps, reach = reach_curve(network)
    onset, half = (first_crossing(steps, reach, level) for level in (ONSET, HALF))
    task = network.task
    about = {**network.about, "language": task.language, "onset": onset, "half": half}
    if task.language == "full":
        return about | {"grammar": _grammar(network), **dict.fromkeys(PAIRS_ONLY, np.nan)}
    a_step = network.run.config.training.batch_size / task.classes
    critical = threshold(task.entities, task.descriptors)
    closed = [closed_draws(task, joined) for joined in (ONSET, HALF)]
    values = (critical, onset * a_step, half * a_step, half * a_step / critical, *closed)
    return about | {"grammar": np.nan, **dict(zip(PAIRS_ONLY, values, strict=True))}


def closed_draws(task: LanguageConfig, joined: float) -> float:
    """Draws of a class's pairs after which its giant component joins a share of all of them."""
    edges = edges_to_join(task.entities, task.descriptors, joined)
    return draws_for(edges, task.entities * task.degree)


def _grammar(network: Network) -> float:
    """Step at which half of the way of the grammar's probability from its first value to 1 is done."""
    metrics = network.run.metrics
    curve = smoothed(metrics["grammar"].to_numpy(dtype=np.float64))
    return first_crossing(metrics["step"].to_numpy(dtype=np.float64), curve, (curve[0] + 1) / 2)


def _slopes(family: Family, times: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Slopes of a family's events, and how they bend."""
    rows = sorted((row for row in times if row["role"] in family.roles), key=lambda row: row[family.over])
    seeds = list(dict.fromkeys(row["trained"] for row in rows))
    x = np.array(list(dict.fromkeys(row[family.over] for row in rows)), dtype=np.float64)
    for event in family.events:
        y = np.array([[row[event] for row in rows if row["trained"] == seed] for seed in seeds])
        closed = _closed(family, event, rows, len(seeds))
        about = {"family": family.name, "over": family.over, "event": event, "n": len(seeds), "seed": seeds[0]}
        yield about | {"part": "all", **_mean([slope(x, of) for of in y]), "closed": slope(x, closed)}
        if len(x) >= 5:
            yield about | {"part": "bend", **_mean([bend(x, of) for of in y]), "closed": bend(x, closed)}


def _ratios(times: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Edges at half of the way beside the threshold, of every setting of the language of pairs."""
    for role in dict.fromkeys(row["role"] for row in times if row["language"] == "pairs"):
        rows = [row for row in times if row["role"] == role]
        about = {name: rows[0][name] for name in ("role", "entities", "descriptors", "batch", "threshold")}
        about |= {"closed": rows[0]["closed_half"], "n": len(rows), "seed": rows[0]["trained"]}
        drawn, over = ([row[name] for row in rows] for name in ("drawn_half", "over"))
        yield about | over_networks(drawn).columns("drawn") | over_networks(over).columns("over")


def bend(x: Floats, y: Floats) -> float:
    """Slope of the upper half of the points less that of the lower; the point in the middle is in both."""
    middle = len(x) // 2
    return slope(x[middle:], y[middle:]) - slope(x[: middle + 1], y[: middle + 1])


def _mean(slopes: Sequence[float]) -> dict[str, float]:
    return over_networks(slopes).columns("slope")


def _closed(family: Family, event: str, rows: Sequence[Mapping[str, Any]], seeds: int) -> Floats:
    """Steps that the closed form gives each point, up to a factor; NaN where there is none."""
    if f"closed_{event}" not in TIME_COLUMNS:
        return np.full(len(rows) // seeds, np.nan)
    steps = [row[f"closed_{event}"] / row["batch"] for row in rows]
    return np.array(steps, dtype=np.float64)[::seeds]


def _curves(networks: Sequence[Network]) -> Iterator[dict[str, Any]]:
    """Reach over steps, a mean of the networks of each setting of the language of pairs."""
    for role in dict.fromkeys(network.role for network in networks if network.task.language == "pairs"):
        own = [network for network in networks if network.role == role]
        found = [reach_curve(network) for network in own]
        steps, curves = found[0][0], np.stack([reach for _, reach in found])
        estimate: Estimate = mean_estimate(curves)
        about = own[0].about | {"language": own[0].task.language, "n": len(own), "seed": own[0].about["trained"]}
        for at in range(0, len(steps), BETWEEN):
            row = {name: about[name] for name in CURVE_COLUMNS if name in about}
            scaled = steps[at] / np.sqrt(own[0].task.descriptors)
            yield row | {"step": int(steps[at]), "scaled": scaled, **estimate.columns("reach", at)}
