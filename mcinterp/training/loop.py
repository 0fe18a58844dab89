"""The training loop: pure, deterministic, and resumable from a `TrainState` to the last bit on a CPU."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mcinterp.config import TrainConfig
from mcinterp.errors import CheckpointError, TrainingError
from mcinterp.task.batch import BatchT, Task
from mcinterp.training.schedule import learning_rate

DIVERGED = 1e4
"""A loss above this counts as diverged: targets and read-outs of sane runs stay many orders below."""


@dataclass(frozen=True)
class StepRecord:
    """What one step measured, on its batch, before its update.

    Attributes:
        step: number of the update, from 1.
        loss: the minimised loss.
        scores: the task's scores of the same forward pass.
        learning_rate: the rate of this update.
    """

    step: int
    loss: float
    scores: Mapping[str, float]
    learning_rate: float


@dataclass
class TrainState:
    """All that training needs to go on as if it had never stopped.

    Attributes:
        parameters: the trained parameters by name (the model's own tensors, updated in place).
        optimiser: Adam over them.
        generator: the CPU generator that draws the data.
        step: updates done so far.
    """

    parameters: dict[str, nn.Parameter]
    optimiser: torch.optim.Adam
    generator: torch.Generator
    step: int = 0

    @classmethod
    def fresh(cls, parameters: dict[str, nn.Parameter], config: TrainConfig) -> TrainState:
        """The state before the first update; data are seeded with `config.seed + 1`."""
        optimiser = torch.optim.Adam(
            list(parameters.values()), lr=config.learning_rate, betas=(config.beta1, config.beta2), fused=True
        )
        return cls(parameters, optimiser, torch.Generator().manual_seed(config.seed + 1))

    def tensors(self) -> dict[str, Tensor]:
        """The state as named tensors on the CPU: weights, Adam's two means, generator and step."""
        stored = {"step": torch.tensor(self.step), "generator": self.generator.get_state()}
        for name, parameter in self.parameters.items():
            stored[f"weight.{name}"] = parameter.detach().cpu().contiguous()
            for key in ("exp_avg", "exp_avg_sq"):
                mean = self.optimiser.state[parameter].get(key, torch.zeros_like(parameter))
                stored[f"{key}.{name}"] = mean.detach().cpu().contiguous()
        return stored

    @torch.no_grad()
    def restore(self, stored: Mapping[str, Tensor]) -> None:
        """Take over what `tensors` returned.

        Raises:
            CheckpointError: if a tensor is missing or has another shape.
        """
        self.step = int(_stored(stored, "step", ()))
        self.generator.set_state(_stored(stored, "generator", tuple(self.generator.get_state().shape)))
        for name, parameter in self.parameters.items():
            shape = tuple(parameter.shape)
            parameter.copy_(_stored(stored, f"weight.{name}", shape))
            self.optimiser.state[parameter] = {
                "step": torch.tensor(float(self.step), device=parameter.device),
                **{
                    key: _stored(stored, f"{key}.{name}", shape).to(parameter.device, copy=True)
                    for key in ("exp_avg", "exp_avg_sq")
                },
            }


def training_steps(
    state: TrainState,
    task: Task[BatchT],
    forward: Callable[[Tensor], Tensor],
    config: TrainConfig,
    device: torch.device,
) -> Iterator[StepRecord]:
    """Train until `config.steps` updates are done, yielding after each update.

    Args:
        state: where to start; updated in place.
        task: draws batches, and gives loss and scores.
        forward: from a batch's inputs to the output that the task scores.
        config: sizes and rates.
        device: where the parameters are.

    Raises:
        TrainingError: when the loss is not finite or above `DIVERGED`; the update of that step is not made.
    """
    while state.step < config.steps:
        step = state.step + 1
        rate = learning_rate(config, step)
        batch = task.to(task.sample(config.batch_size, state.generator), device)
        output = forward(batch.inputs)
        loss = task.loss(output, batch)
        scores = task.scores(output.detach(), batch)
        loss_value, *score_values = torch.stack([loss.detach(), *(scores[name] for name in task.score_names)]).tolist()
        if not math.isfinite(loss_value) or loss_value > DIVERGED:
            raise TrainingError(f"the loss became {loss_value:g} at step {step}; a smaller learning rate may help")
        state.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        for group in state.optimiser.param_groups:
            group["lr"] = rate
        state.optimiser.step()
        state.step = step
        yield StepRecord(step, loss_value, dict(zip(task.score_names, score_values, strict=True)), rate)


def _stored(stored: Mapping[str, Tensor], name: str, shape: tuple[int, ...]) -> Tensor:
    if name not in stored:
        raise CheckpointError(f"the training state lacks {name}")
    if tuple(stored[name].shape) != shape:
        raise CheckpointError(f"the training state's {name} has shape {tuple(stored[name].shape)}, expected {shape}")
    return stored[name]
