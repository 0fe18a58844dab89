"""What a configuration says of the task and of the model."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from mcinterp.config.base import ModelSection, TaskSection


class ParityConfig(TaskSection):
    """Sparse parity: the product of a few of many signs."""

    kind: Literal["sparse-parity"] = Field("sparse-parity", description="Which task the model is asked.")
    bits: int = Field(40, ge=1, description="Signs that the model is given.")
    of: int = Field(3, ge=1, description="So many of them, the first, are multiplied.")

    @model_validator(mode="after")
    def _consistent(self) -> ParityConfig:
        if self.of > self.bits:
            raise ValueError(f"of must be at most bits, got the parity of {self.of} of {self.bits} bits")
        return self

    def sample_bytes(self) -> int:
        """Bytes of the signs and of the target: what cannot fit in memory is refused before it is tried."""
        return 4 * (self.bits + 1)


class NetworkConfig(ModelSection):
    """A network of one hidden layer of rectified units."""

    architecture: Literal["one-layer"] = Field("one-layer", description="One hidden layer of rectified units.")
    width: int = Field(128, ge=1, description="Units of the hidden layer.")

    def weight_bytes(self, task: ParityConfig) -> int:
        """Bytes of the weights and biases of both layers."""
        return 4 * (self.width * (task.bits + 2) + 1)
