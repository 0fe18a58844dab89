"""The training loop: pure, deterministic, and resumable from a `TrainState` to the last bit on a CPU."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from mcinterp.config import TrainConfig
from mcinterp.errors import CheckpointError, InputError, McinterpError, TrainingError
from mcinterp.task.batch import Batch, BatchT, Task
from mcinterp.task.finite import not_finite
from mcinterp.training.optimisers import Optimiser, optimiser_of
from mcinterp.training.schedule import learning_rate
from mcinterp.training.together import Alone

DIVERGED = 1e4
"""A loss above this counts as diverged: targets and read-outs of sane runs stay many orders below."""
READ_EVERY = {"cpu": 1}
"""By kind of device, after how many steps measurements are read from it, which waits until it has done them …"""
READ_STEPS = 50
"""… and on any other kind, which works while the CPU prepares what comes next."""


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
        optimiser: that updates them.
        rule: that the optimiser follows, which knows what it remembers.
        generator: draws the data, on the parameters' device.
        step: updates done so far.
        seed: that the data were seeded with.
    """

    parameters: dict[str, nn.Parameter]
    optimiser: torch.optim.Optimizer
    rule: Optimiser
    generator: torch.Generator
    step: int = 0
    seed: int = 0

    @classmethod
    def fresh(cls, parameters: dict[str, nn.Parameter], config: TrainConfig) -> TrainState:
        """The state before the first update; data are seeded with `config.seeds.data`."""
        rule = optimiser_of(config)
        optimiser = rule.begin(parameters, config)
        seed = config.seeds.data
        generator = torch.Generator(next(iter(parameters.values())).device).manual_seed(seed)
        return cls(parameters, optimiser, rule, generator, seed=seed)

    def tensors(self) -> dict[str, Tensor]:
        """The state as named tensors on the CPU: weights, what the optimiser keeps, generator and step."""
        stored = {name: tensor.detach().cpu().contiguous() for name, tensor in self._learnt().items()}
        generator = {_generator_name(self.generator): self.generator.get_state()}
        return {"step": torch.tensor(self.step), **generator, **stored}

    def _learnt(self) -> dict[str, Tensor]:
        """Weights and what the optimiser keeps, the very tensors, by the names that they are stored as."""
        weights = {f"weight.{name}": parameter for name, parameter in self.parameters.items()}
        return {**weights, **self.rule.tensors(self.optimiser, self.parameters)}

    @torch.no_grad()
    def restore(self, stored: Mapping[str, Tensor]) -> str | None:
        """Take over what `tensors` returned.

        The generator of one kind of device cannot go on from that of another: it is seeded anew then, from the data's
        seed and the step.

        Returns:
            the kind of device that the generator was stored on, where that is another; None where data go on.

        Raises:
            CheckpointError: if a tensor is missing, unknown or has another shape.
        """
        learnt = self._learnt()
        unknown = [name for name in stored if name not in learnt and name != "step" and not _of_generator(name)]
        if unknown:
            raise CheckpointError(f"the training state has an unknown tensor {min(unknown)}")
        self.step = int(_stored(stored, "step", ()))
        other = self._restore_generator(stored)
        for name, tensor in learnt.items():
            tensor.copy_(_stored(stored, name, tuple(tensor.shape)))
        self.rule.count(self.optimiser, self.parameters, self.step)
        return other

    def _restore_generator(self, stored: Mapping[str, Tensor]) -> str | None:
        name = _generator_name(self.generator)
        others = [key.partition(".")[2] or "cpu" for key in stored if _of_generator(key) and key != name]
        if name in stored or not others:
            self.generator.set_state(_stored(stored, name, tuple(self.generator.get_state().shape)))
            return None
        (seed,) = np.random.SeedSequence([self.seed, self.step]).generate_state(1, np.uint64)
        self.generator.manual_seed(int(seed))
        return others[0]


def training_steps(
    state: TrainState,
    task: Task[BatchT],
    forward: Callable[[Tensor], Tensor],
    config: TrainConfig,
    device: torch.device,
    *,
    together: Alone | None = None,
    pauses: Container[int] = (),
    stop: Callable[[], bool] = bool,
) -> Iterator[StepRecord]:
    """Train until `config.steps` updates are done, yielding each step's record after its update.

    Where measurements are read every so many steps (see `READ_EVERY`), records come as many at a time, and the state
    is that of the last of them.

    Args:
        state: where to start; updated in place.
        task: draws batches, and gives loss and scores.
        forward: from a batch's inputs to the output that the task scores.
        config: sizes and rates.
        device: where the parameters are.
        together: the processes that train, each on its share of every batch; by default this one alone.
        pauses: steps whose record comes while the state is theirs.
        stop: asked at every step; True makes it the last.

    Raises:
        TrainingError: when a loss is not finite or above `DIVERGED`. Records of steps before it have come; the update
            of that step is not made where measurements are read at every step.
        InputError: if the task drew values that it cannot express.
    """
    together = together or Alone(device)
    read_every = READ_EVERY.get(device.type, READ_STEPS)
    waiting: list[Tensor] = []
    stopping = False
    while state.step < config.steps and not stopping:
        step = state.step + 1
        batch = task.to(task.draw(config.batch_size, state.generator), device)
        with torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bf16"):
            output = forward(together.share(batch.inputs))
        stopping = together.agree(stop())
        output = together.whole(output.float(), len(batch))
        loss = task.loss(output, batch)
        waiting.append(_measured(task, loss.detach(), output.detach(), batch))
        records: list[StepRecord] = []
        if stopping or step == config.steps or step in pauses or step % read_every == 0:
            records, problem = _read(waiting, step, task, config)
            if problem:
                yield from records
                raise _explained(problem, batch, state) if len(waiting) == 1 else problem
            waiting = []
        _update(state, loss, learning_rate(config, step), config.clip_norm, together)
        yield from records


def _measured(task: Task[BatchT], loss: Tensor, output: Tensor, batch: BatchT) -> Tensor:
    """Loss, how many values are unfit, and scores, on the device."""
    scores = task.scores(output, batch)
    return torch.stack([loss, task.n_unfit(batch).to(loss.dtype), *(scores[name] for name in task.score_names)])


def _read(
    waiting: list[Tensor], last: int, task: Task[BatchT], config: TrainConfig
) -> tuple[list[StepRecord], McinterpError | None]:
    """The records of the steps up to `last`, or up to the first one that forbids to go on, and why."""
    records: list[StepRecord] = []
    for step, (loss, n_unfit, *scores) in enumerate(torch.stack(waiting).tolist(), last - len(waiting) + 1):
        if n_unfit:
            return records, InputError(f"step {step} drew values of which {task.unfit_sentence(int(n_unfit))}")
        if not math.isfinite(loss) or loss > DIVERGED:
            return records, TrainingError(f"the loss became {loss:g} at step {step}; a smaller learning rate may help")
        named = dict(zip(task.score_names, scores, strict=True))
        records.append(StepRecord(step, loss, named, learning_rate(config, step)))
    return records, None


def _explained(problem: McinterpError, batch: Batch, state: TrainState) -> McinterpError:
    """The same, with what of the step itself is no number: the batch, or weights since the update before."""
    if not isinstance(problem, TrainingError):
        return problem
    named = {"the batch's targets": batch.targets, "the batch's inputs": batch.inputs, **state.parameters}
    for name, values in named.items():
        if found := not_finite(values.detach()):
            return TrainingError(f"{problem} ({name}: {found})")
    return problem


def _update(state: TrainState, loss: Tensor, rate: float, clip_norm: float | None, together: Alone) -> None:
    state.optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    together.add_gradients(state.parameters.values())
    if clip_norm is not None:
        # The gradient of the whole batch, which every process has by now.
        nn.utils.clip_grad_norm_(list(state.parameters.values()), clip_norm)
    for group in state.optimiser.param_groups:
        group["lr"] = rate
    state.optimiser.step()
    state.step += 1


def _generator_name(generator: torch.Generator) -> str:
    """What a generator's state is stored as, which says the kind of its device."""
    kind = generator.device.type
    return "generator" if kind == "cpu" else f"generator.{kind}"


def _of_generator(name: str) -> bool:
    return name.partition(".")[0] == "generator"


def _stored(stored: Mapping[str, Tensor], name: str, shape: tuple[int, ...]) -> Tensor:
    if name not in stored:
        raise CheckpointError(f"the training state lacks {name}")
    if tuple(stored[name].shape) != shape:
        raise CheckpointError(f"the training state's {name} has shape {tuple(stored[name].shape)}, expected {shape}")
    return stored[name]
