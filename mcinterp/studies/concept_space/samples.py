"""What a network's images look like, by prompt and step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from mcinterp.analysis.statistics import Floats
from mcinterp.results import Result
from mcinterp.studies.concept_space.config import CHANNELS, ConceptConfig
from mcinterp.studies.concept_space.images import HELD_OUT, LARGE_BLUE, NAMES, SMALL_RED
from mcinterp.studies.concept_space.judge import SEED
from mcinterp.studies.concept_space.networks import Family
from mcinterp.studies.concept_space.prompts import LATENT, NAIVE, OVER, RANDOM, TOWARDS_RED, Asking
from mcinterp.studies.concept_space.task import ConceptImages
from mcinterp.training.schedule import checkpoint_steps

SAMPLES = "samples"
SHOWN = (NAMES[SMALL_RED], NAMES[LARGE_BLUE], NAIVE, OVER, LATENT, TOWARDS_RED, RANDOM)
STEPS, IMAGES = 8, 4
"""Checkpoints that are shown, evenly among all, and images of each prompt there."""


def samples(family: Family, asking: Asking) -> Result:
    """The first images of each prompt, of the family's first network, and real ones of the held-out combination."""
    run = family.runs[0]
    saved = checkpoint_steps(run.config.training)
    steps = [saved[place] for place in np.unique(np.linspace(0, len(saved) - 1, STEPS).round().astype(int))]
    few = Asking(asking.task, asking.noise[:IMAGES], asking.random[:IMAGES])
    made = [few.images(run.checkpoint(step).model, list(SHOWN)) for step in steps]
    arrays = {"made": pictures(torch.stack(made, 1), family.task), "real": pictures(_real(family.task), family.task)}
    axes = {
        "made": ["prompt", "step", "image", "row", "column", "channel"],
        "real": ["image", "row", "column", "channel"],
    }
    facts = {"prompts": list(SHOWN), "steps": steps, "trained": run.config.training.seed, **family.about, "axes": axes}
    return Result(SAMPLES, "What the images look like", {"images": IMAGES}, facts, arrays=arrays)


def pictures(images: Tensor, task: ConceptConfig) -> Floats:
    """Images (…, d) of values from −1 to 1 as bytes (…, pixels, pixels, 3); beyond they are cut off."""
    shape: Sequence[int] = (*images.shape[:-1], task.pixels, task.pixels, CHANNELS)
    return ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).reshape(shape).numpy()


def _real(task: ConceptConfig) -> Tensor:
    combination = torch.tensor([HELD_OUT]).expand(IMAGES, 2)
    return ConceptImages(task).images(combination, torch.Generator().manual_seed(SEED))[0]
