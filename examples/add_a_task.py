"""A task of one's own, trained through its sudden drop: python examples/add_a_task.py.

Sparse parity (arXiv 2207.08799): given many signs, answer the product of the first few of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd
import torch
from torch import Tensor, nn

import mcinterp
from mcinterp.model.plain import trainable
from mcinterp.task import Batch, ScoreKind
from mcinterp.training.loop import TrainState, training_steps


class SparseParity:
    """Inputs are `bits` independent signs, (n, bits); the target is the product of the first `of`, (n,)."""

    score_kinds: Mapping[str, ScoreKind] = {
        "parity_mse": ScoreKind("mean squared error; 1 for the answer 0"),
        "wrong": ScoreKind("share of answers with the wrong sign", beside=True),
    }
    score_names = tuple(score_kinds)
    progress_score = "parity_mse"
    loss_name = "mean squared error"

    def __init__(self, bits: int = 20, of: int = 3) -> None:
        self.bits, self.of = bits, of

    def draw(self, n: int, generator: torch.Generator) -> Batch:
        """Draw `n` samples; all randomness comes from the generator, which lives on the device that trains."""
        signs = torch.randint(2, (n, self.bits), generator=generator, device=generator.device).float() * 2 - 1
        return Batch(signs, signs[:, : self.of].prod(1))

    examples = draw

    def n_unfit(self, batch: Batch) -> Tensor:
        """Every value can be expressed: 0."""
        return torch.zeros((), device=batch.inputs.device)

    def unfit_sentence(self, n_unfit: int) -> str:
        """Never said."""
        return f"{n_unfit} cannot be expressed"

    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        """What training minimises; `output` is what the model answered, (n,)."""
        return (output - batch.targets).square().mean()

    def scores(self, output: Tensor, batch: Batch) -> Mapping[str, Tensor]:
        """What is written down at every step, of the same output."""
        wrong = (output.sign() != batch.targets).float().mean()
        return {"parity_mse": self.loss(output, batch), "wrong": wrong}

    def to(self, batch: Batch, device: torch.device) -> Batch:
        """The same batch on another device."""
        return replace(batch, inputs=batch.inputs.to(device), targets=batch.targets.to(device))


def network(bits: int, width: int = 128, seed: int = 0) -> nn.Module:
    """One hidden layer, whose weights come from the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(bits, width), nn.ReLU(), nn.Linear(width, 1), nn.Flatten(0))


def trained(task: SparseParity, config: mcinterp.TrainConfig) -> pd.DataFrame:
    """Train with the package's loop, and return what was measured, a row a step."""
    model = network(task.bits, seed=config.seed)
    state = TrainState.fresh(trainable(model), config)
    records = training_steps(state, task, model, config, torch.device("cpu"))
    return pd.DataFrame([{"step": record.step, **record.scores} for record in records])


def main() -> None:
    """Train, and print where the drop is."""
    task = SparseParity()
    metrics = trained(task, mcinterp.TrainConfig(steps=3000, batch_size=128, learning_rate=1e-3))
    found = mcinterp.find_transition(metrics["step"], metrics[task.progress_score], "step", task.progress_score)
    print(found.statement)
    print(metrics.iloc[:: len(metrics) // 10].to_string(index=False))


if __name__ == "__main__":
    main()
