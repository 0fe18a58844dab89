"""The two things every layer to the right knows of a task: `Batch` and `Task`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

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
    score_names: tuple[str, ...]
    progress_score: str
    loss_name: str

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
