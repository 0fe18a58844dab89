"""A checkpoint that passes can be tried on."""

from __future__ import annotations

import pytest

from mcinterp.config import RunConfig
from mcinterp.runs import Checkpoint
from mcinterp.studies.matrix_completion.config import ModelConfig, TaskConfig


@pytest.fixture(scope="session")
def random_checkpoint() -> Checkpoint:
    """An untrained 4 × 3 rank-2 model with large weights, so that its attention is far from uniform."""
    config = RunConfig(
        task=TaskConfig(rows=4, cols=3, rank=2, v_min=-3.0, v_max=3.0),
        model=ModelConfig(n_layers=2, n_heads=3, d_model=12, d_mlp=24, init_std=0.5),
    )
    return Checkpoint.untrained(config, seed=3)
