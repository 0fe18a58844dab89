"""What networks are asked: plain prompts, prompts of too much colour, and latent interventions, all from one noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from mcinterp.model import Intervention, intervene
from mcinterp.studies.concept_space.config import ConceptConfig
from mcinterp.studies.concept_space.images import (
    HELD_OUT,
    LARGE_BLUE,
    LARGE_RED,
    NAMES,
    SMALL_RED,
    class_prompt,
)
from mcinterp.studies.concept_space.model import FlowNetwork, sampled

EMBEDDING = "hook_embed"
"""Where latent interventions are made."""
EULER = 16
"""Steps from noise to image."""
STRENGTHS, LATENT_STRENGTHS = (1.5, 2.0, 3.0, 4.0), (1.0, 2.0, 3.0)
STRENGTH, LATENT_STRENGTH = 4.0, 1.0
"""The ones that decide; a latent one of 1 adds nothing but what trained prompts differ in."""


@dataclass(frozen=True)
class Prompt:
    """A prompt of the concepts' values, which may lie beyond those of any image.

    Attributes:
        wanted: combination that counts as right.
        values: of colour and of size.
    """

    wanted: tuple[int, int]
    values: tuple[float, float]


def over(strength: float, combination: tuple[int, int], towards: int) -> tuple[float, float]:
    """A combination's values with its colour so many times as far from the middle, towards blue (1) or red (−1)."""
    return 0.5 + towards * strength / 2, float(combination[1])


def over_name(strength: float) -> str:
    """What an over-prompt of the held-out combination is called."""
    return f"over-prompt × {strength:g}"


def latent_name(strength: float) -> str:
    """What a latent intervention is called."""
    return f"latent × {strength:g}"


NAIVE, TOWARDS_RED, OVER_TRAINED = NAMES[HELD_OUT], "over-prompt to red", "over-prompt of large blue"
RANDOM, WITH_LAST, INTO_LAST = "random directions", "embedding of the last", "embedding into the last"
OVER, LATENT = over_name(STRENGTH), latent_name(LATENT_STRENGTH)
PLAIN: Mapping[str, Prompt] = {name: Prompt(combination, combination) for combination, name in NAMES.items()}
PROMPTS: Mapping[str, Prompt] = {
    **PLAIN,
    **{over_name(strength): Prompt(HELD_OUT, over(strength, HELD_OUT, 1)) for strength in STRENGTHS},
    TOWARDS_RED: Prompt(HELD_OUT, over(STRENGTH, HELD_OUT, -1)),
    OVER_TRAINED: Prompt(LARGE_BLUE, over(STRENGTH, LARGE_BLUE, 1)),
}
LATENTS = (*map(latent_name, LATENT_STRENGTHS), RANDOM)
MEANINGS = {
    **{name: f"the prompt of {name}" for name in PLAIN},
    **{
        over_name(strength): f"small blue with its colour {strength:g} times as far from the middle as blue is"
        for strength in STRENGTHS
    },
    TOWARDS_RED: f"the same {STRENGTH:g} times towards red, a null: right is still small blue",
    OVER_TRAINED: f"large blue with its colour {STRENGTH:g} times as far",
    **{
        latent_name(
            strength
        ): f"small red with {strength:g} times e(large blue) − e(large red) added to its embedding, "
        "e being that of a trained prompt; right is small blue"
        for strength in LATENT_STRENGTHS
    },
    RANDOM: "the same with a direction by chance of that length, another for each image, a null",
    WITH_LAST: "small blue as the network's last checkpoint embeds it, put into this one",
    INTO_LAST: "small blue as this checkpoint embeds it, put into the last one",
}


@dataclass(frozen=True)
class Asking:
    """What every network of a task is asked with: the same noises for all prompts, networks and checkpoints.

    Attributes:
        task: that it is of.
        noise: (n, d).
        random: directions of length 1 in an embedding, (n, embedding).
    """

    task: ConceptConfig
    noise: Tensor
    random: Tensor

    @classmethod
    def of(cls, task: ConceptConfig, embedding: int, n: int, seed: int) -> Asking:
        """With `n` noises of a seed."""
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(n, task.d, generator=generator)
        random = torch.randn(n, embedding, generator=generator)
        return cls(task, noise, random / random.norm(dim=-1, keepdim=True))

    def images(self, model: FlowNetwork, names: list[str]) -> Tensor:
        """What a network makes of prompts and latent interventions by their names, (name, n, d)."""
        plain, latent = [name for name in names if name in PROMPTS], [name for name in names if name in LATENTS]
        made: dict[str, Tensor] = {}
        if plain:
            prompts = torch.stack([class_prompt(self.task, PROMPTS[name].values) for name in plain])
            made |= dict(zip(plain, self._made(model, prompts), strict=True))
        if latent:
            shifts = self.shifts(model)
            added = torch.stack([shifts[name] for name in latent]).flatten(0, 1)
            with intervene(model, Intervention({EMBEDDING: lambda embedding: embedding + added})):
                start = class_prompt(self.task, SMALL_RED).expand(len(latent), -1)
                made |= dict(zip(latent, self._made(model, start), strict=True))
        return torch.stack([made[name] for name in names])

    def embedded(self, model: FlowNetwork, embedding: Tensor) -> Tensor:
        """What a network makes where the prompt's embedding is another one, (embedding,); (n, d)."""
        with intervene(model, Intervention({EMBEDDING: lambda own: embedding.expand_as(own)})):
            return self._made(model, class_prompt(self.task, HELD_OUT)[None])[0]

    def embedding(self, model: FlowNetwork, combination: tuple[int, int]) -> Tensor:
        """What a network embeds the prompt of a combination as, (embedding,)."""
        image = torch.zeros(1, self.task.d + 1)
        inputs = torch.cat([image, class_prompt(self.task, combination)[None]], -1)
        with torch.no_grad():
            _, cache = model.run_with_cache(inputs, names_filter=EMBEDDING)
        return cache[EMBEDDING][0]

    def shifts(self, model: FlowNetwork) -> dict[str, Tensor]:
        """What each latent intervention adds to the embedding of small red, (n, embedding)."""
        colour = self.embedding(model, LARGE_BLUE) - self.embedding(model, LARGE_RED)
        shifts = {latent_name(strength): (strength * colour).expand_as(self.random) for strength in LATENT_STRENGTHS}
        return {**shifts, RANDOM: colour.norm() * self.random}

    def _made(self, model: FlowNetwork, prompts: Tensor) -> Tensor:
        """Images of each prompt from every noise, (prompt, n, d)."""
        n = len(self.noise)
        images = sampled(model, prompts.repeat_interleave(n, 0), self.noise.repeat(len(prompts), 1), EULER)
        return images.reshape(len(prompts), n, -1)


def wanted(name: str) -> tuple[int, int]:
    """The combination that counts as right."""
    return PROMPTS[name].wanted if name in PROMPTS else HELD_OUT
