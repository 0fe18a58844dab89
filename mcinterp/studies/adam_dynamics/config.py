"""Classes that a random network gives to points: the task, and the tanh networks that learn it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mcinterp.config.base import ModelSection, TaskSection


class TeacherConfig(TaskSection):
    """Points, and the class that a random tanh network, the teacher, gives to each."""

    draws_chain = True

    kind: Literal["tanh-teacher"] = Field("tanh-teacher", description="Which task the model is asked.")
    inputs: int = Field(12, ge=1, le=100_000, description="Dimensions of a point, normal(0, 1) each.")
    classes: int = Field(6, ge=2, le=100_000, description="Classes: the teacher's largest output is the point's.")
    hidden: int = Field(32, ge=1, le=100_000, description="The teacher's tanh units, in one layer.")
    networks: int = Field(
        1,
        ge=1,
        le=10_000,
        description="Independent networks that are trained side by side, number i, counted from 0, on points and a "
        "teacher of its own.",
    )

    def sample_bytes(self) -> int:
        """Bytes of a point of every network."""
        return 4 * self.networks * self.inputs


class PerceptronConfig(ModelSection):
    """Fully connected tanh networks without biases."""

    architecture: Literal["perceptron"] = Field("perceptron", description="Layers of tanh units, without biases.")
    width: int = Field(32, ge=1, description="Units of a hidden layer.")
    layers: int = Field(2, ge=1, le=1000, description="Hidden layers.")
    normalised: bool = Field(
        False,
        description="Whether what a hidden layer's units are given is first brought to mean 0 and variance 1 over "
        "these units, without gain and without epsilon, so that the scale of the layer's weights means nothing.",
    )

    def weight_bytes(self, task: TeacherConfig) -> int:
        """Bytes of the weights of every network."""
        wide = task.inputs + (self.layers - 1) * self.width + task.classes
        return 4 * task.networks * self.width * wide
