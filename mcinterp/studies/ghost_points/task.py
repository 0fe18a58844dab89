"""The delayed switch: nothing for T steps, then one for as many, from a state that is always the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from mcinterp.studies.ghost_points.config import SwitchConfig
from mcinterp.task.batch import Batch, ScoreKind, TaskBase


@dataclass(frozen=True)
class SwitchBatch(Batch):
    """Samples that are all the same.

    Attributes:
        inputs: float32, (n, 2T): the state that units begin in, then zeros, for nothing is given later.
        targets: float32, (n, 2T): 0 at the first T steps, 1 at the others.
    """


class DelayedSwitch(TaskBase[SwitchBatch]):
    """The delayed switch of arXiv 2501.02378.

    The output of a network after each of 2T steps has to be 0 until step T and 1 after it; its loss is the sum of the
    squared errors over T. Several networks are asked side by side, none of which knows of the others: the loss that is
    trained is the sum of theirs, so that each has its own gradient, and `switch_loss` their mean.
    """

    progress_score = "switch_loss"
    loss_name = "Σ squared error / T"

    def __init__(self, config: SwitchConfig) -> None:
        self.config = config
        several = range(1, config.networks + 1) if config.networks > 1 else ()
        self.score_kinds = {
            "switch_loss": ScoreKind("sum of the squared errors over T, mean over networks"),
            "wrong": ScoreKind("share of the steps at which the output is on the wrong side of ½", True),
            **{f"loss_{i}": ScoreKind(f"sum of the squared errors over T of network {i}", True) for i in several},
        }

    def draw(self, n: int, generator: torch.Generator) -> SwitchBatch:
        """The one sample, `n` times; the generator is not used but for its device."""
        steps = 2 * self.config.target
        inputs = torch.zeros(n, steps, device=generator.device)
        inputs[:, 0] = self.config.start
        targets = torch.zeros(n, steps, device=generator.device)
        targets[:, self.config.target :] = 1.0
        return SwitchBatch(inputs, targets)

    def losses(self, output: Float[Tensor, "n step network"], batch: SwitchBatch) -> Float[Tensor, " network"]:
        """Of each network, of its outputs after each of 2T steps."""
        return (output - batch.targets[..., None]).square().sum(1).mean(0) / self.config.target

    def loss(self, output: Float[Tensor, "n step network"], batch: SwitchBatch) -> Float[Tensor, ""]:
        """The sum of the networks' losses."""
        return self.losses(output, batch).sum()

    def scores(self, output: Tensor, batch: SwitchBatch) -> Mapping[str, Tensor]:
        """The networks' mean loss, how often they are wrong, and where there are several, the loss of each."""
        losses = self.losses(output, batch)
        wrong = ((output > 0.5) != (batch.targets[..., None] > 0.5)).to(losses.dtype).mean()
        each = zip(self.score_names[2:], losses, strict=False)
        return {"switch_loss": losses.mean(), "wrong": wrong, **dict(each)}
