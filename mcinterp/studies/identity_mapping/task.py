"""The structured identity mapping: answer what is given, judged at a point that no cluster has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from mcinterp.studies.identity_mapping.config import IdentityConfig
from mcinterp.task.batch import Batch, ScoreKind, TaskBase


@dataclass(frozen=True)
class IdentityBatch(Batch):
    """Points of clusters, the last of them the test point.

    Attributes:
        inputs: float32, (n + 1, d): n samples of the clusters, and the test point Σ μ_p e_p, which is not trained on.
        targets: the same.
    """


class IdentityMapping(TaskBase[IdentityBatch]):
    """The structured identity mapping task of arXiv 2410.08309.

    Samples come from s equally frequent clusters N(μ_p e_p, diag σ²), and the target is the input. The loss is half the
    mean squared distance. Every batch ends in the test point x̂ = Σ μ_p e_p, all concepts at once, which is outside the
    distribution and not part of the loss: `ood_loss` is ½ |f(x̂) − x̂|², `learned_p` the share f(x̂)_p / μ_p of concept
    p that the model answers.
    """

    progress_score = "ood_loss"
    loss_name = "½ mean squared distance"
    curve_labels: Mapping[str, str] = {"ood_loss": "loss at the test point"}

    def __init__(self, config: IdentityConfig) -> None:
        self.config = config
        concepts = range(1, config.d + 1)
        self.score_kinds = {
            "ood_loss": ScoreKind("half the squared distance of the answer at the test point Σ μ_p e_p"),
            **{
                f"learned_{p}": ScoreKind(f"answer at the test point along axis {p}, over μ_{p}", True)
                for p in concepts
            },
        }

    def draw(self, n: int, generator: torch.Generator) -> IdentityBatch:
        """Draw `n` samples, each of a cluster drawn uniformly, and add the test point."""
        device, d = generator.device, self.config.d
        signals = torch.tensor(self.config.signals, device=device)
        cluster = torch.randint(d, (n,), generator=generator, device=device)
        spread = torch.randn(n, d, generator=generator, device=device) * torch.tensor(self.config.noise, device=device)
        points = torch.cat([torch.diag(signals)[cluster] + spread, signals[None]])
        return IdentityBatch(points, points)

    def loss(self, output: Float[Tensor, "sample d"], batch: IdentityBatch) -> Float[Tensor, ""]:
        """Half the mean squared distance over the samples."""
        return 0.5 * (output - batch.targets)[:-1].square().sum(-1).mean()

    def scores(self, output: Tensor, batch: IdentityBatch) -> Mapping[str, Tensor]:
        """The loss at the test point, and how much of every concept is answered there."""
        answer, point = output[-1], batch.targets[-1]
        learned = zip(self.score_names[1:], answer / point, strict=True)
        return {"ood_loss": 0.5 * (answer - point).square().sum(), **dict(learned)}
