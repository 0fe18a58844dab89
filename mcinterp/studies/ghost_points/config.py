"""The delayed switch: the task, and the recurrent networks of low rank that it is asked of."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from mcinterp.config.base import ModelSection, TaskSection


class SwitchConfig(TaskSection):
    """The delayed switch (arXiv 2501.02378): stay off for so many steps, then be on for as many."""

    kind: Literal["delayed-switch"] = Field("delayed-switch", description="Which task the model is asked.")
    target: int = Field(10, ge=1, le=1_000_000, description="T: steps for which the output has to be 0, and then 1.")
    start: float = Field(-0.3, description="x₀: the state that every unit begins in; nothing else is given.")
    networks: int = Field(
        1,
        ge=1,
        le=10_000,
        description="Independent networks that are asked side by side. Each is trained as it would be alone, number i, "
        "counted from 0, as that of training.seed + i.",
    )

    def sample_bytes(self) -> int:
        """Bytes of inputs and targets at 2T steps."""
        return 16 * self.target


class RecurrentConfig(ModelSection):
    """A recurrent network of tanh units whose recurrent weights are of low rank."""

    architecture: Literal["recurrent"] = Field(
        "recurrent", description="x ← (1 − α) x + α tanh(M κ + b), with the overlaps κ = Nᵀ x."
    )
    units: int = Field(32, ge=1, description="Units; the entries of M and N begin with a variance of 1/units.")
    rank: int = Field(1, ge=1, description="Overlaps κ: columns of M and of N.")
    alpha: float = Field(0.5, gt=0.0, le=1.0, description="α: share of the state that a step renews.")
    readout: Literal["overlap", "trained"] = Field(
        "trained", description="The output: σ(gain · (κ − 1)) of the one overlap, or σ(w·x + c) with w and c trained."
    )
    gain: float | None = Field(None, gt=0.0, description="Of the read-out 'overlap', which needs one.")

    @model_validator(mode="after")
    def _consistent(self) -> RecurrentConfig:
        if self.readout == "overlap" and self.rank != 1:
            raise ValueError(f"readout 'overlap' is that of rank 1, got {self.rank}")
        if (self.readout == "overlap") != (self.gain is not None):
            raise ValueError(
                f"gain is that of readout 'overlap', which needs one; got {self.gain} for {self.readout!r}"
            )
        return self

    def weight_bytes(self, task: SwitchConfig) -> int:
        """Bytes of M and N of every network."""
        return 8 * task.networks * self.units * self.rank
