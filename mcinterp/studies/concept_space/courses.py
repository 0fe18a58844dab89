"""What networks make of every prompt over their training, and the times at which they first make it right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mcinterp.analysis.statistics import Floats, interval_columns, mean_estimate, share_estimate
from mcinterp.runs import Run
from mcinterp.studies.concept_space.images import HELD_OUT, LARGE_BLUE, LARGE_RED, NAMES, SMALL_RED
from mcinterp.studies.concept_space.judge import Judge, judged_right
from mcinterp.studies.concept_space.networks import FIXED, GATED, NETWORK_COLUMNS, UNGATED, Family
from mcinterp.studies.concept_space.prompts import (
    INTO_LAST,
    LATENT,
    LATENTS,
    MEANINGS,
    OVER,
    PLAIN,
    PROMPTS,
    RANDOM,
    WITH_LAST,
    Asking,
    wanted,
)
from mcinterp.studies.concept_space.signals import COLOUR, SIZE
from mcinterp.training.schedule import checkpoint_steps

SWITCHED = (WITH_LAST, INTO_LAST)
ASKED: Mapping[str, tuple[str, ...]] = {
    GATED: (*PROMPTS, *LATENTS, *SWITCHED),
    UNGATED: (*PLAIN, OVER, LATENT, RANDOM),
    FIXED: tuple(PLAIN),
}
"""What networks of every reading are asked."""
ALIVE = 0.8
"""A prompt is answered right from the checkpoint on at which so many of its images are, and at the next one too, where
as many are of the same size's red prompt: a network whose images are all blue can do nothing."""
BLUE, SMALL, RIGHT = QUANTITIES = "blue", "small", "right"
CONTRASTS: Mapping[str, tuple[str, str, str]] = {
    COLOUR: (BLUE, NAMES[LARGE_RED], NAMES[LARGE_BLUE]),
    SIZE: (SMALL, NAMES[LARGE_RED], NAMES[SMALL_RED]),
}
"""By concept, the probability that tells it, and the trained prompts without and with it."""

COURSE_COLUMNS = {
    **NETWORK_COLUMNS,
    "step": "checkpoint",
    "prompt": f"what was asked. {'; '.join(f'{name}: {meaning}' for name, meaning in MEANINGS.items())}",
    "n": "images, from the same noises everywhere",
    "seed": "of the noises",
    **interval_columns(BLUE, "mean P(blue) of the judge"),
    **interval_columns(SMALL, "mean P(small)"),
    **interval_columns(RIGHT, "share whose colour and size are right (exact binomial interval)"),
}


@dataclass(frozen=True)
class Course:
    """A network's answers over its training.

    Attributes:
        family: that it is one of.
        run: its checkpoints.
        values: by prompt and quantity (`BLUE`, `SMALL`, `RIGHT`), the value at every step.
        rows: of the table, with intervals.
    """

    family: Family
    run: Run
    values: Mapping[tuple[str, str], Floats]
    rows: Sequence[Mapping[str, Any]]

    @property
    def steps(self) -> list[int]:
        """Checkpoints, step 0 among them, without one at which training was stopped for a while."""
        return checkpoint_steps(self.run.config.training)

    @property
    def seed(self) -> int:
        """Of training."""
        return self.run.config.training.seed

    @property
    def about(self) -> dict[str, Any]:
        """The network's columns of every table."""
        return {**self.family.about, "trained": self.seed}

    def time(self, prompt: str, level: float = ALIVE) -> Time:
        """When so many images of a prompt are right, and of the prompt beside it too; see `first_time`."""
        beside = NAMES[SMALL_RED if wanted(prompt) == HELD_OUT else LARGE_RED]
        return first_time(self.steps, np.minimum(self.values[prompt, RIGHT], self.values[beside, RIGHT]), level)

    def learned(self, concept: str) -> Time:
        """When the trained prompts that differ in a concept alone are told apart."""
        of, without, with_it = CONTRASTS[concept]
        apart = np.minimum(self.values[with_it, of], 1 - self.values[without, of])
        return first_time(self.steps, apart, ALIVE)


@dataclass(frozen=True)
class Time:
    """A step of training.

    Attributes:
        step: between two checkpoints; the last one where it is later than that.
        reached: whether it is not.
    """

    step: float
    reached: bool


def first_time(steps: Sequence[int], values: Floats, level: float) -> Time:
    """The step from which on two checkpoints in a row are at a level or above.

    Between the one before and the first of the two it is a line over the logarithm of the step; step 0 is left out.
    """
    trained = [(step, value) for step, value in zip(steps, values, strict=True) if step]
    for at in range(len(trained) - 1):
        (step, value), (_, following) = trained[at], trained[at + 1]
        if value >= level and following >= level:
            before, below = trained[at - 1] if at else (step, value)
            share = (level - below) / (value - below) if value > below else 1.0
            return Time(float(before * (step / before) ** min(1.0, share)), True)
    return Time(float(trained[-1][0]), False)


def course(family: Family, run: Run, judge: Judge, asking: Asking, seed: int) -> Course:
    """Ask a network at every checkpoint."""
    names = list(ASKED[family.reading])
    last = run.checkpoint("last").model
    values: dict[tuple[str, str], list[float]] = {(name, of): [] for name in names for of in QUANTITIES}
    rows: list[Mapping[str, Any]] = []
    about = {**family.about, "trained": run.config.training.seed}
    for step in checkpoint_steps(run.config.training):
        images = _images(asking, run.checkpoint(step).model, last, names)
        for row in _read(names, judge.probabilities(images)):
            row = {**about, "step": step, "seed": seed, **row}
            name = row["prompt"]
            rows.append(row)
            for of in QUANTITIES:
                values[name, of].append(row[of])
    return Course(family, run, {key: np.array(each) for key, each in values.items()}, rows)


def _images(asking: Asking, model: Any, last: Any, names: Sequence[str]) -> Tensor:
    """What is made at a checkpoint, (name, n, d)."""
    made = asking.images(model, [name for name in names if name not in SWITCHED])
    if WITH_LAST not in names:
        return made
    there = asking.embedded(model, asking.embedding(last, HELD_OUT))
    back = asking.embedded(last, asking.embedding(model, HELD_OUT))
    return torch.cat([made, torch.stack([there, back])])


def _read(names: Sequence[str], probabilities: Tensor) -> Iterator[dict[str, Any]]:
    """Every prompt's columns, of what the judge says of its images, (name, n, 2)."""
    n = probabilities.shape[1]
    estimate = mean_estimate(probabilities.double().transpose(0, 1).numpy())
    right = judged_right(probabilities, torch.tensor([wanted(name) for name in names])[:, None]).sum(-1)
    for at, name in enumerate(names):
        means = {**estimate.columns(BLUE, (at, 0)), **estimate.columns(SMALL, (at, 1))}
        yield {"prompt": name, "n": n, **means, **_share(int(right[at]), n)}


@cache
def _share(count: int, n: int) -> Mapping[str, float]:
    return share_estimate(count, n).columns(RIGHT)


CURVE_COLUMNS = {
    **{name: meaning for name, meaning in COURSE_COLUMNS.items() if name not in {"trained", "n", "seed"}},
    "n": "networks",
    **interval_columns(BLUE, "mean P(blue) of the judge, mean over networks"),
    **interval_columns(SMALL, "mean P(small), likewise"),
    **interval_columns(RIGHT, "share whose colour and size are right, likewise"),
}


def curves(courses: Sequence[Course], prompts: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
    """Means over the networks of one family, by step and prompt; by default of all that they are asked."""
    first = courses[0]
    for name in prompts or ASKED[first.family.reading]:
        means = {of: mean_estimate(np.stack([each.values[name, of] for each in courses])) for of in QUANTITIES}
        for at, step in enumerate(first.steps):
            columns = {key: value for of, mean in means.items() for key, value in mean.columns(of, at).items()}
            yield {**first.family.about, "step": step, "prompt": name, **columns, "n": len(courses)}
