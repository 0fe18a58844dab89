"""A configuration that trains in a second."""

from __future__ import annotations

from mcinterp.config import ModelConfig, RunConfig, TaskConfig, TrainConfig


def small_config(**sections: dict[str, object]) -> RunConfig:
    """5 × 5 rank 1, 2 layers of 2 heads at width 16, 40 steps; keyword sections override single fields."""
    task = {"rows": 5, "cols": 5, "rank": 1, "v_min": -2.0, "v_max": 2.0}
    model = {"n_layers": 2, "n_heads": 2, "d_model": 16, "d_mlp": 32, "init_std": "width"}
    training = {"steps": 40, "batch_size": 8, "learning_rate": 1e-3, "checkpoints": 6, "replay_states": 4}
    return RunConfig(
        task=TaskConfig(**task | sections.get("task", {})),
        model=ModelConfig(**model | sections.get("model", {})),
        training=TrainConfig(**training | sections.get("training", {})),
    )
