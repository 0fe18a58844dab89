"""A configuration of a GPT that trains in a second."""

from __future__ import annotations

from mcinterp.config import RunConfig, TrainConfig
from mcinterp.studies.matrix_completion.config import ModelConfig, TaskConfig


def small_gpt_config(**sections: dict[str, object]) -> RunConfig:
    """3 × 2 rank 1 with one decimal, 2 layers of 2 heads at width 16, 30 steps; keyword sections override fields."""
    task = {"kind": "matrix-sequence", "rows": 3, "cols": 2, "rank": 1, "v_min": -1.0, "v_max": 1.0, "decimals": 1}
    model = {"architecture": "gpt", "n_layers": 2, "n_heads": 2, "d_model": 16, "d_mlp": 32, "init_std": 0.4}
    training = {"steps": 30, "batch_size": 8, "learning_rate": 3e-3, "checkpoints": 5, "replay_states": 4}
    return RunConfig(
        task=TaskConfig(**task | sections.get("task", {})),
        model=ModelConfig(**model | sections.get("model", {})),
        training=TrainConfig(**training | sections.get("training", {})),
    )
