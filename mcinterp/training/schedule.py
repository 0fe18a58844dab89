"""When things happen in training: learning rates, checkpoints and replay states, as pure functions of the step."""

from __future__ import annotations

import math

import numpy as np

from mcinterp.config import TrainConfig

POWERS = {"even": 1, "sqrt": 2}
"""By spacing, the step as a power of what is evenly spaced."""


def learning_rate(config: TrainConfig, step: int) -> float:
    """The rate of update number `step`, counted from 1: linear warm-up, then constant, or held and half a cosine."""
    warmup = min(1.0, step / config.warmup_steps) if config.warmup_steps else 1.0
    if config.schedule == "constant":
        return config.learning_rate * warmup
    held = config.warmup_steps + config.hold_steps
    decay_steps = max(1, config.steps - held)
    progress = max(0, step - 1 - held) / decay_steps
    return config.learning_rate * warmup * 0.5 * (1 + math.cos(math.pi * progress))


def checkpoint_steps(config: TrainConfig) -> list[int]:
    """Step 0 and `config.checkpoints` steps that end at the last, spaced as `config.spacing` says.

    There are fewer where rounding makes repeats.
    """
    last, count = config.steps, config.checkpoints
    if config.spacing == "log":
        spaced = np.geomspace(max(1, last // 200), last, count)
    else:
        spaced = last * (np.arange(1, count + 1) / count) ** POWERS[config.spacing]
    return sorted({0, *spaced.round().astype(int).tolist()})


def replay_steps(config: TrainConfig) -> list[int]:
    """Evenly spaced steps at which the full training state is kept for replay, step 0 among them."""
    return sorted({round(config.steps * k / config.replay_states) for k in range(config.replay_states)})


def dense_steps(first: int, last: int, count: int) -> list[int]:
    """At most `count` evenly spaced steps from `first` to `last`."""
    return sorted({int(step) for step in np.linspace(first, last, count).round()})
