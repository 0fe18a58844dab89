"""What is trained, measured and allowed: the whole paper on one large card, or a toy of it on a CPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mcinterp.config import RunConfig, load_preset

MEGABYTE = 10**6
ARCHIVE = 16 * MEGABYTE
"""Bytes of an archive at most."""


@dataclass(frozen=True)
class Stage:
    """A part of the whole, in a process of its own.

    Attributes:
        seconds: its share of the time; after that it is stopped and keeps what it has.
        archives: files that it is packed into at most.
    """

    seconds: float
    archives: int = 1


STAGES: Mapping[str, Stage] = {
    "checks": Stage(110),
    "speeds": Stage(80),
    "paper": Stage(480),
    "passes": Stage(120),
    "wide": Stage(90, archives=3),
    "wide-float32": Stage(120),
}
"""By name, in order: eight files together."""


@dataclass(frozen=True)
class Scale:
    """How large everything is.

    Attributes:
        device: that it is meant for.
        paper: the configuration of the long training.
        wide: of the one whose checkpoints are taken away.
        checked_steps: steps of each training in the checks.
        samples: of every pass; None for each pass's own number.
        jobs: checkpoints analysed at the same time.
        timed: steps and rounds of each kind of training, and the side of the large product.
        excerpt: checkpoints of the wide model that are kept.
    """

    device: str
    paper: RunConfig
    wide: RunConfig
    checked_steps: int
    samples: int | None
    jobs: int
    timed: tuple[int, int, int]
    excerpt: int


def full() -> Scale:
    """The paper's model in full, and one of width 256 at the rate of the presets for a CPU, by its width."""
    wide = load_preset(
        "paper",
        [
            *("model.n_layers=2", "model.d_model=256", "model.d_mlp=1024", "model.init_std=width"),
            *("task.v_min=-2", "task.v_max=2", "training.learning_rate=1e-3", "training.warmup_steps=1000"),
            *("training.steps=20000", "training.hold_steps=12000", "training.schedule=cosine"),
        ],
    )
    return Scale("cuda", load_preset("paper"), wide, 200, None, 6, (50, 3, 8192), 6)


def toy() -> Scale:
    """Everything in a minute on a CPU."""
    small = (
        *("task.rows=3", "task.cols=3", "task.rank=1", "model.n_layers=2", "model.n_heads=2", "model.init_std=width"),
        *("model.d_model=16", "model.d_mlp=32", "training.batch_size=8", "training.dense_checkpoints=0"),
        *("training.checkpoints=5", "training.replay_states=4"),
    )
    paper = load_preset("paper", [*small, "training.steps=60"])
    wide = load_preset("paper", [*small, "training.steps=40", "model.d_model=32"])
    return Scale("cpu", paper, wide, 12, 4, 1, (2, 2, 128), 4)


SCALES: Mapping[str, Callable[[], Scale]] = {"full": full, "toy": toy}
