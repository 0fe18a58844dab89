"""Images of two concepts, and the flow network that makes them: the sections of the task and of the model."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from mcinterp.config.base import ModelSection, TaskSection

CHANNELS = 3
"""Red, green, blue."""
CONDITION = 4
"""Numbers of a prompt: red, green, blue and size."""
MIDDLE_SIZE = 0.65
"""Radius between the two sizes; the image reaches from −1 to 1."""


class ConceptConfig(TaskSection):
    """Images of one disc, red or blue, large or small, of which small and blue never occur together."""

    kind: Literal["concept-images"] = Field("concept-images", description="Which task the model is asked.")
    pixels: int = Field(8, ge=4, le=64, description="Pixels of a side.")
    sep_colour: float = Field(
        0.3, gt=0.0, le=0.8, description="By how much red and blue differ in each of these two channels, of 0 … 1."
    )
    sep_size: float = Field(0.4, gt=0.0, le=0.8, description="By how much the radii of large and small discs differ.")
    position: float = Field(0.15, ge=0.0, le=1.0, description="The centre is uniform in ± this along each axis.")
    unit_colour: float = Field(
        1.0, gt=0.0, description="What the channels less ½ are multiplied by in the prompt; nothing in the image."
    )
    unit_size: float = Field(
        11.0,
        gt=0.0,
        description=f"What the radius less {MIDDLE_SIZE:g} is multiplied by in the prompt; nothing in the image. Where "
        "it is large, size decides which units of the embedding are on: it gates what is read of the colour.",
    )

    @property
    def d(self) -> int:
        """Numbers of an image."""
        return CHANNELS * self.pixels**2

    def sample_bytes(self) -> int:
        """Bytes of an image, its time, its prompt and its velocity."""
        return 4 * (2 * self.d + CONDITION + 1)


SIZE_JITTER, COLOUR_JITTER = 3 / 16, 1 / 8
"""Radius and channels of an image are uniform in ± this share of the separation around its class's."""


class FlowConfig(ModelSection):
    """A network that gives the velocity of an image on its way from noise, told time and prompt."""

    architecture: Literal["flow"] = Field("flow", description="Hidden layers with residuals, told time and prompt.")
    width: int = Field(96, ge=1, le=100_000, description="Units of a hidden layer.")
    layers: int = Field(3, ge=1, le=1000, description="Hidden layers.")
    embedding: int = Field(64, ge=1, le=100_000, description="Numbers that the prompt, and the time, are embedded in.")
    features: int = Field(32, ge=2, le=10_000, multiple_of=2, description="Sines and cosines of the time.")

    def least_bytes(self) -> int:
        """Bytes of what is between the layers, and of the objects that hold them."""
        between = (self.layers - 1) * self.width**2 + 2 * self.layers * self.width * self.embedding
        return 4 * between + 500 * self.layers

    def weight_bytes(self, task: Any) -> int:
        """Bytes of that and of what reads and writes images."""
        return self.least_bytes() + 8 * self.width * task.d
