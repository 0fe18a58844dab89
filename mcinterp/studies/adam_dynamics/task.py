"""Points with the class that a random tanh network gives them, for several networks side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mcinterp.studies.adam_dynamics.config import TeacherConfig
from mcinterp.task.batch import Batch, ScoreKind, TaskBase

SHARPNESS = 2.0
"""The standard deviation of what a teacher's tanh units are given, so that most are far from linear."""


@dataclass(frozen=True)
class TeacherBatch(Batch):
    """Points of every network.

    Attributes:
        inputs: float32, (n, networks, inputs).
        targets: int64, (n, networks): each point's class.
    """


class Teachers:
    """Random tanh networks, which name classes.

    Args:
        config: their size.
        seeds: one a teacher.
        device: where they answer.
    """

    def __init__(self, config: TeacherConfig, seeds: Sequence[int], device: torch.device | str = "cpu") -> None:
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self._into = SHARPNESS * _normal(generators, config.inputs, config.hidden).to(device)
        self._out_of = _normal(generators, config.hidden, config.classes).to(device)

    def classes(self, points: Float[Tensor, "n teacher inputs"]) -> Tensor:
        """The class of each point by its teacher, int64, (n, teacher)."""
        into, out_of = self._into.to(points.dtype), self._out_of.to(points.dtype)
        outputs: Tensor = torch.tanh(points.transpose(0, 1) @ into) @ out_of
        return outputs.argmax(-1).T


class TanhTeacher(TaskBase[TeacherBatch]):
    """Learn the classes that a random tanh network gives to points normal(0, 1).

    Several networks are asked side by side, none of which knows of the others: the loss that is trained is the sum of
    their mean cross-entropies, so that each has its own gradient. The teacher of network i is drawn with the seed of
    the run's ground truth (`training.chain_seed`) plus i.
    """

    progress_score = "cross_entropy"
    loss_name = "cross-entropy, nats"
    score_kinds: Mapping[str, ScoreKind] = {
        "cross_entropy": ScoreKind("of the teacher's class, in nats, mean over points and networks"),
        "accuracy": ScoreKind("share of points whose class is the most probable one", True),
    }

    def __init__(self, config: TeacherConfig) -> None:
        self.config = config
        self._teachers: dict[str, Teachers] = {}

    def draw(self, n: int, generator: torch.Generator) -> TeacherBatch:
        """Draw `n` points for every network."""
        shape, device = (n, self.config.networks, self.config.inputs), generator.device
        points = torch.randn(shape, generator=generator, device=device)
        return TeacherBatch(points, self.teachers(device).classes(points))

    def teachers(self, device: torch.device | str = "cpu") -> Teachers:
        """The networks' own, in order."""
        if str(device) not in self._teachers:
            seeds = range(self.config.chain, self.config.chain + self.config.networks)
            self._teachers[str(device)] = Teachers(self.config, seeds, device)
        return self._teachers[str(device)]

    def losses(self, output: Float[Tensor, "n network class"], batch: TeacherBatch) -> Float[Tensor, " network"]:
        """The mean cross-entropy of every network."""
        each = nn.functional.cross_entropy(output.flatten(0, 1), batch.targets.flatten(), reduction="none")
        return each.view(batch.targets.shape).mean(0)

    def loss(self, output: Tensor, batch: TeacherBatch) -> Tensor:
        """The sum of the networks' losses."""
        return self.losses(output, batch).sum()

    def scores(self, output: Tensor, batch: TeacherBatch) -> Mapping[str, Tensor]:
        """The networks' mean loss, and how often they name the class."""
        right = (output.argmax(-1) == batch.targets).to(output.dtype).mean()
        return {"cross_entropy": self.losses(output, batch).mean(), "accuracy": right}


def _normal(generators: Sequence[torch.Generator], fan_in: int, fan_out: int) -> Tensor:
    """Weights of variance 1/fan_in, each network's from its own generator, (networks, fan_in, fan_out)."""
    drawn = [torch.randn(fan_in, fan_out, generator=generator) for generator in generators]
    return torch.stack(drawn) / fan_in**0.5
