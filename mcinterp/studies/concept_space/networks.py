"""The networks that are trained: of weak, middling and strong colours, by how their prompts are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

from mcinterp.config import RunConfig
from mcinterp.runs import Run
from mcinterp.studies.concept_space import SEEDS
from mcinterp.studies.concept_space.config import ConceptConfig
from mcinterp.study.study import Setting
from mcinterp.study.trained import changed, train_variants

WEAK, MIDDLE, STRONG = "weak", "middle", "strong"
GATED, UNGATED, FIXED = "gated", "ungated", "fixed prompt"
COLOURS: Mapping[str, Fraction] = {WEAK: Fraction(3, 7), MIDDLE: Fraction(1), STRONG: Fraction(12, 7)}
"""The separation of colours over the preset's."""
READINGS = {
    GATED: "the preset's, in which size has a large unit and decides which units of the embedding are on",
    UNGATED: "colour and size in the units that they have in the image, a control",
    FIXED: "gated, and colours as far apart in the prompt as with the preset's colours, whatever they are in the image",
}
"""How the prompt is written."""
SHORTER = Fraction(1, 2)
"""Steps of networks that are not gated, or of a fixed prompt, over the preset's; what they are asked happens early."""
ABOUT_COLUMNS = {
    "reading": f"how the prompt is written. {'; '.join(f'{name}: {meaning}' for name, meaning in READINGS.items())}",
    "colours": "how far apart red and blue are, over the preset's: "
    + ", ".join(f"{name} {float(share):.2g}" for name, share in COLOURS.items()),
}
NETWORK_COLUMNS = {**ABOUT_COLUMNS, "trained": "training.seed of the network"}


@dataclass(frozen=True)
class Family:
    """Networks that differ in their seeds alone.

    Attributes:
        reading: how their prompt is written.
        colours: how far apart red and blue are.
        runs: of each seed.
    """

    reading: str
    colours: str
    runs: tuple[Run, ...]

    @property
    def task(self) -> ConceptConfig:
        """What they are asked."""
        return cast(ConceptConfig, self.runs[0].config.task)

    @property
    def about(self) -> dict[str, str]:
        """Its columns of every table."""
        return {"reading": self.reading, "colours": self.colours}


def families() -> list[tuple[str, str]]:
    """Reading and colours of every family; colours of a fixed prompt are never the preset's, which are gated ones."""
    every = [(reading, colours) for reading in READINGS for colours in COLOURS]
    return [each for each in every if each != (FIXED, MIDDLE)]


def variants(config: RunConfig) -> dict[tuple[str, str, int], RunConfig]:
    """Reading, colours and seed → configuration, all but the preset's own."""
    first = config.training.seed
    found = {
        (reading, colours, seed): changed(config, {**_changes(config, reading, colours), "training.seed": seed})
        for reading, colours in families()
        for seed in range(first, first + SEEDS)
    }
    del found[GATED, MIDDLE, first]
    return found


def _changes(config: RunConfig, reading: str, colours: str) -> dict[str, float]:
    """What a family changes in the preset."""
    task, share = cast(ConceptConfig, config.task), COLOURS[colours]
    changes: dict[str, float] = {"task.sep_colour": round(task.sep_colour * float(share), 6)}
    if reading != GATED:
        steps = max(1, int(config.training.steps * SHORTER))
        changes |= {"training.steps": steps, "training.warmup_steps": min(config.training.warmup_steps, steps)}
    if reading == UNGATED:
        changes |= {"task.unit_size": 1.0, "task.unit_colour": 1.0}
    if reading == FIXED:
        changes |= {"task.unit_colour": task.unit_colour / float(share)}
    return changes


def train_families(setting: Setting, run: Run) -> list[Family]:
    """Train what is missing, and give all; the preset's own network is the first of its family.

    Raises:
        StoppedError: if a training was stopped.
        TrainingError: if one failed.
    """
    configs = variants(run.config)
    names = {key: "-".join(map(str, key)).replace(" ", "-") for key in configs}
    runs = train_variants(setting, run, {names[key]: config for key, config in configs.items()})
    own = {key: runs[name] for key, name in names.items()} | {(GATED, MIDDLE, run.config.training.seed): run}
    seeds = sorted({seed for *_, seed in own})
    return [
        Family(reading, colours, tuple(own[reading, colours, seed] for seed in seeds))
        for reading, colours in families()
    ]
