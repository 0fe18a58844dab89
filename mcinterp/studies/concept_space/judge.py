"""Who tells what a made image shows: two logistic read-outs, fitted to real images of all combinations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from mcinterp.analysis.statistics import Floats, interval_columns, share_estimate
from mcinterp.studies.concept_space.config import ConceptConfig
from mcinterp.studies.concept_space.images import NAMES
from mcinterp.studies.concept_space.networks import ABOUT_COLUMNS
from mcinterp.studies.concept_space.task import ConceptImages

FITTED, NOISE, SEED = 1000, 0.04, 0
"""Real images of each combination that the judge is fitted to, the standard deviation of the noise that is added to
them, and the seed of both; those that it is tried on are drawn after them."""
TRIED = 500
"""Real images of each combination, of the same noise."""

JUDGE_COLUMNS = {
    **ABOUT_COLUMNS,
    "combination": "of the real images; the judge is shown all of them, the network never small blue",
    "n": "fresh real images",
    "seed": "of them, and of those that the judge was fitted to",
    **interval_columns("right", "share whose colour and size the judge tells right (exact binomial interval)"),
}


@dataclass(frozen=True)
class Judge:
    """Two logistic read-outs of the pixels, for colour and for size.

    Attributes:
        weights: (2, d).
        biases: (2,).
    """

    weights: Tensor
    biases: Tensor

    @classmethod
    def of(cls, task: ConceptConfig, generator: torch.Generator) -> Judge:
        """Fitted to real images of all four combinations; it is never shown a made one."""
        combinations = torch.tensor(list(NAMES)).repeat(FITTED, 1)
        images = real_images(task, combinations, generator).numpy()
        fits = [LogisticRegression(max_iter=1000).fit(images, concept) for concept in combinations.T.numpy()]
        return cls(*(torch.tensor(np.concatenate(part), dtype=torch.float32) for part in _parts(fits)))

    def probabilities(self, images: Tensor) -> Tensor:
        """P(blue) and P(small) of images (…, d), as (…, 2)."""
        return torch.sigmoid(images @ self.weights.T + self.biases)


def _parts(fits: list[Any]) -> tuple[list[Floats], list[Floats]]:
    return [fit.coef_ for fit in fits], [fit.intercept_ for fit in fits]


def real_images(task: ConceptConfig, combinations: Tensor, generator: torch.Generator) -> Tensor:
    """Fresh images (n, d) of combinations (n, 2), with the judge's noise."""
    images, _ = ConceptImages(task).images(combinations, generator)
    return images + NOISE * torch.randn(images.shape, generator=generator)


def judged_right(probabilities: Tensor, combinations: Tensor) -> Tensor:
    """Whether colour and size are those of the combinations (…, 2); (…,)."""
    return ((probabilities > 0.5) == (combinations > 0.5)).all(-1)


def trial(task: ConceptConfig) -> tuple[Judge, list[dict[str, Any]]]:
    """A judge, and how often it is right on fresh real images of each combination."""
    generator, rows = torch.Generator().manual_seed(SEED), []
    judge = Judge.of(task, generator)
    for combination, name in NAMES.items():
        wanted = torch.tensor([combination]).expand(TRIED, 2)
        right = judged_right(judge.probabilities(real_images(task, wanted, generator)), wanted)
        share = share_estimate(int(right.sum()), TRIED).columns("right")
        rows.append({"combination": name, "n": TRIED, "seed": SEED, **share})
    return judge, rows
