"""Conditional flow matching of images of two concepts, one of whose combinations is held out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from mcinterp.studies.concept_space.config import ConceptConfig
from mcinterp.studies.concept_space.images import HELD_OUT, TRAINED, drawn_scene, prompt_of, rendered
from mcinterp.task.batch import Batch, ScoreKind, TaskBase

HELD_OUT_EVERY = 4
"""One image of the held-out combination is judged beside so many that are trained on."""


@dataclass(frozen=True)
class FlowBatch(Batch):
    """Images on their way from noise, with their prompts.

    Attributes:
        inputs: float32, (n + m, d + 1 + 4): (1 − t) noise + t image, t, and the prompt; the last m are of the held-out
            combination.
        targets: float32, (n + m, d): the velocity, image − noise.
        trained: n, the images that are trained on.
    """

    trained: int


class ConceptImages(TaskBase[FlowBatch]):
    """Images of a disc, red or blue, large or small, by conditional flow matching (after arXiv 2406.19370).

    Large red, large blue and small red are equally frequent; small blue is held out. The network is given an image on
    its straight way from noise, the time t and a prompt, which holds colour and radius of the very image, and answers
    the velocity. The loss is the mean squared error; the same of images of the held-out combination, which are not
    trained on, is `held_out_loss`.
    """

    progress_score = "held_out_loss"
    loss_name = "mean squared error of the velocity"
    curve_labels: Mapping[str, str] = {"held_out_loss": "held-out combination"}
    score_kinds: Mapping[str, ScoreKind] = {
        "held_out_loss": ScoreKind("mean squared error of the velocity, of images of the held-out combination")
    }

    def __init__(self, config: ConceptConfig) -> None:
        self.config = config

    def draw(self, n: int, generator: torch.Generator) -> FlowBatch:
        """Draw `n` images of the trained combinations, and a quarter as many of the held-out one."""
        device = generator.device
        which = torch.randint(len(TRAINED), (n,), generator=generator, device=device)
        held_out = torch.tensor([HELD_OUT], device=device).expand(-(-n // HELD_OUT_EVERY), 2)
        combination = torch.cat([torch.tensor(TRAINED, device=device)[which], held_out])
        image, prompt = self.images(combination, generator)
        noise = torch.randn(image.shape, generator=generator, device=device)
        time = torch.rand(len(image), 1, generator=generator, device=device)
        inputs = torch.cat([(1 - time) * noise + time * image, time, prompt], -1)
        return FlowBatch(inputs, image - noise, n)

    def images(self, combination: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Fresh images (n, d) of combinations (n, 2), and their prompts (n, 4)."""
        scene = drawn_scene(self.config, combination, generator)
        return rendered(scene, self.config.pixels), prompt_of(self.config, scene.colour, scene.size)

    def loss(self, output: Tensor, batch: FlowBatch) -> Tensor:
        """Mean squared error over the images that are trained on."""
        return (output - batch.targets)[: batch.trained].square().mean()

    def scores(self, output: Tensor, batch: FlowBatch) -> Mapping[str, Tensor]:
        """The same over the images of the held-out combination."""
        return {"held_out_loss": (output - batch.targets)[batch.trained :].square().mean()}
