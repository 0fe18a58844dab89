"""`Perceptrons`: tanh networks without biases, several side by side, with or without normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mcinterp.model.plain import PlainModel
from mcinterp.studies.adam_dynamics.config import PerceptronConfig, TeacherConfig


class Perceptrons(PlainModel):
    """h ← tanh(N(h W)) for every hidden layer and h W for the outputs, N the normalisation or nothing.

    Attributes:
        weights_of: W of every layer, (networks, units before, units after); entries begin as normal(0, 1/units before).

    Args:
        config: size and normalisation.
        inputs: dimensions of a point.
        classes: outputs.
        seeds: of the initial weights, one a network.
    """

    def __init__(self, config: PerceptronConfig, inputs: int, classes: int, seeds: Sequence[int] = (0,)) -> None:
        super().__init__()
        self.config = config
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        sizes = [inputs, *[config.width] * config.layers, classes]
        self.weights_of = nn.ParameterList(
            nn.Parameter(torch.stack([torch.randn(before, after, generator=one) for one in generators]) / before**0.5)
            for before, after in pairwise(sizes)
        )

    def forward(self, inputs: Float[Tensor, "n network before"]) -> Float[Tensor, "n network class"]:
        """Outputs of every network for its points."""
        *hidden, last = self.weights_of
        state = inputs.transpose(0, 1)
        for weights in hidden:
            given = state @ weights
            if self.config.normalised:
                given = nn.functional.layer_norm(given, given.shape[-1:], eps=0.0)
            state = torch.tanh(given)
        outputs: Tensor = state @ last
        return outputs.transpose(0, 1)


def build(model: PerceptronConfig, task: TeacherConfig, seed: int) -> Perceptrons:
    """The networks that a configuration describes, number i with the initial weights of `seed` + i."""
    return Perceptrons(model, task.inputs, task.classes, range(seed, seed + task.networks))
