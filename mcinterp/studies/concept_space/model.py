"""`FlowNetwork`: the velocity of an image on its way from noise, with hook points; and what it makes of a prompt."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu
from transformer_lens import HookedRootModule
from transformer_lens.hook_points import HookPoint

from mcinterp.model.plain import PlainModel
from mcinterp.studies.concept_space.config import CONDITION, ConceptConfig, FlowConfig

FASTEST = 100.0
"""Radians that the fastest of the time's sines goes through from noise to image; the slowest goes through 1."""


SPREAD = 0.1
"""Standard deviation of images about the expected one that the velocity is written for."""


class FlowNetwork(HookedRootModule, PlainModel):
    """A network with residuals that is told time and prompt at every hidden layer.

    The prompt is embedded by two layers, `hook_embed`, and so is the time, `hook_time`; what each hidden layer is
    told of both is a linear map of these. `hook_hidden.i` is what hidden layer i (from 0) hands on. What the last one
    gives is the image that is expected, m; the velocity is that which images N(m, `SPREAD`²) have, so that a narrow
    network need not hand the noise through. Everything of a HookedRootModule works: `run_with_cache`, hooks,
    `mcinterp.model.intervene`.

    Args:
        config: sizes.
        d: numbers of an image.
        condition: numbers of a prompt.
    """

    def __init__(self, config: FlowConfig, d: int, condition: int = CONDITION) -> None:
        super().__init__()
        self.parts = (d, 1, condition)
        width, inner = config.width, config.embedding
        self.embed = nn.Sequential(nn.Linear(condition, inner), nn.GELU(), nn.Linear(inner, inner))
        self.clock = nn.Sequential(nn.Linear(config.features, inner), nn.GELU(), nn.Linear(inner, inner))
        self.told = nn.Linear(2 * inner, config.layers * width)
        sizes = (d, *[width] * (config.layers - 1))
        self.hidden = nn.ModuleList([nn.Linear(size, width) for size in sizes])
        self.out = nn.Linear(width, d)
        rates = torch.logspace(0.0, torch.tensor(FASTEST).log10().item(), config.features // 2)
        self.register_buffer("rates", rates, persistent=False)
        self.hook_embed, self.hook_time = HookPoint(), HookPoint()
        self.hook_hidden = nn.ModuleList([HookPoint() for _ in sizes])
        self.setup()

    def forward(self, inputs: Tensor) -> Tensor:
        """Velocities (n, d) of images on their way, times and prompts side by side, (n, d + 1 + condition)."""
        image, time, prompt = inputs.split(self.parts, -1)
        angle = time * self.rates
        embedded = self.hook_embed(self.embed(prompt))
        clock = self.hook_time(self.clock(torch.cat([angle.sin(), angle.cos()], -1)))
        told = self.told(torch.cat([embedded, clock], -1)).chunk(len(self.hidden), -1)
        stream = image
        for at, (layer, said, hook) in enumerate(zip(self.hidden, told, self.hook_hidden, strict=True)):
            made = gelu(layer(stream) + said)
            stream = hook(made if at == 0 else stream + made)
        back = noise_share(time)
        return (1 + time * back) * self.out(stream) - back * image


def noise_share(time: Tensor) -> Tensor:
    """G of E[image − noise | x] = (1 + t g) m − g x with x = (1 − t) noise + t image, images being N(m, `SPREAD`²)."""
    spread = SPREAD**2
    return (1 - time - time * spread) / ((1 - time).square() + time.square() * spread)


@torch.no_grad()
def sampled(model: FlowNetwork, prompts: Tensor, noise: Tensor, steps: int) -> Tensor:
    """Images (n, d) that a network makes of prompts (n, condition) and noise (n, d), by so many steps of Euler."""
    image = noise
    for step in range(steps):
        time = torch.full_like(image[:, :1], step / steps)
        image = image + model(torch.cat([image, time, prompts], -1)) / steps
    return image


def build(model: FlowConfig, task: ConceptConfig, seed: int) -> FlowNetwork:
    """The network that a configuration describes, with the initial weights of a seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return FlowNetwork(model, task.d)
