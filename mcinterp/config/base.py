"""What every section of a configuration is, and what a section of the task or of the model is besides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, PrivateAttr, field_validator

LARGEST = 1e30
"""Beyond it the float32 numbers that models are made of, and their squares and sums, are soon infinite."""
MOST_STEPS = 10**12
"""A thousand steps a second take thirty years for more."""


class FrozenConfig(BaseModel):
    """Base of every configuration: immutable, strict about types, and closed to unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def _in_reach(cls, value: Any) -> Any:
        """No number is too large to compute with."""
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, float) and abs(number) > LARGEST:
                raise ValueError(f"must be at most {LARGEST:g} in size, got {number:g}")
        return value


class TaskSection(FrozenConfig):
    """What the model is asked; a study's own class for each of its kinds derives from this one.

    Attributes:
        kind: which kind it is; a `Literal` with a default in each class.
        younger: fields that came after the first runs of the kind, with the value that means what those runs did; they
            are left out of the configuration's hash where they have it.
        draws_chain: whether the task draws a ground truth once, such as its Markov chains, seeded with `chain`.
    """

    younger: ClassVar[Mapping[str, Any]] = {}
    draws_chain: ClassVar[bool] = False

    kind: str
    _chain: int = PrivateAttr(0)

    @property
    def chain(self) -> int:
        """What its ground truth is seeded with: the run's `training.seeds.chain`; 0 of a section in no run."""
        return self._chain

    def of_chain(self, chain: int) -> Self:
        """The same section with another ground truth."""
        section = self.model_copy()
        section._chain = chain
        return section

    def sample_bytes(self) -> int:
        """Bytes that the inputs and targets of a sample take at least."""
        return 0


class ModelSection(FrozenConfig):
    """What answers; a class for each kind of model derives from this one.

    Attributes:
        architecture: which kind it is; a `Literal` with a default in each class.
        younger: as of a task's section.
    """

    younger: ClassVar[Mapping[str, Any]] = {}

    architecture: str

    def least_bytes(self) -> int:
        """Bytes that the weights take at least, whatever the task."""
        return 0

    def weight_bytes(self, task: Any) -> int:
        """Bytes that the weights take at least for a task's section, with the objects that hold them."""
        return self.least_bytes()

    def kept_bytes(self, task: Any) -> int:
        """Bytes a sample of what a training step keeps for the gradient, at least."""
        return 0
