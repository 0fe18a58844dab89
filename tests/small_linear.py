"""A linear network whose training takes a fraction of a second."""

from __future__ import annotations

import pytest

from mcinterp.config import RunConfig, parse_config
from mcinterp.installed import studies

TWO_LAYERS = (
    "{task: {kind: identity-mapping}, model: {architecture: linear, layers: 2, init_std: 0.3}, training: {steps: 40, "
    "batch_size: 8, learning_rate: 0.05, checkpoints: 4, replay_states: 4, dense_checkpoints: 0}}"
)


def linear_config(**training: object) -> RunConfig:
    """Two layers of 2 × 2 weights, 40 steps; keywords override fields of training."""
    if "identity-mapping" not in studies():
        pytest.skip("study identity-mapping, which brings linear networks, is not there")
    return parse_config(TWO_LAYERS, "here", [f"training.{name}={value}" for name, value in training.items()])
