"""How suddenly tasks are learned, string by string and token by token, as the detector of drops sees it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from mcinterp.analysis.statistics import interval_columns, share_estimate
from mcinterp.results import Result, Table
from mcinterp.studies.percolation.crossings import BETWEEN, smoothed
from mcinterp.studies.percolation.runs import ABOUT_COLUMNS, Network
from mcinterp.training.transition import find_transition

DROPS, REACH = "drops", "reach"
STRINGS, TOKENS, ENTITIES = "strings", "tokens", "entities"
CURVES = {
    "unscrambled": ("unscramble", STRINGS),
    "conditioned": ("conditional", STRINGS),
    "unscrambled_tokens": ("unscramble", TOKENS),
    "conditioned_tokens": ("conditional", TOKENS),
    REACH: (REACH, ENTITIES),
}
"""Score of every step → task, and whether strings count as a whole or token by token."""

DROP_COLUMNS = {
    **ABOUT_COLUMNS,
    "task": "unscramble, conditional, or reach, which is no task",
    "counted": "strings as a whole, or token by token; of reach entities",
    "found": "whether the detector finds a plateau and a drop in the error, measured at every step on its batch",
    "start": "step at which the plateau is left; empty without a drop, as the next",
    "steepest": "step of the steepest fall",
    "end": "step at which it has ended",
    "statement": "what the detector says",
}
SHARE_COLUMNS = {
    "role": "setting of the networks",
    "task": "as above",
    "counted": "as above",
    "n": "networks",
    "seed": "of the first",
    **interval_columns("found", "share of networks in which a drop is found (exact binomial interval)"),
}
ERROR_COLUMNS = {
    **ABOUT_COLUMNS,
    "step": "step",
    **{
        score: f"1 less the share that is right: {task}, {counted}; averaged over the steps around"
        for score, (task, counted) in CURVES.items()
    },
}


def drops(networks: Sequence[Network], class_free: Sequence[Network]) -> Result:
    """Look for drops in the error of every score of the tasks, and of reach.

    Args:
        networks: of the preset's setting.
        class_free: the control's, of whose reach no drop should be found.
    """
    rows = [_drop(network, *at) for network in networks for at in CURVES.items()]
    rows += [_drop(network, REACH, CURVES[REACH]) for network in class_free]
    tables = {
        "drops": Table.of(DROP_COLUMNS, rows),
        "shares": Table.of(SHARE_COLUMNS, list(_shares(rows))),
        "errors": Table.of(ERROR_COLUMNS, [row for network in networks for row in _errors(network)]),
    }
    return Result(DROPS, "How suddenly", {}, {}, tables)


def _errors(network: Network) -> Iterator[dict[str, Any]]:
    """Every error over steps."""
    metrics = network.run.metrics
    errors = {score: 1 - smoothed(metrics[score].to_numpy(dtype=np.float64)) for score in CURVES}
    for at in range(0, len(metrics), BETWEEN):
        values = {score: float(error[at]) for score, error in errors.items()}
        yield {**network.about, "step": int(metrics["step"].iloc[at]), **values}


def _drop(network: Network, score: str, named: tuple[str, str]) -> dict[str, Any]:
    """What the detector says of the error of a score that is measured at every step."""
    metrics = network.run.metrics
    # A batch without an error has none to take the logarithm of: one more error among its samples.
    error = 1 - metrics[score].to_numpy() + 1 / network.run.config.training.batch_size
    found = find_transition(metrics["step"], error, quantity=f"the error of {' '.join(named)}")
    return {
        **network.about,
        "task": named[0],
        "counted": named[1],
        "found": found.found,
        **{name: float(getattr(found, name)) for name in ("start", "steepest", "end")},
        "statement": found.statement,
    }


def _shares(drops: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """How many networks have a drop, of each curve."""
    named = ("role", "task", "counted")
    for key in dict.fromkeys(tuple(row[name] for name in named) for row in drops):
        rows = [row for row in drops if tuple(row[name] for name in named) == key]
        about = {**dict(zip(named, key, strict=True)), "n": len(rows), "seed": rows[0]["trained"]}
        yield about | share_estimate(sum(row["found"] for row in rows), len(rows)).columns("found")
