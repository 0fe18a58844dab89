"""One batch and one model into which any weights of its shape are put, so that every comparison of them is paired."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor

from mcinterp.analysis.registry import check_offered
from mcinterp.analysis.sample_scores import SampleScores
from mcinterp.errors import InputError
from mcinterp.model.blocks import Blocks
from mcinterp.model.components import Component, transplant
from mcinterp.model.plain import load_weights
from mcinterp.runs import Checkpoint

Weights = Mapping[str, Tensor]


class WeightBench:
    """A model of a checkpoint's shape and fresh samples of its task.

    Args:
        checkpoint: of the shape and the task; its weights are not used.
        samples: at least 2.
        seed: of the samples.
    """

    def __init__(self, checkpoint: Checkpoint, samples: int, seed: int) -> None:
        if samples < 2:
            raise InputError(f"switching: samples must be at least 2, got {samples}")
        check_offered("switching", checkpoint.config)
        self.task, self.batch, self.seed = checkpoint.task, checkpoint.sample(samples, seed), seed
        self._model = copy.deepcopy(checkpoint.model)

    @torch.no_grad()
    def scores(self, weights: Weights) -> SampleScores:
        """Scores of the model with these weights, sample by sample."""
        load_weights(self._model, weights, source="the switched model")
        return SampleScores.told(self.task, Blocks(self._model).complete(self.batch.inputs), self.batch)

    def switched(self, donor: Weights, recipient: Weights, component: Component) -> SampleScores:
        """Scores of the recipient with a component of the donor."""
        return self.scores(transplant(donor, recipient, component))

    def sizes(self) -> dict[str, int]:
        """`{n, seed}` as table columns."""
        return {"n": len(self.batch), "seed": self.seed}
