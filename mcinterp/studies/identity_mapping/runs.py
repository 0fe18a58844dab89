"""The trained networks: stochastic gradient descent through the ordinary trainer, several seeds of each setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mcinterp.analysis.statistics import interval_columns, mean_estimate
from mcinterp.config import RunConfig
from mcinterp.results import Result, Table
from mcinterp.runs import Run
from mcinterp.studies.identity_mapping import SEEDS
from mcinterp.studies.identity_mapping.config import IdentityConfig, LinearConfig
from mcinterp.studies.identity_mapping.equations import descended, learned_after, rise_of
from mcinterp.study.study import Setting
from mcinterp.study.trained import FEW, changed, train_variants

Floats = NDArray[np.float64]

NETWORKS = "networks"
ONE = {"model.layers": 1, "model.symmetric": False, "model.diagonal": 0.0, "model.correlation": 0.0}
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "one layer": ONE,
    "one layer, more noise along the weaker concept": ONE | {"task.noise": (1.5, 0.05)},
    "one layer, equal signals": ONE | {"task.signals": (1.5, 1.5)},
    "two layers, correlated": {},
    "two layers, uncorrelated": {"model.correlation": 0.0},
}
"""What each setting changes in the preset."""
FITTED = (0.05, 0.95)
"""A rate is fitted while this much of a concept is learned."""
SMOOTHED = 25
"""Over so many updates the training loss is averaged on either side, batches being small."""
POINTS = 120

RATE_COLUMNS = {
    "setting": "of the networks",
    "concept": "which axis",
    "signal": "μ_p",
    "noise": "σ_p",
    "expected": "a_p = μ_p²/s + σ_p²",
    **interval_columns("share", "rate fitted to the course of learning, over a_p; mean over seeds"),
    "n": "seeds",
}
ORDER_COLUMNS = {
    "setting": "of the networks",
    "expected": "log of the time to learn half of concept 1 over that of concept 2, by the closed form",
    **interval_columns("measured", "the same of the trained networks; mean over seeds"),
    **interval_columns("share", "measured over expected; empty where nothing is expected"),
    "n": "seeds",
}
SWING_COLUMNS = {
    "setting": "of the networks",
    "expected": "rise of the test point's loss by exact gradient descent, as a share of its beginning",
    **interval_columns("rise", "the same of the trained networks; mean over seeds"),
    **interval_columns("share", "rise over expected; empty where nothing is expected"),
    **interval_columns(
        "loss_change", "change of the training loss while the test point's rises, as a share; over seeds"
    ),
    "n": "seeds",
}
CURVE_COLUMNS = {
    "setting": "of the networks",
    "concept": "which axis",
    "time": "learning rate × updates",
    **interval_columns("learned", "answer at the test point over the signal; mean over seeds"),
    "closed_form": "by exact gradient descent; empty for two layers",
}


def networks(setting: Setting, run: Run) -> Result:
    """Train what is missing and measure it.

    Raises:
        TrainingError: if a training was stopped or failed.
    """
    trained = _trained(setting, run)
    config = trained["one layer"][0].config
    one = {name: runs for name, runs in trained.items() if _is_one(runs)}
    two = {name: runs for name, runs in trained.items() if name not in one}
    tables = {
        "rates": Table.of(RATE_COLUMNS, [row for name, runs in one.items() for row in _rate_rows(name, runs)]),
        "order": Table.of(ORDER_COLUMNS, [_order_row(name, runs) for name, runs in one.items()]),
        "swing": Table.of(SWING_COLUMNS, [_swing_row(name, runs) for name, runs in two.items()]),
        "curves": Table.of(CURVE_COLUMNS, [row for name, runs in trained.items() for row in _curve_rows(name, runs)]),
    }
    facts = {"learning_rate": config.training.learning_rate, "batch_size": config.training.batch_size, "seeds": SEEDS}
    return Result(NETWORKS, "The trained networks", {"seeds": SEEDS}, facts, tables)


def variants(config: RunConfig) -> dict[str, tuple[str, RunConfig]]:
    """Name of a run → its setting and configuration; the preset's own run is one of the correlated ones."""
    found = {}
    for index, (setting, changes) in enumerate(SETTINGS.items()):
        for seed in range(config.training.seed, config.training.seed + SEEDS):
            variant = changed(config, {**changes, **FEW, "training.seed": seed})
            if changes or seed != config.training.seed:
                found[f"{index}-{setting.replace(', ', '-').replace(' ', '-')}-seed{seed}"] = (setting, variant)
    return found


def _trained(setting: Setting, run: Run) -> dict[str, list[Run]]:
    named = variants(run.config)
    runs = train_variants(setting, run, {name: config for name, (_, config) in named.items()})
    found: dict[str, list[Run]] = {name: [] for name in SETTINGS}
    found["two layers, correlated"].append(run)
    for name, (of, _) in named.items():
        found[of].append(runs[name])
    return found


def _is_one(runs: Sequence[Run]) -> bool:
    return _model(runs[0]).layers == 1


def _rate_rows(name: str, runs: Sequence[Run]) -> list[dict[str, Any]]:
    task = _task(runs[0])
    rows = []
    for concept, expected in enumerate(task.rates, 1):
        share = _over_seeds("share", [_fitted_rate(run, concept) / expected for run in runs])
        signal, noise = task.signals[concept - 1], task.noise[concept - 1]
        about = {"setting": name, "concept": concept, "signal": signal, "noise": noise, "expected": expected}
        rows.append({**about, **share, "n": len(runs)})
    return rows


def _order_row(name: str, runs: Sequence[Run]) -> dict[str, Any]:
    first, second = (_half(learned) for learned in _closed_form(runs[0]).T[:2])
    expected = float(np.log(first / second))
    measured = []
    for run in runs:
        halves = [_half(run.metrics[f"learned_{concept}"].to_numpy()) for concept in (1, 2)]
        measured.append(float(np.log(halves[0] / halves[1])))
    share = [value / expected if abs(expected) > 1e-9 else np.nan for value in measured]
    about = {"setting": name, "expected": expected}
    return {**about, **_over_seeds("measured", measured), **_over_seeds("share", share), "n": len(runs)}


def _swing_row(name: str, runs: Sequence[Run]) -> dict[str, Any]:
    config = runs[0].config
    exact = descended(_task(runs[0]), _model(runs[0]), config.training.learning_rate, config.training.steps)
    expected = float(rise_of(exact))
    rises = [float(rise_of(run.metrics["ood_loss"].to_numpy())) for run in runs]
    share = [rise / expected if expected > 0 else np.nan for rise in rises]
    return {
        "setting": name,
        "expected": expected,
        **_over_seeds("rise", rises),
        **_over_seeds("share", share),
        **_over_seeds("loss_change", [_loss_change(run.metrics) for run in runs]),
        "n": len(runs),
    }


def _loss_change(metrics: pd.DataFrame) -> float:
    """From before the test point's loss begins to rise to after it has risen."""
    ood = metrics["ood_loss"].to_numpy()
    crest = int(np.argmax(ood - np.minimum.accumulate(ood)))
    trough = int(np.argmin(ood[: crest + 1]))
    if crest == trough:
        return float("nan")
    loss = metrics["loss"].rolling(2 * SMOOTHED + 1, center=True, min_periods=1).mean().to_numpy()
    return float(loss[crest] / loss[trough] - 1)


def _curve_rows(name: str, runs: Sequence[Run]) -> list[dict[str, Any]]:
    task, training = _task(runs[0]), runs[0].config.training
    exact = _closed_form(runs[0]) if _is_one(runs) else np.full((training.steps, task.d), np.nan)
    rows = []
    for concept in range(1, task.d + 1):
        curves = np.stack([run.metrics[f"learned_{concept}"].to_numpy() for run in runs])
        for at in range(0, training.steps, max(1, training.steps // POINTS)):
            about = {"setting": name, "concept": concept, "time": at * training.learning_rate}
            estimate = _over_seeds("learned", curves[:, at].tolist())
            rows.append({**about, **estimate, "closed_form": float(exact[at, concept - 1])})
    return rows


def _closed_form(run: Run) -> Floats:
    """What gradient descent on the exact loss has learned before each update, (updates, concepts)."""
    training = run.config.training
    updates = np.arange(training.steps, dtype=np.float64)
    return learned_after(_task(run).rates, updates, training.learning_rate)


def _fitted_rate(run: Run, concept: int) -> float:
    """The rate a of 1 − (1 − η a)^k, from a line through the logarithm of what is not yet learned."""
    learned = run.metrics[f"learned_{concept}"].to_numpy()
    done = np.flatnonzero(learned > FITTED[1])
    part = np.arange(int(done[0]) if len(done) else 0)
    part = part[learned[part] > FITTED[0]]
    if len(part) < 3:
        return float("nan")
    slope = np.polyfit(part, np.log(1 - learned[part]), 1)[0]
    return float((1 - np.exp(slope)) / run.config.training.learning_rate)


def _half(learned: Floats) -> float:
    """After how many updates half is learned, between two of them; NaN if it never is."""
    after = np.flatnonzero(learned >= 0.5)
    if not len(after) or after[0] == 0:
        return float("nan")
    at = int(after[0])
    return float(at - (learned[at] - 0.5) / (learned[at] - learned[at - 1]))


def _over_seeds(name: str, values: Sequence[float]) -> dict[str, float]:
    """Mean and interval; NaN where one seed has no value, so that failures are not averaged away."""
    if not np.isfinite(values).all():
        return dict.fromkeys((name, f"{name}_low", f"{name}_high"), float("nan"))
    return mean_estimate(np.asarray(values)).columns(name)


def _task(run: Run) -> IdentityConfig:
    return cast(IdentityConfig, run.config.task)


def _model(run: Run) -> LinearConfig:
    return cast(LinearConfig, run.config.model)
