"""The renderer: from colour, size, position and background to an image; classes, jitter, and the prompts of classes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mcinterp.studies.concept_space.config import COLOUR_JITTER, MIDDLE_SIZE, SIZE_JITTER, ConceptConfig

EDGE = 0.12
"""Width of a disc's edge."""
BACKGROUND = (0.8, 1.0)
"""Grey values that the background is uniform between. It is grey so that a linear read-out can tell colours."""
LARGE_RED, LARGE_BLUE, SMALL_RED, SMALL_BLUE = (0, 0), (1, 0), (0, 1), (1, 1)
"""Combinations: whether blue, whether small."""
TRAINED, HELD_OUT = (LARGE_RED, LARGE_BLUE, SMALL_RED), SMALL_BLUE
NAMES = {
    LARGE_RED: "large red",
    LARGE_BLUE: "large blue",
    SMALL_RED: "small red",
    SMALL_BLUE: "small blue",
}


@dataclass(frozen=True)
class Scene:
    """What images are rendered from.

    Attributes:
        colour: of the disc, channels in 0 … 1, (n, 3).
        size: radius, (n,).
        centre: of the disc, (n, 2).
        background: grey value, (n,).
    """

    colour: Tensor
    size: Tensor
    centre: Tensor
    background: Tensor


def rendered(scene: Scene, pixels: int) -> Tensor:
    """Images with values in −1 … 1, (n, 3 · pixels²), channel after channel of each pixel, row after row.

    The disc covers sigmoid((radius − distance) / `EDGE`) of a pixel.
    """
    disc = cover(scene, pixels)[..., None]
    image = disc * scene.colour[:, None, None] + (1 - disc) * scene.background[:, None, None, None]
    return (2 * image - 1).flatten(1)


def cover(scene: Scene, pixels: int) -> Tensor:
    """How much of every pixel the disc covers, (n, pixels, pixels)."""
    axis = torch.linspace(-1, 1, pixels, device=scene.size.device)
    across, down = axis[None, None, :] - scene.centre[:, :1, None], axis[None, :, None] - scene.centre[:, 1:, None]
    return torch.sigmoid((scene.size[:, None, None] - torch.hypot(across, down)) / EDGE)


def colour_of(config: ConceptConfig, blue: Tensor) -> Tensor:
    """Colours without jitter, (n, 3), of the concept's values: 0 red, 1 blue, anything between and beyond."""
    half = (blue - 0.5) * config.sep_colour
    return 0.5 + torch.stack([-half, torch.full_like(half, -config.sep_colour / 2), half], -1)


def size_of(config: ConceptConfig, small: Tensor) -> Tensor:
    """Radii without jitter, (n,), of the concept's values: 0 large, 1 small, anything between and beyond."""
    return MIDDLE_SIZE - (small - 0.5) * config.sep_size


def drawn_scene(config: ConceptConfig, combination: Tensor, generator: torch.Generator) -> Scene:
    """Scenes of combinations (n, 2), with jitter, places and backgrounds from the generator."""
    n, device = len(combination), generator.device
    uniform = torch.rand(n, 7, generator=generator, device=device)
    around = 2 * uniform - 1
    blue, small = combination.to(torch.float32).unbind(-1)
    low, high = BACKGROUND
    return Scene(
        colour_of(config, blue) + COLOUR_JITTER * config.sep_colour * around[:, :3],
        size_of(config, small) + SIZE_JITTER * config.sep_size * around[:, 3],
        config.position * around[:, 4:6],
        low + (high - low) * uniform[:, 6],
    )


def prompt_of(config: ConceptConfig, colour: Tensor, size: Tensor) -> Tensor:
    """Prompts (n, 4) of colours (n, 3) and radii (n,): each less its middle, in the prompt's units."""
    return torch.cat([config.unit_colour * (colour - 0.5), config.unit_size * (size - MIDDLE_SIZE)[:, None]], -1)


def class_prompt(config: ConceptConfig, combination: tuple[float, float]) -> Tensor:
    """The prompt of a class without jitter, (4,)."""
    blue, small = torch.tensor([combination]).unbind(-1)
    return prompt_of(config, colour_of(config, blue), size_of(config, small))[0]
