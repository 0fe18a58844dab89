"""The structured identity mapping: the task, and the linear networks that it is asked of."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from mcinterp.config.base import ModelSection, TaskSection


def _floats(value: Any) -> Any:
    """YAML has lists where a frozen configuration has tuples, and whole numbers where it has floats."""
    if not isinstance(value, list | tuple) or not all(type(number) in (int, float) for number in value):
        raise ValueError(f"must be numbers such as [1.0, 2.0], got {value!r:.80}")
    try:
        return tuple(map(float, value))
    except OverflowError:
        raise ValueError(f"must be numbers of a size that can be computed with, got {value!r:.80}") from None


Floats = Annotated[tuple[float, ...], BeforeValidator(_floats)]


class IdentityConfig(TaskSection):
    """The structured identity mapping task (arXiv 2410.08309): answer what is given, of clusters along the axes."""

    kind: Literal["identity-mapping"] = Field("identity-mapping", description="Which task the model is asked.")
    signals: Floats = Field(
        (1.0, 2.0), description="Concept signals μ_p: cluster p has its centre at μ_p on axis p. One dimension each."
    )
    noise: Floats = Field(
        (0.05, 0.05), description="Standard deviations σ_p of every cluster along the axes; the samples' own spread."
    )

    @model_validator(mode="after")
    def _consistent(self) -> IdentityConfig:
        if not self.signals or min(self.signals) <= 0.0:
            raise ValueError(f"signals must be positive and at least one, got {list(self.signals)}")
        if len(self.noise) != len(self.signals) or min(self.noise) < 0.0:
            raise ValueError(
                f"noise must be one standard deviation ≥ 0 for each of the signals, got {list(self.noise)}"
            )
        return self

    def sample_bytes(self) -> int:
        """Bytes of an input."""
        return 4 * self.d

    @property
    def d(self) -> int:
        """Dimensions of inputs and answers, which is the number of clusters."""
        return len(self.signals)

    @property
    def rates(self) -> tuple[float, ...]:
        """a_p = μ_p²/s + σ_p², the second moment of the inputs along each axis, s clusters being equally frequent."""
        return tuple(signal**2 / self.d + std**2 for signal, std in zip(self.signals, self.noise, strict=True))


class LinearConfig(ModelSection):
    """A linear network without biases, x → W x."""

    architecture: Literal["linear"] = Field("linear", description="W x, W a product of `layers` square factors.")
    layers: int = Field(1, ge=1, description="Factors of W.")
    symmetric: bool = Field(False, description="Whether two layers share their weights: W = U Uᵀ.")
    diagonal: float = Field(0.0, ge=0.0, description="Diagonal of the initial W.")
    correlation: float = Field(
        0.0, ge=-1.0, le=1.0, description="Every other entry of the initial W, as a share of the diagonal."
    )
    init_std: float = Field(
        0.0, ge=0.0, description="Standard deviation of what is added to every initial weight, drawn from the seed."
    )

    @model_validator(mode="after")
    def _consistent(self) -> LinearConfig:
        if self.symmetric and self.layers != 2:
            raise ValueError(f"symmetric is of 2 layers, W = U Uᵀ, got {self.layers}")
        if self.layers > 1 and self.diagonal == 0.0 and self.init_std == 0.0:
            raise ValueError("several layers that all begin at 0 never learn: give a diagonal or an init_std")
        return self

    def weight_bytes(self, task: IdentityConfig) -> int:
        """Bytes of the factors, with the objects that hold them."""
        return self.layers * (4 * task.d**2 + 500)
