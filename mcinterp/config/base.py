"""What every section of a configuration is."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, field_validator

LARGEST_SEED = 2**63 - 1
LARGEST = 1e30
"""Beyond it the float32 numbers that models are made of, and their squares and sums, are soon infinite."""
MOST_STEPS = 10**12
"""A thousand steps a second take thirty years for more."""


class FrozenConfig(BaseModel):
    """Base of every configuration: immutable, strict about types, and closed to unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
    draws_chain: ClassVar[bool] = False
    """Of a task: whether it draws a ground truth once, seeded with `training.seeds.chain`."""

    @field_validator("*")
    @classmethod
    def _in_reach(cls, value: Any) -> Any:
        """No number is too large to compute with."""
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, float) and abs(number) > LARGEST:
                raise ValueError(f"must be at most {LARGEST:g} in size, got {number:g}")
        return value
