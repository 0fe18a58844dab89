"""A linear network whose training takes a fraction of a second."""

from __future__ import annotations

from mcinterp.config import RunConfig, parse_config

TWO_LAYERS = (
    "{task: {kind: identity-mapping}, model: {architecture: linear, layers: 2, init_std: 0.3}, training: {steps: 40, "
    "batch_size: 8, learning_rate: 0.05, checkpoints: 4, replay_states: 4, dense_checkpoints: 0}}"
)


def linear_config(**training: object) -> RunConfig:
    """Two layers of 2 × 2 weights, 40 steps; keywords override fields of training."""
    return parse_config(TWO_LAYERS, "here", [f"training.{name}={value}" for name, value in training.items()])
