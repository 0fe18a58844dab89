"""The networks that are trained: of few, middling and many chains, each with the preset's settings otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from mcinterp.config import RunConfig
from mcinterp.runs import Run
from mcinterp.study.study import Setting
from mcinterp.study.trained import changed, train_variants

FEW, HALF, MIDDLE, MANY, TOKENS = "few", "half", "middle", "many", "tokens"


@dataclass(frozen=True)
class Role:
    """What a network is trained for.

    Attributes:
        chains: N over the preset's.
        steps: over the preset's.
        words: what it is, for tables.
        seeds: networks, with seeds from the run's own on.
        rows: of its task.
    """

    chains: Fraction
    steps: Fraction
    words: str
    seeds: int = 1
    rows: str = "own"


ROLES: Mapping[str, Role] = {
    FEW: Role(Fraction(1, 4), Fraction(1, 3), "a quarter of the preset's chains"),
    HALF: Role(Fraction(1, 2), Fraction(1, 3), "half of them"),
    MIDDLE: Role(Fraction(1), Fraction(1), "the preset's", seeds=2),
    MANY: Role(Fraction(2), Fraction(1, 4), "twice as many", seeds=2),
    TOKENS: Role(
        Fraction(1),
        Fraction(1, 6),
        "as many whose tokens are independent, a control of what is said of order",
        1,
        "shared",
    ),
}
"""Few and many are so far from the preset that one never infers and the other hardly retrieves in its time."""
CHECKPOINTS = 40
"""Of the networks that are trained for fewer steps than the preset's."""
ABOUT_COLUMNS = {
    "network": "its N, and which of those of this N it is",
    "role": f"what it is trained for. {'; '.join(f'{name}: {role.words}' for name, role in ROLES.items())}",
    "chains": "N: training chains",
    "trained": "training.seed, which decides weights, data and chains",
}


@dataclass(frozen=True)
class Network:
    """A trained network.

    Attributes:
        role: one of `ROLES`.
        number: among those of its role, from 1.
        run: its checkpoints.
    """

    role: str
    number: int
    run: Run

    @property
    def name(self) -> str:
        """N and number, such as `N = 32 (2)`; those of independent tokens say so."""
        tokens = ", independent tokens" if self.role == TOKENS else ""
        which = f" ({self.number})" if ROLES[self.role].seeds > 1 else ""
        return f"N = {self.chains}{tokens}{which}"

    @property
    def chains(self) -> int:
        """N."""
        task: Any = self.run.config.task
        return int(task.chains)

    @property
    def about(self) -> dict[str, Any]:
        """Its columns of every table."""
        about = {"role": self.role, "chains": self.chains, "trained": self.run.config.training.seed}
        return {"network": self.name, **about}


def variants(config: RunConfig) -> dict[tuple[str, int], RunConfig]:
    """Role and number → configuration, all but the preset's own."""
    task: Any = config.task
    found: dict[tuple[str, int], RunConfig] = {}
    for name, role in ROLES.items():
        steps = max(1, int(config.training.steps * role.steps))
        changes = {
            "task.chains": max(2, int(task.chains * role.chains)),
            "task.rows": role.rows,
            "training.steps": steps,
            "training.warmup_steps": min(config.training.warmup_steps, steps),
            "training.checkpoints": CHECKPOINTS if role.steps < 1 else config.training.checkpoints,
        }
        for number in range(1, role.seeds + 1):
            seed = {"training.seed": config.training.seed + number - 1}
            if (name, number) != (MIDDLE, 1):
                found[name, number] = changed(config, {**changes, **seed})
    return found


def train_networks(setting: Setting, run: Run) -> list[Network]:
    """Train what is missing, and give all in the order of N; the preset's own is the first of the middle ones.

    Raises:
        StoppedError: if a training was stopped.
        TrainingError: if one failed.
    """
    configs = variants(run.config)
    runs = train_variants(setting, run, {f"{role}-{number}": config for (role, number), config in configs.items()})
    networks = [Network(MIDDLE, 1, run), *(Network(*key, runs["{}-{}".format(*key)]) for key in configs)]
    return sorted(networks, key=lambda network: (list(ROLES).index(network.role), network.number))
