"""The two things every layer to the right knows of a task, `Batch` and `Task`; and what most tasks have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Inputs and targets of one forward pass.

    Attributes:
        inputs: what the model is given; the first axis is the sample.
        targets: what it should answer, float32.
    """

    inputs: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.inputs)


@dataclass(frozen=True)
class ScoreKind:
    """What a score is.

    Attributes:
        meaning: in words, with its unit.
        beside: its unit is not that of the loss, so that it does not belong on the loss's axis.
    """

    meaning: str
    beside: bool = False


BatchT = TypeVar("BatchT", bound=Batch)


class Task(Protocol[BatchT]):
    """Data, loss and scores; training and runs know no more of a task than this.

    Attributes:
        score_kinds: what each score is, in the order in which they are written; progress lines show the first two.
        score_names: the keys of `scores` and of `score_kinds`.
        progress_score: the score whose curve shows the plateau and the drop.
        loss_name: what the loss is, with its unit.
    """

    score_kinds: Mapping[str, ScoreKind]
    progress_score: str
    loss_name: str

    @property
    def score_names(self) -> tuple[str, ...]:
        """See above."""
        ...

    def draw(self, n: int, generator: torch.Generator) -> BatchT:
        """Draw `n` fresh samples on the generator's device, without waiting for it.

        The same generator state gives the same batch.
        """
        ...

    @property
    def examples(self) -> Callable[..., BatchT]:
        """Draw `n` fresh samples from a generator, for analyses; what else can be chosen is the task's own."""
        ...

    def n_unfit(self, batch: BatchT) -> Tensor:
        """How many values of a batch the task cannot express, a 0-d tensor; training ends where there are any."""
        ...

    def unfit_sentence(self, n_unfit: int) -> str:
        """What so many of a batch's values do wrong, beginning with their number, and what helps."""
        ...

    def loss(self, output: Tensor, batch: BatchT) -> Tensor:
        """The scalar that training minimises."""
        ...

    def scores(self, output: Tensor, batch: BatchT) -> Mapping[str, Tensor]:
        """Scalars tracked every step, computed from the same output."""
        ...

    def to(self, batch: BatchT, device: torch.device) -> BatchT:
        """The same batch on another device."""
        ...


class TaskBase(ABC, Generic[BatchT]):
    """A task that can express every value, whose examples are what it is trained on, in batches of tensors.

    One of its own kind has to say what its scores and its loss are (see `Task`), and to draw, to judge and to score.
    """

    score_kinds: Mapping[str, ScoreKind]
    progress_score: str
    loss_name: str

    @property
    def score_names(self) -> tuple[str, ...]:
        """The scores, in the order of `score_kinds`."""
        return tuple(self.score_kinds)

    @abstractmethod
    def draw(self, n: int, generator: torch.Generator) -> BatchT:
        """See `Task.draw`."""

    @abstractmethod
    def loss(self, output: Tensor, batch: BatchT) -> Tensor:
        """See `Task.loss`."""

    @abstractmethod
    def scores(self, output: Tensor, batch: BatchT) -> Mapping[str, Tensor]:
        """See `Task.scores`."""

    def examples(self, n: int, generator: torch.Generator) -> BatchT:
        """As `draw`; nothing can be chosen."""
        return self.draw(n, generator)

    def n_unfit(self, batch: BatchT) -> Tensor:
        """Every value can be expressed: 0."""
        return torch.zeros((), device=batch.inputs.device)

    def unfit_sentence(self, n_unfit: int) -> str:
        """Said of no batch."""
        return f"{n_unfit} cannot be expressed"

    def to(self, batch: BatchT, device: torch.device) -> BatchT:
        """The same batch on another device: every tensor that is a field of it."""
        values = {each.name: getattr(batch, each.name) for each in fields(batch)}
        return replace(batch, **{name: value.to(device) for name, value in values.items() if isinstance(value, Tensor)})
