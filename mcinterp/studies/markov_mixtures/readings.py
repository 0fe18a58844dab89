"""What every checkpoint of a network predicts for the same sequences, beside the truth and the algorithms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mcinterp.analysis.passes.oracles import CHUNK, Bench
from mcinterp.analysis.statistics import Floats
from mcinterp.model.fused import training_forward
from mcinterp.runs import Checkpoint
from mcinterp.studies.markov_mixtures.networks import Network
from mcinterp.studies.markov_mixtures.oracles import KINDS
from mcinterp.studies.markov_mixtures.task import UNSEEN
from mcinterp.studies.markov_mixtures.weights import Weights
from mcinterp.task.next_token import RANDOM

FAMILIES = {"ID": RANDOM, "OOD": UNSEEN}
"""Sequences of the training chains, and each of a chain that is not among them."""
FAMILY_MEANING = "of which sequences. ID: of the training chains; OOD: of unseen chains, one each"


@dataclass(frozen=True)
class Sequences:
    """Sequences of one family, with what the algorithms predict and what every checkpoint does.

    Attributes:
        bench: the batch and the algorithms.
        truth: rows of the sequences' own chains, (n, place, k).
        points: predictions of each checkpoint, (n, place, k).
    """

    bench: Bench
    truth: Tensor
    points: tuple[Tensor, ...]

    def late(self, apart: Tensor) -> Floats:
        """The mean over late places of what is measured at each, (n, place), of each sequence."""
        return self.mean(apart, self.bench.main)

    @staticmethod
    def mean(apart: Tensor, where: Floats) -> Floats:
        """The mean over some places, of each sequence."""
        return np.asarray((apart.numpy() * where).sum(1) / where.sum(1))

    def divergence(self, wanted: Tensor, given: Tensor) -> Floats:
        """KL(wanted ‖ given) of each sequence, mean over late places, nats."""
        return self.late(self.bench.task.divergence(wanted, given))

    @cached_property
    def from_truth(self) -> Floats:
        """KL(truth ‖ model), (step, n)."""
        return np.stack([self.divergence(self.truth, points) for points in self.points])

    @cached_property
    def distances(self) -> Floats:
        """KL(algorithm ‖ model), (step, algorithm, n)."""
        return np.stack([self.distances_of(points) for points in self.points])

    @cached_property
    def weights(self) -> Weights:
        """Of the mixture of the four algorithms at late places."""
        return Weights.of(self.points, self.bench.oracles, self.bench.main)

    def distances_of(self, points: Tensor) -> Floats:
        """The same of any predictions, (algorithm, n)."""
        return np.stack([self.divergence(self.bench.oracles[name], points) for name in KINDS])


@dataclass(frozen=True)
class Reading:
    """A network's predictions for the same sequences at all of its checkpoints.

    Attributes:
        network: which.
        steps: of its checkpoints.
        checkpoints: at these steps.
        seed: of the sequences.
        of: ID and OOD sequences.
    """

    network: Network
    steps: tuple[int, ...]
    checkpoints: tuple[Checkpoint, ...]
    seed: int
    of: Mapping[str, Sequences]

    @classmethod
    def of_network(cls, network: Network, samples: int, seed: int) -> Reading:
        """Read every checkpoint."""
        steps = tuple(network.run.steps)
        checkpoints = tuple(network.run.checkpoint(step) for step in steps)
        found = {}
        for name, family in FAMILIES.items():
            batch = checkpoints[0].sample(samples, seed, family=family)
            bench = Bench.of(task := checkpoints[0].task, batch)
            points = tuple(predictions_of(checkpoint, batch.inputs) for checkpoint in checkpoints)
            found[name] = Sequences(bench, task.truth(batch).cpu(), points)
        return cls(network, steps, checkpoints, seed, found)

    @property
    def trained(self) -> Sequences:
        """Those of the training chains."""
        return self.of["ID"]

    @property
    def unseen(self) -> Sequences:
        """Those of unseen chains."""
        return self.of["OOD"]

    def about(self, **more: Any) -> dict[str, Any]:
        """Columns that every row of the network has."""
        return {**self.network.about, **more, "n": self.trained.bench.n, "seed": self.seed}

    @cached_property
    def untrained_distances(self) -> Floats:
        """Of a network that was never trained, from other weights, (algorithm, n)."""
        config = self.network.run.config
        untrained = Checkpoint.untrained(config, seed=config.training.seed + 1)
        return self.trained.distances_of(predictions_of(untrained, self.trained.bench.batch.inputs))


@torch.no_grad()
def predictions_of(checkpoint: Checkpoint, tokens: Tensor) -> Tensor:
    """A checkpoint's probabilities of the next token, float64 on the CPU, (n, pos, k)."""
    # The pass without hooks, as training has it: several times as fast, and there are hundreds of checkpoints.
    forward = training_forward(checkpoint.model)
    return torch.cat([forward(part) for part in torch.split(tokens, CHUNK)]).double().softmax(-1).cpu()
