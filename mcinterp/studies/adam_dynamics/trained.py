"""Networks trained by the ordinary trainer with Adam and with k-Adam, at several learning rates: test loss of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch

from mcinterp.analysis.statistics import interval_columns, mean_estimate
from mcinterp.config import RunConfig
from mcinterp.results import Result, Table
from mcinterp.runs import Run
from mcinterp.runs.run import STATE
from mcinterp.runs.state import load_state
from mcinterp.studies.adam_dynamics.laws import Floats
from mcinterp.studies.adam_dynamics.task import TanhTeacher
from mcinterp.study.study import Setting
from mcinterp.study.trained import FEW, changed, train_variants
from mcinterp.training import TrainState, training_steps
from mcinterp.training.k_adam import Stages

TRAINED = "trained"
ADAM, ONE, TWO, SPLIT, SAME = "Adam", "1-Adam", "2-Adam", "2-Adam, split", "2-Adam, same"
STAGES: Mapping[str, Stages] = {
    ONE: ((0.9, 0.999),),
    TWO: ((0.9, 0.999), (0.0, 0.999)),
    SPLIT: ((1 / (1 + 2 / 9), 1 / (1 + 2 / 999)), (1 / (1 + 2 / 9), 1 / (1 + 2 / 999))),
    SAME: ((0.9, 0.999), (0.9, 0.999)),
}
"""Of k-Adam: one stage; a second without momentum; both with twice the usual rates of forgetting; both as usual."""
RATES = (0.0003, 0.001, 0.003, 0.01, 0.03)
SMALL = RATES[0]
PLAIN, NORMALISED = "plain", "normalised"
COMPARED = {PLAIN: (ADAM, TWO, SPLIT, SAME), NORMALISED: (ADAM, TWO)}
CHECKED = 0.01
"""The rate at which one stage is trained beside Adam, which it should be."""
POINTS, CHOOSING, JUDGING = 2000, 11, 12
"""Fresh points of every network, and the seeds of those that choose the rate and of those that judge."""

LOSS_COLUMNS = {
    "networks": "plain, or with normalised hidden layers",
    "optimiser": "and its stages",
    "rate": "learning rate",
    "n": "networks, each of its own seed",
    "seed": "of the first",
    **interval_columns("loss", "cross-entropy on fresh points after the last update, nats, mean over networks"),
    **interval_columns("size", "root mean square of the next update over the learning rate, mean over networks"),
}
BEST_COLUMNS = {
    "networks": "plain, or with normalised hidden layers",
    "optimiser": "and its stages",
    "rate": "the learning rate of the least loss on other points than these",
    "n": "networks, each of its own seed",
    "seed": "of the first",
    **interval_columns("loss", "cross-entropy on fresh points at that rate, nats, mean over networks"),
    **interval_columns("to_adam", "the same less Adam's at its own best rate, paired over networks"),
    **interval_columns("small", f"the same, both at the rate {SMALL:g}, paired over networks"),
    **interval_columns(
        "sizes", f"size of the next update at the rate {SMALL:g} over that of Adam's, mean over networks"
    ),
}
CHECK_COLUMNS = {
    "rate": "learning rate",
    "n": "networks, each of its own seed",
    "seed": "of the first",
    **interval_columns("difference", "cross-entropy of k-Adam with one stage less Adam's, paired over networks"),
}


@dataclass(frozen=True)
class Outcome:
    """What became of the networks of one run; all (networks,).

    Attributes:
        choosing: cross-entropy on the points that choose the rate.
        judging: on the points that judge.
        size: root mean square of the next update over the learning rate.
    """

    choosing: Floats
    judging: Floats
    size: Floats


def variants(config: RunConfig) -> dict[str, RunConfig]:
    """Name of a run → its configuration."""
    wanted = [(kind, name, rate) for kind, names in COMPARED.items() for name in names for rate in RATES]
    wanted.append((PLAIN, ONE, CHECKED))
    return {run_name(*each): changed(config, _changes(*each)) for each in wanted}


def run_name(kind: str, optimiser: str, rate: float) -> str:
    """Of a run's folder."""
    return f"{kind}-{optimiser.lower().replace(', ', '-')}-{rate:g}"


def _changes(kind: str, optimiser: str, rate: float) -> dict[str, Any]:
    stages = STAGES.get(optimiser)
    rule = {"training.optimiser": "adam" if stages is None else "k-adam"}
    own = {"training.optimiser_settings": {} if stages is None else {"stages": stages}}
    return {**FEW, **rule, **own, "training.learning_rate": rate, "model.normalised": kind == NORMALISED}


def train_networks(setting: Setting, run: Run) -> dict[str, Run]:
    """Train what is missing.

    Raises:
        TrainingError: if a training was stopped or failed.
    """
    return train_variants(setting, run, variants(run.config))


def trained(run: Run, runs: Mapping[str, Run]) -> Result:
    """Test losses of all variants.

    Args:
        run: of the preset.
        runs: its variants, trained.
    """
    found = {name: _outcome(each) for name, each in runs.items()}
    about = {"n": cast(Any, run.config.task).networks, "seed": run.config.training.seed}
    tables = {
        "best": Table.of(BEST_COLUMNS, [_best(*which, found, about) for which in _compared()]),
        "losses": Table.of(
            LOSS_COLUMNS, [_loss_row(*which, rate, found, about) for which in _compared() for rate in RATES]
        ),
        "check": Table.of(CHECK_COLUMNS, [_check(found, about)]),
    }
    each = np.array([[found[run_name(*which, rate)].judging for rate in RATES] for which in _compared()])
    facts: dict[str, Any] = {"axes": {"loss": ["compared", "rate", "network"]}, "rates": list(RATES)}
    facts["compared"] = [list(which) for which in _compared()]
    settings = {"points": POINTS, "updates": run.config.training.steps}
    return Result(TRAINED, "Adam and k-Adam, trained", settings, facts, tables, {"loss": each})


def _compared() -> list[tuple[str, str]]:
    return [(kind, name) for kind, names in COMPARED.items() for name in names]


def _outcome(run: Run) -> Outcome:
    checkpoint = run.checkpoint("last")
    task = cast(TanhTeacher, checkpoint.task)

    def loss(seed: int) -> Floats:
        batch = task.draw(POINTS, torch.Generator().manual_seed(seed))
        with torch.no_grad():
            return task.losses(checkpoint.model(batch.inputs), batch).double().numpy()

    return Outcome(loss(CHOOSING), loss(JUDGING), next_update(run))


def next_update(run: Run) -> Floats:
    """Root mean square over all weights of the update that would come next, over the learning rate, (networks,)."""
    checkpoint = run.checkpoint("last")
    model = checkpoint.model.requires_grad_(True)
    state = TrainState.fresh(dict(model.named_parameters()), run.config.training)
    load_state(run, run.path / STATE, state)
    before = _flat(model)
    longer = run.config.training.model_copy(update={"steps": state.step + 1})
    (record,) = training_steps(state, checkpoint.task, model, longer, torch.device("cpu"))
    moved = (_flat(model) - before) / record.learning_rate
    return moved.square().mean(1).sqrt().numpy()


def _flat(model: torch.nn.Module) -> torch.Tensor:
    return torch.cat([each.detach().double().flatten(1) for each in model.parameters()], 1)


def _loss_row(
    kind: str, optimiser: str, rate: float, found: Mapping[str, Outcome], about: Mapping[str, int]
) -> dict[str, Any]:
    outcome = found[run_name(kind, optimiser, rate)]
    return {
        **{"networks": kind, "optimiser": optimiser, "rate": rate},
        **about,
        **mean_estimate(outcome.judging).columns("loss"),
        **mean_estimate(outcome.size).columns("size"),
    }


def _best(kind: str, optimiser: str, found: Mapping[str, Outcome], about: Mapping[str, int]) -> dict[str, Any]:
    rate, adams = (_best_rate(kind, name, found) for name in (optimiser, ADAM))
    own, adam = found[run_name(kind, optimiser, rate)], found[run_name(kind, ADAM, adams)]
    small, adam_small = (found[run_name(kind, name, SMALL)] for name in (optimiser, ADAM))
    return {
        **{"networks": kind, "optimiser": optimiser, "rate": rate},
        **about,
        **mean_estimate(own.judging).columns("loss"),
        **mean_estimate(own.judging - adam.judging).columns("to_adam"),
        **mean_estimate(small.judging - adam_small.judging).columns("small"),
        **mean_estimate(small.size / adam_small.size).columns("sizes"),
    }


def _best_rate(kind: str, optimiser: str, found: Mapping[str, Outcome]) -> float:
    return min(RATES, key=lambda rate: float(found[run_name(kind, optimiser, rate)].choosing.mean()))


def _check(found: Mapping[str, Outcome], about: Mapping[str, int]) -> dict[str, Any]:
    difference = found[run_name(PLAIN, ONE, CHECKED)].judging - found[run_name(PLAIN, ADAM, CHECKED)].judging
    return {"rate": CHECKED, **about, **mean_estimate(difference).columns("difference")}
