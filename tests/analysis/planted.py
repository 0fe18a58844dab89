"""Models whose answers are known by hand: their weights are written down, not trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from mcinterp.config import RunConfig
from mcinterp.runs import Checkpoint
from mcinterp.studies.matrix_completion.config import ModelConfig, TaskConfig

D_MODEL = 4


def planted_copier(**task: object) -> Checkpoint:
    """Answers the value of each token and 0 at MASK; attention, MLP and positions contribute nothing.

    A token of value x is embedded as (a, −a, b, −b) with a = x / scale and a² + b² = 2: mean 0 and variance 1, so that
    every LayerNorm leaves it as it is; the read-out gives a · scale.
    """
    config = RunConfig(
        task=TaskConfig(**{"rows": 4, "cols": 4, "rank": 2, "v_min": -3.0, "v_max": 3.0} | task),
        model=ModelConfig(n_layers=1, n_heads=2, d_model=D_MODEL, d_mlp=8),
    )
    values = config.task.v_min + np.arange(config.task.d_vocab - 1) / 10**config.task.decimals
    scale = max(-config.task.v_min, config.task.v_max)
    a = values / scale
    b = np.sqrt(2 - a**2)
    embedding = np.vstack([np.zeros(D_MODEL), np.stack([a, -a, b, -b], axis=1)])
    read_out = torch.tensor([scale / 2, -scale / 2, 0.0, 0.0])[:, None]
    silent = ("W_O", "W_out", "W_pos", "b_U")
    return with_weights(
        Checkpoint.untrained(config, seed=0),
        {"embed.embed.W_E": torch.tensor(embedding, dtype=torch.float32), "unembed.W_U": read_out},
        zero=silent,
    )


MASK_VALUE, WIDTH = 2.0, 16


def planted_heads(shares: Sequence[float]) -> Checkpoint:
    """As `planted_copier`, but MASK is embedded as `MASK_VALUE`, and eight heads turn it into the 0 that is best there.

    The heads of the one layer add constants, whatever they attend to: head h its share of what takes a token of
    `MASK_VALUE` to one of 0. Ablated to zero, a set answers about `MASK_VALUE` times its shares where it should be 0;
    under every other method nothing changes.
    """
    config = RunConfig(
        task=TaskConfig(rows=4, cols=4, rank=2, v_min=-3.0, v_max=3.0),
        model=ModelConfig(n_layers=1, n_heads=len(shares), d_model=WIDTH, d_mlp=8),
    )
    scale = max(-config.task.v_min, config.task.v_max)
    values = np.concatenate(
        [[MASK_VALUE], config.task.v_min + np.arange(config.task.d_vocab - 1) / 10**config.task.decimals]
    )
    embedding = np.stack([_token(value / scale) for value in values])
    correction = _token(0.0) - embedding[0]
    untrained = Checkpoint.untrained(config, seed=0)
    w_o, b_v = (np.zeros(untrained.weights[f"blocks.0.attn.{name}"].shape) for name in ("W_O", "b_V"))
    b_v[:, 0] = 1.0
    w_o[:, 0] = np.outer(shares, correction)
    read_out = np.zeros((WIDTH, 1))
    read_out[:2, 0] = scale / 2, -scale / 2
    planted = {
        "embed.embed.W_E": embedding,
        "blocks.0.attn.W_O": w_o,
        "blocks.0.attn.b_V": b_v,
        "unembed.W_U": read_out,
    }
    return with_weights(
        untrained,
        {name: torch.tensor(weight, dtype=torch.float32) for name, weight in planted.items()},
        zero=("W_V", "W_out", "W_pos", "b_U"),
    )


def _token(a: float) -> np.ndarray:
    """(a, −a, b, −b, 0, …) with mean 0 and variance 1."""
    b = np.sqrt(WIDTH / 2 - a**2)
    return np.array([a, -a, b, -b, *[0.0] * (WIDTH - 4)])


def with_weights(checkpoint: Checkpoint, weights: dict[str, torch.Tensor], zero: tuple[str, ...] = ()) -> Checkpoint:
    """The same checkpoint with some weights replaced, and those whose names end in `zero` set to 0."""
    changed = {
        name: torch.zeros_like(weight) if name.endswith(zero) and zero else weight
        for name, weight in checkpoint.weights.items()
    }
    return replace(checkpoint, weights=changed | weights)
