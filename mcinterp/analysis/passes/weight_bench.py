"""One batch and one model into which any weights of its shape are put, so that every comparison of them is paired."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor

from mcinterp.analysis.errors_by_entry import EntryErrors
from mcinterp.errors import InputError
from mcinterp.model.blocks import Blocks
from mcinterp.model.components import Component, transplant
from mcinterp.model.plain import load_weights
from mcinterp.runs import Checkpoint

Weights = Mapping[str, Tensor]


class WeightBench:
    """A model of a checkpoint's shape and fresh matrices of its task.

    Args:
        checkpoint: of the shape and the task; its weights are not used.
        samples: matrices, at least 2.
        seed: of the matrices.
    """

    def __init__(self, checkpoint: Checkpoint, samples: int, seed: int) -> None:
        if samples < 2:
            raise InputError(f"switching: samples must be at least 2, got {samples}")
        self.batch, self.seed = checkpoint.sample(samples, seed), seed
        self._model = copy.deepcopy(checkpoint.encoder)

    @torch.no_grad()
    def errors(self, weights: Weights) -> EntryErrors:
        """Errors of the model with these weights, matrix by matrix."""
        load_weights(self._model, weights, source="the switched model")
        return EntryErrors.of(Blocks(self._model).complete(self.batch.inputs), self.batch.targets, self.batch)

    def switched(self, donor: Weights, recipient: Weights, component: Component) -> EntryErrors:
        """Errors of the recipient with a component of the donor."""
        return self.errors(transplant(donor, recipient, component))

    def sizes(self) -> dict[str, int]:
        """`{n, seed}` as table columns."""
        return {"n": len(self.batch), "seed": self.seed}
