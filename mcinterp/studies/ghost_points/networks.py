"""Trained recurrent networks: which learn, die or never leave the plateau, by learning rate, output gain and rank."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from mcinterp.analysis.statistics import interval_columns, mean_estimate
from mcinterp.config import RunConfig
from mcinterp.results import Result, Table
from mcinterp.runs import Run
from mcinterp.studies.ghost_points import SEEDS
from mcinterp.studies.ghost_points.config import RecurrentConfig
from mcinterp.studies.ghost_points.dynamics import Floats
from mcinterp.studies.ghost_points.limits import share
from mcinterp.study.study import Setting
from mcinterp.study.trained import FEW, changed, train_variants
from mcinterp.training.transition import Transition, find_transition

NETWORKS = "networks"
REFERENCE = "reference"
"""The run of networks with the preset's settings, of which the preset's own network is the first."""
RATES = (0.003, 0.03, 0.1, 0.3)
GAINS = (2.0, 10.0, 40.0)
RANKS = (1, 2, 4, 8)
RANK_RATE, RANK_STEPS = 0.03, 2000
"""Learning rate and updates of the networks of every rank, whose read-out is trained, as the authors' is."""
FAST_STEPS = 3000
"""Updates at learning rates above the preset's, where what happens has happened by then."""
SEEN = {"training.checkpoints": 40, "training.replay_states": 80, "training.dense_checkpoints": 0}
"""The reference's velocity is looked at over training, and near the drop of each network."""
HALF, LEARNED, STRICT, DEAD = 0.5, 0.1, 0.01, 0.9
"""Shares of the first loss: below which the plateau is left; a network has learned; has by the paper's measure; above
which one that had left the plateau has died."""
LAST = 50
"""The loss at the end is the median of so many updates."""
DRAWN, POINTS = 5, 400
"""Networks of each learning rate whose losses are drawn, and the points of each curve."""

OUTCOME_COLUMNS = {
    "sweep": "what varies: the learning rate, the output's gain, or the rank of the recurrent weights",
    "rate": "learning rate",
    "gain": "of the overlap read-out; empty where the read-out is trained",
    "rank": "of the recurrent weights",
    "n": "networks, each of its own seed",
    "seed": "of the first",
    "updates": "of each",
    **interval_columns("dropped", f"share whose loss ever fell below {HALF:g} of its first (exact binomial interval)"),
    **interval_columns("learned", f"share whose loss ends below {LEARNED:g} of its first (exact binomial interval)"),
    **interval_columns("strictly", f"share whose loss ends below {STRICT:g} of its first, the paper's measure"),
    **interval_columns("died", f"share whose loss ever fell below {HALF:g} of its first and ends above {DEAD:g} of it"),
}
DROP_COLUMNS = {
    "rate": "learning rate",
    "n": "networks",
    "seed": "of the first",
    **interval_columns(
        "found", "share in whose loss the detector finds a plateau and a drop (exact binomial interval)"
    ),
    "n_found": "networks that the following are averages of",
    **interval_columns("start", "update at which the plateau is left"),
    **interval_columns("plateau_share", "time on the plateau over that until the end of the drop"),
}


@dataclass(frozen=True)
class Trained:
    """One setting's networks.

    Attributes:
        sweeps: that it is a point of.
        config: of the run.
    """

    sweeps: tuple[str, ...]
    config: RunConfig


def variants(config: RunConfig) -> dict[str, Trained]:
    """Name of a run → its networks, all varied from the preset's configuration."""
    base = changed(config, {"task.networks": SEEDS})
    rate, gain = config.training.learning_rate, cast(RecurrentConfig, config.model).gain
    found = {REFERENCE: Trained(("rate", "gain"), changed(base, SEEN))}
    for other in RATES:
        if other != rate:
            steps = min(config.training.steps, FAST_STEPS) if other > rate else config.training.steps
            own = {**FEW, "training.learning_rate": other, "training.steps": steps}
            found[f"rate-{other:g}"] = Trained(("rate",), changed(base, own))
    for other in GAINS:
        if other != gain:
            found[f"gain-{other:g}"] = Trained(("gain",), changed(base, {**FEW, "model.gain": other}))
    free = {**FEW, "model.readout": "trained", "model.gain": None, "training.learning_rate": RANK_RATE}
    free["training.steps"] = min(config.training.steps, RANK_STEPS)
    for rank in RANKS:
        found[f"rank-{rank}"] = Trained(("rank",), changed(base, {**free, "model.rank": rank}))
    return found


def train_networks(setting: Setting, run: Run) -> dict[str, Run]:
    """Train what is missing; the reference first.

    Raises:
        TrainingError: if a training was stopped or failed.
    """
    return train_variants(setting, run, {name: each.config for name, each in variants(run.config).items()})


def losses_of(run: Run) -> Floats:
    """The loss of every network before each update, (updates, networks)."""
    names = [name for name in run.metrics if str(name).startswith("loss_")]
    return run.metrics[names].to_numpy(dtype=np.float64)


def outcomes(losses: Floats) -> dict[str, Any]:
    """What became of each network, by name of a column, (networks,)."""
    first, last = losses[0], np.median(losses[-LAST:], axis=0)
    dropped = losses.min(0) < HALF * first
    return {
        "dropped": dropped,
        "learned": last < LEARNED * first,
        "strictly": last < STRICT * first,
        "died": dropped & (last > DEAD * first),
    }


def transitions(losses: Floats) -> list[Transition]:
    """What the detector says of every network's loss."""
    updates = np.arange(len(losses))
    return [find_transition(updates, curve, axis="update", quantity="the loss") for curve in losses.T]


def networks(run: Run, runs: Mapping[str, Run]) -> Result:
    """What became of all networks, and what the detector says of those of every learning rate.

    Args:
        run: of the preset.
        runs: its variants, trained.
    """
    named = variants(run.config)
    curves = {name: losses_of(runs[name]) for name in named}
    rows = [_outcome(sweep, each.config, curves[name]) for name, each in named.items() for sweep in each.sweeps]
    rows.sort(key=lambda row: (("rate", "gain", "rank").index(row["sweep"]), row[row["sweep"]]))
    rates = {each.config.training.learning_rate: curves[name] for name, each in named.items() if "rate" in each.sweeps}
    drops = [_drop(rate, rates[rate], run.config.training.seed) for rate in sorted(rates)]
    tables = {"outcomes": Table.of(OUTCOME_COLUMNS, rows), "drops": Table.of(DROP_COLUMNS, drops)}
    arrays = _drawn(rates)
    facts = {
        "axes": {"update": ["update"], "rate": ["rate"], "loss": ["rate", "network", "update"]},
        "reference_rate": run.config.training.learning_rate,
    }
    return Result(NETWORKS, "Trained networks", {"seeds": SEEDS}, facts, tables, arrays)


def _outcome(sweep: str, config: RunConfig, losses: Floats) -> dict[str, Any]:
    model, n = cast(RecurrentConfig, config.model), losses.shape[1]
    about = {
        "sweep": sweep,
        "rate": config.training.learning_rate,
        "gain": float("nan") if model.gain is None else model.gain,
        "rank": model.rank,
        "n": n,
        "seed": config.training.seed,
        "updates": len(losses),
    }
    for name, there in outcomes(losses).items():
        about |= share(int(there.sum()), n, name)
    return about


def _drop(rate: float, losses: Floats, seed: int) -> dict[str, Any]:
    found = [transition for transition in transitions(losses) if transition.found]
    starts = [transition.start for transition in found]
    plateaus = [(one.start - one.plateau_start) / (one.end - one.plateau_start) for one in found]
    about = {"rate": rate, "n": losses.shape[1], "seed": seed, "n_found": len(found)}
    about |= share(len(found), losses.shape[1], "found")
    about |= mean_estimate(np.array(starts or [np.nan])).columns("start")
    return about | mean_estimate(np.array(plateaus or [np.nan])).columns("plateau_share")


def _drawn(rates: Mapping[float, Floats]) -> dict[str, Floats]:
    """Curves of the first networks of every rate; NaN after the last update of a shorter run."""
    updates = np.unique(np.linspace(0, max(map(len, rates.values())) - 1, POINTS).astype(int))
    drawn = min(DRAWN, next(iter(rates.values())).shape[1])
    loss = np.full((len(rates), drawn, len(updates)), np.nan)
    for curves, rate in zip(loss, sorted(rates), strict=True):
        made = updates[updates < len(rates[rate])]
        curves[:, : len(made)] = rates[rate][made, :drawn].T
    return {"update": updates.astype(np.float64), "rate": np.array(sorted(rates)), "loss": loss}
