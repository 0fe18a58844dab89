"""Layers whose weights' scale means nothing: what becomes of their norm, and how far they turn with an update."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mcinterp.analysis.statistics import interval_columns, mean_estimate
from mcinterp.results import Result, Table
from mcinterp.studies.adam_dynamics import SEEDS
from mcinterp.studies.adam_dynamics.config import PerceptronConfig
from mcinterp.studies.adam_dynamics.grid import TASK, WIDTH
from mcinterp.studies.adam_dynamics.laws import Floats
from mcinterp.studies.adam_dynamics.model import Perceptrons
from mcinterp.studies.adam_dynamics.task import Teachers
from mcinterp.studies.adam_dynamics.updates import ExactAdam, descend

INVARIANT = "invariant"
MOMENTA, BETA2 = (0.0, 0.5, 0.9), 0.99
SCALES = (0.1, 1.0, 10.0)
"""What the initial weights of hidden layers are multiplied by."""
RATE, DECAY = 0.01, 1.0
UPDATES, LAST, BATCH = 800, 200, 16
LAYER = 1
"""The hidden layer that is read."""
EVERY = 4
"""Every so many updates are drawn."""
NETWORKS = [(one, scale, i) for one in MOMENTA for scale in SCALES for i in range(SEEDS)]
"""β₁, scale and number of the seed of each network."""

NETWORK_COLUMNS = {
    "normalised": "whether hidden layers are",
    "beta1": "decay of the mean gradient",
    "scale": "of the initial weights of hidden layers",
    "seed": "of weights, points and teacher",
    "cosine": f"largest |cos| of the layer's weights and their gradient at any of {UPDATES} updates",
    "over_average": "‖W‖² over the moving average of ‖u‖², mean over the last updates",
    "over_factor": "‖W‖² over that average times (1 + β₁)/(1 − β₁), likewise",
    "angle": "between the weights before and after an update, radians, mean over the last updates",
    "over_law": "angle over √(2ηλ(1 − β₁)/(1 + β₁))",
}
SETTING_COLUMNS = {
    "normalised": "whether hidden layers are",
    "beta1": "decay of the mean gradient",
    "n": "networks, every scale from every seed",
    "seeds": "different ones among them",
    "seed": "the first",
    "cosine": "largest |cos| of the layer's weights and their gradient in any network at any update",
    **interval_columns("over_average", "‖W‖² over the moving average of ‖u‖², mean over networks"),
    **interval_columns("over_factor", "‖W‖² over that average times (1 + β₁)/(1 − β₁), mean over networks"),
    **interval_columns("angle", "by which the weights turn with an update, radians, mean over networks"),
    "law": "√(2ηλ(1 − β₁)/(1 + β₁))",
    **interval_columns("over_law", "angle over that, mean over networks"),
    **interval_columns("scales", "angle from the smallest initial weights over that from the largest, mean over seeds"),
}


@dataclass(frozen=True)
class Course:
    """What the layer did, update by update; all (updates, networks).

    Attributes:
        cosine: of weights and gradient.
        norm: ‖W‖² after each update.
        average: what it would be if W and u were orthogonal.
        factor: the same with ‖u‖² times (1 + β₁)/(1 − β₁).
        angle: between the weights before and after, radians.
    """

    cosine: Floats
    norm: Floats
    average: Floats
    factor: Floats
    angle: Floats


def invariant(seed: int) -> Result:
    """Train networks with weight decay from small, usual and large weights, with and without normalisation.

    Args:
        seed: the first.
    """
    courses = {normalised: _course(normalised, seed) for normalised in (True, False)}
    rows = [row for normalised, course in courses.items() for row in _network_rows(normalised, course, seed)]
    settings = [_setting(normalised, beta1, rows, seed) for normalised in courses for beta1 in MOMENTA]
    tables = {"settings": Table.of(SETTING_COLUMNS, settings), "networks": Table.of(NETWORK_COLUMNS, rows)}
    drawn = [NETWORKS.index((MOMENTA[-1], scale, 0)) for scale in SCALES]
    names = ("norm", "average", "factor", "angle")
    arrays = {name: getattr(courses[True], name)[::EVERY, drawn].T for name in names}
    arrays["update"] = np.arange(1, UPDATES + 1)[::EVERY].astype(np.float64)
    facts = {
        "axes": {"update": ["update"], **{name: ["scale", "update"] for name in names}},
        "scales": list(SCALES),
        "beta1": MOMENTA[-1],
        "law": law(MOMENTA[-1]),
    }
    settings_of = {"rate": RATE, "weight_decay": DECAY, "beta2": BETA2, "batch": BATCH, "updates": UPDATES}
    return Result(INVARIANT, "Layers whose scale means nothing", settings_of, facts, tables, arrays)


def law(beta1: float) -> float:
    """The angle by which weights turn with an update once their norm has settled, √(2ηλ(1 − β₁)/(1 + β₁)), radians."""
    return float(np.sqrt(2 * RATE * DECAY * (1 - beta1) / (1 + beta1)))


def _course(normalised: bool, seed: int) -> Course:
    network = _networks(normalised, seed)
    weights = list(network.parameters())
    momenta = np.array([one for one, _, _ in NETWORKS])
    adam = ExactAdam(weights, momenta, np.full(len(NETWORKS), BETA2))
    factor = torch.from_numpy((1 + momenta) / (1 - momenta))
    layer = weights[LAYER]
    average = with_factor = layer.detach().square().sum((1, 2))
    found = []
    for batch in _batches(seed):
        before = layer.detach().clone()
        gradients = torch.autograd.grad(_loss(network, *batch), weights)
        update = _updated(adam, weights, gradients)
        shrunk, gained = (1 - RATE * DECAY) ** 2, RATE**2 * update.square().sum((1, 2))
        average, with_factor = shrunk * average + gained, shrunk * with_factor + factor * gained
        after = layer.detach()
        norm = after.square().sum((1, 2))
        found.append([_cosine(before, gradients[LAYER]), norm, average, with_factor, _cosine(before, after).acos()])
    return Course(*(torch.stack([row[i] for row in found]).numpy() for i in range(5)))


def _updated(adam: ExactAdam, weights: Sequence[Tensor], gradients: tuple[Tensor, ...]) -> Tensor:
    """Decay the weights and take the update; returns that of the layer that is read, over the learning rate."""
    ratios, corrected = adam.ratios(gradients), adam.corrections()
    with torch.no_grad():
        for each in weights:
            each.mul_(1 - RATE * DECAY)
    descend(weights, ratios, RATE * corrected)
    return ratios[LAYER] * corrected.view(-1, 1, 1)


def _cosine(one: Tensor, other: Tensor) -> Tensor:
    return nn.functional.cosine_similarity(one.flatten(1), other.flatten(1), dim=1, eps=0.0)


def _networks(normalised: bool, seed: int) -> Perceptrons:
    config = PerceptronConfig(width=WIDTH, normalised=normalised)
    seeds = [seed + i for _, _, i in NETWORKS]
    network = Perceptrons(config, TASK.inputs, TASK.classes, seeds).double()
    scales = torch.tensor([scale for _, scale, _ in NETWORKS], dtype=torch.float64).view(-1, 1, 1)
    with torch.no_grad():
        for hidden in list(network.parameters())[:-1]:
            hidden.mul_(scales)
    return network


def _batches(seed: int) -> Any:
    """Fresh points and classes of every network, those of the same seed alike."""
    generators = [torch.Generator().manual_seed(seed + i) for i in range(SEEDS)]
    teachers, of = Teachers(TASK, [seed + i for i in range(SEEDS)]), [i for _, _, i in NETWORKS]
    for _ in range(UPDATES):
        drawn = [torch.randn(BATCH, TASK.inputs, generator=one, dtype=torch.float64) for one in generators]
        points = torch.stack(drawn, 1)
        yield points[:, of], teachers.classes(points)[:, of]


def _loss(network: Perceptrons, points: Tensor, classes: Tensor) -> Tensor:
    each = nn.functional.cross_entropy(network(points).flatten(0, 1), classes.flatten(), reduction="none")
    return each.view(classes.shape).mean(0).sum()


def _network_rows(normalised: bool, course: Course, seed: int) -> list[dict[str, Any]]:
    last = slice(-LAST, None)
    columns = {
        "cosine": np.abs(course.cosine).max(0),
        "over_average": (course.norm / course.average)[last].mean(0),
        "over_factor": (course.norm / course.factor)[last].mean(0),
        "angle": course.angle[last].mean(0),
    }
    return [
        {"normalised": normalised, "beta1": beta1, "scale": scale, "seed": seed + i}
        | {name: float(values[at]) for name, values in columns.items()}
        | {"over_law": float(columns["angle"][at]) / law(beta1)}
        for at, (beta1, scale, i) in enumerate(NETWORKS)
    ]


def _setting(normalised: bool, beta1: float, rows: list[dict[str, Any]], seed: int) -> dict[str, Any]:
    mine = [row for row in rows if row["normalised"] == normalised and row["beta1"] == beta1]
    by_scale = [np.array([row["angle"] for row in mine if row["scale"] == scale]) for scale in (SCALES[0], SCALES[-1])]
    found = {
        "normalised": normalised,
        "beta1": beta1,
        "n": len(mine),
        "seeds": SEEDS,
        "seed": seed,
        "cosine": max(row["cosine"] for row in mine),
        "law": law(beta1),
    }
    for name in ("over_average", "over_factor", "angle", "over_law"):
        found |= mean_estimate(np.array([row[name] for row in mine])).columns(name)
    found |= mean_estimate(by_scale[0] / by_scale[1]).columns("scales")
    return {name: found[name] for name in SETTING_COLUMNS}
