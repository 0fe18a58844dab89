"""When things happen in training: learning rates, checkpoints and replay states, as pure functions of the step."""

from __future__ import annotations

import math

import numpy as np

from mcinterp.config import TrainConfig


def learning_rate(config: TrainConfig, step: int) -> float:
    """The rate of update number `step`, counted from 1: linear warm-up, then constant or half a cosine to zero."""
    warmup = min(1.0, step / config.warmup_steps) if config.warmup_steps else 1.0
    if config.schedule == "constant":
        return config.learning_rate * warmup
    decay_steps = max(1, config.steps - config.warmup_steps)
    progress = max(0, step - 1 - config.warmup_steps) / decay_steps
    return config.learning_rate * warmup * 0.5 * (1 + math.cos(math.pi * progress))


def checkpoint_steps(config: TrainConfig) -> list[int]:
    """Step 0 and `config.checkpoints` log-spaced steps that end at the last; fewer where rounding makes repeats."""
    first = max(1, config.steps // 200)
    spaced = np.geomspace(first, config.steps, config.checkpoints).round().astype(int)
    return sorted({0, *spaced.tolist()})


def replay_steps(config: TrainConfig) -> list[int]:
    """Evenly spaced steps at which the full training state is kept for replay, step 0 among them."""
    return sorted({round(config.steps * k / config.replay_states) for k in range(config.replay_states)})


def dense_steps(first: int, last: int, count: int) -> list[int]:
    """At most `count` evenly spaced steps from `first` to `last`."""
    return sorted({int(step) for step in np.linspace(first, last, count).round()})
