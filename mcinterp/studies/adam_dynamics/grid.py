"""Networks of every pair of decays, trained side by side without ε: whose updates explode, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mcinterp.studies.adam_dynamics.bounds import DECAY1, DECAY2, PAIRS, UPDATES
from mcinterp.studies.adam_dynamics.config import PerceptronConfig, TeacherConfig
from mcinterp.studies.adam_dynamics.laws import Floats, bound
from mcinterp.studies.adam_dynamics.model import Perceptrons
from mcinterp.studies.adam_dynamics.task import Teachers
from mcinterp.studies.adam_dynamics.updates import ExactAdam, descend, largest

TASK = TeacherConfig(inputs=8, classes=4, hidden=24)
WIDTH = 24
POINTS = 128
"""Points of a batch."""
FIXED, FRESH = "fixed", "fresh"
"""Whether every update sees the same points, or others, of the same teacher."""
FIRST, LAST = 50, 100
"""An explosion is beyond what the first updates show; its slope is that of the last ones."""
BEYOND = 10
"""At the first update every gradient attains the bound: the share beyond so many is told apart."""
EXPLODED = 10.0
"""Times the largest update of the first, or 1 if that is more, beyond which an update has exploded."""


@dataclass(frozen=True)
class Trained:
    """What 500 updates of networks of every pair of decays showed, at one learning rate and from one seed.

    Attributes:
        points: `fixed` or `fresh`.
        normalised: whether hidden layers are.
        rate: learning rate.
        seed: of weights, points and teacher.
        sizes: largest entry of the update over the rate, (updates, pairs).
        share: largest |m|/√v over its bound at any update, (pairs,).
        share_late: the same beyond the first `BEYOND`.
        forgetting: how fast v of the largest entry falls over the last updates, over ln β₂: 1 where its gradients have
            vanished beside what v remembers, about 0 where they stay as they are; NaN where v is 0, (pairs,).
        loss: cross-entropy at the end, (pairs,).
    """

    points: str
    normalised: bool
    rate: float
    seed: int
    sizes: Floats
    share: Floats
    share_late: Floats
    forgetting: Floats
    loss: Floats

    @property
    def exploded(self) -> Any:
        """Which pairs' updates have, (pairs,)."""
        return self.sizes[-1] > EXPLODED * np.maximum(1.0, self.sizes[:FIRST].max(0))

    @property
    def slopes(self) -> Floats:
        """Of the logarithm of the largest entry over the last updates, by least squares, (pairs,)."""
        last = np.maximum(self.sizes[-LAST:], np.finfo(np.float64).tiny)
        return np.asarray(np.polyfit(np.arange(LAST), np.log(last), 1)[0])


def train(points: str, normalised: bool, rate: float, seed: int) -> Trained:
    """Train networks of all pairs from the same weights on the same points, each with its own update."""
    batches = _batches(points, seed)
    network = _networks(normalised, seed)
    weights = list(network.parameters())
    adam = ExactAdam(weights, DECAY1, DECAY2)
    limits = torch.from_numpy(bound(DECAY1, DECAY2, np.arange(1, UPDATES + 1)[:, None]))
    sizes, shares, before = [], [], []
    for n in range(UPDATES):
        if n == UPDATES - LAST:
            before = [square.clone() for square in adam.squares]
        losses = _losses(network, *next(batches))
        ratios = adam.ratios(torch.autograd.grad(losses.sum(), weights))
        most, corrected = largest(ratios), adam.corrections()
        sizes.append(most * corrected)
        shares.append(most / limits[n])
        descend(weights, ratios, rate * corrected)
    share = torch.stack(shares)
    forgetting = _forgetting(before, adam.squares, ratios)
    found = (torch.stack(sizes), share.amax(0), share[BEYOND:].amax(0), forgetting, losses.detach())
    return Trained(points, normalised, rate, seed, *(each.numpy() for each in found))


def _batches(kind: str, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Points and classes, which all networks see, (points, pairs, inputs) and (points, pairs), for ever."""
    generator, teacher = torch.Generator().manual_seed(seed), Teachers(TASK, [seed])
    while True:
        points = torch.randn(POINTS, 1, TASK.inputs, generator=generator, dtype=torch.float64)
        batch = points.expand(-1, len(PAIRS), -1), teacher.classes(points).expand(-1, len(PAIRS))
        yield batch
        while kind == FIXED:
            yield batch


def _networks(normalised: bool, seed: int) -> Perceptrons:
    config = PerceptronConfig(width=WIDTH, normalised=normalised)
    return Perceptrons(config, TASK.inputs, TASK.classes, [seed] * len(PAIRS)).double()


def _losses(network: Perceptrons, points: Tensor, classes: Tensor) -> Tensor:
    outputs = network(points)
    each = nn.functional.cross_entropy(outputs.flatten(0, 1), classes.flatten(), reduction="none")
    return each.view(classes.shape).mean(0)


def _forgetting(before: list[Tensor], after: list[Tensor], ratios: list[Tensor]) -> Tensor:
    """See `Trained`; of the entry with the largest update."""
    early, late, made = (torch.cat([each.flatten(1) for each in part], 1) for part in (before, after, ratios))
    at = made.abs().argmax(1, keepdim=True)
    fall = (late.gather(1, at) / early.gather(1, at)).log()[:, 0]
    found = fall / (LAST * torch.from_numpy(np.log(DECAY2)))
    return torch.where(found.isfinite(), found, torch.nan)
