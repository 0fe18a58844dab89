"""The networks that are trained: of several sizes, languages and batches, three of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from mcinterp.config import RunConfig
from mcinterp.errors import TrainingError
from mcinterp.runs import Run
from mcinterp.studies.percolation import SEEDS
from mcinterp.studies.percolation.config import LanguageConfig
from mcinterp.study.study import Setting
from mcinterp.study.trained import FEW, changed, train_variants

PRESET, CLASS_FREE = "preset", "class-free"
FEWER, MORE = "fewer descriptors", "more descriptors"
ONE, TWO = "one descriptor each", "two descriptors each"
SIZES, WIDER, BATCHES = "sizes", "entities", "batches"
"""Families of settings of the language of pairs, each with a point for every size, number of entities, or batch."""


@dataclass(frozen=True)
class Role:
    """What networks are trained for.

    Attributes:
        words: what they are, for tables.
        steps: over the preset's.
        pairs: whether they are trained on pairs only.
        descriptors, entities, batch: over the preset's.
        each: descriptors of every entity; None for the preset's share.
        changes: other fields.
        read: whether many checkpoints are read, and not the curves alone.
    """

    words: str
    steps: Fraction
    pairs: bool = True
    descriptors: Fraction = Fraction(1)
    entities: int = 1
    batch: Fraction = Fraction(1)
    each: int | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    read: bool = False

    def config(self, base: RunConfig) -> RunConfig:
        """The preset's configuration with what this role changes."""
        task = language(base)
        descriptors = max(1, int(task.descriptors * self.descriptors))
        steps = max(1, int(base.training.steps * self.steps))
        fields: dict[str, Any] = {
            **({} if self.read else FEW),
            "task.language": "pairs" if self.pairs else task.language,
            "task.descriptors": descriptors,
            "task.entities": task.entities * self.entities,
            "training.batch_size": max(1, int(base.training.batch_size * self.batch)),
            "training.steps": steps,
            "training.warmup_steps": min(base.training.warmup_steps, steps),
            **self.changes,
        }
        if self.each is not None:
            fields["task.share"] = min(1.0, self.each / descriptors)
        return changed(base, fields)


def _times(numerator: int, denominator: int = 1) -> Fraction:
    return Fraction(numerator, denominator)


BY_SIZE = {_times(1, 2): _times(1, 3), _times(1): _times(1, 3), _times(2): _times(5, 12), _times(4): _times(1, 2)}
BY_SIZE[_times(8)] = _times(2, 3)
"""Descriptors over the preset's → steps over the preset's, in which all of them get half of the way."""
MIDDLE = _times(2)
"""The size at which entities and batches vary, and graphs have no classes."""
ROLES: Mapping[str, Role] = {
    FEWER: Role("half of the preset's descriptors", _times(1, 2), pairs=False, descriptors=_times(1, 2), read=True),
    MORE: Role("eight times the preset's descriptors", _times(5, 6), pairs=False, descriptors=_times(8), read=True),
    # By chance some descriptors are said more often than others; of many, each class has as many of them.
    CLASS_FREE: Role(
        f"K × {MIDDLE}, an entity's descriptors are drawn from all classes, a control",
        _times(1, 2),
        pairs=False,
        descriptors=MIDDLE,
        changes={"task.graph": "class-free"},
    ),
    **{f"pairs, K × {size}": Role("pairs only", steps, descriptors=size) for size, steps in BY_SIZE.items()},
    **{
        f"pairs, E × {times}": Role(f"pairs only, K × {MIDDLE}", _times(1, 2), descriptors=MIDDLE, entities=times)
        for times in (2, 4)
    },
    **{
        f"pairs, batch × {times}": Role(f"pairs only, K × {MIDDLE}", steps, descriptors=MIDDLE, batch=times)
        for times, steps in ((_times(1, 2), _times(1, 2)), (_times(2), _times(1, 3)))
    },
    ONE: Role(
        "pairs only, every entity has one descriptor, so that nothing tells the class of any, a control",
        _times(7, 12),
        descriptors=_times(1, 2),
        entities=4,
        each=1,
    ),
    TWO: Role(
        "pairs only, every entity has two, which join each class",
        _times(7, 12),
        descriptors=_times(1, 2),
        entities=4,
        each=2,
    ),
}
"""All but the preset's own."""
ABOUT_COLUMNS = {
    "network": "its setting, and which of those of this setting it is",
    "role": f"its setting. {'; '.join(f'{name}: {role.words}' for name, role in ROLES.items())}",
    "trained": "training.seed, which decides weights, data and graph",
    "entities": "E: entities of a class",
    "descriptors": "K: descriptors of a class",
    "batch": "samples of a step",
}


@dataclass(frozen=True)
class Network:
    """A trained network.

    Attributes:
        role: one of `ROLES`, or the preset's.
        number: among those of its role, from 1.
        run: its curve and checkpoints.
    """

    role: str
    number: int
    run: Run

    @property
    def name(self) -> str:
        """Role and number."""
        return f"{self.role} ({self.number})"

    @property
    def task(self) -> LanguageConfig:
        """The section of its task."""
        return language(self.run.config)

    @property
    def about(self) -> dict[str, Any]:
        """Its columns of every table."""
        training = self.run.config.training
        return {
            "network": self.name,
            "role": self.role,
            "trained": training.seed,
            "entities": self.task.entities,
            "descriptors": self.task.descriptors,
            "batch": training.batch_size,
        }


def variants(config: RunConfig) -> dict[tuple[str, int], RunConfig]:
    """Role and number → configuration, all but the preset's own."""
    return {key: each for key, each in _all(config) if key != (PRESET, 1)}


def _all(config: RunConfig) -> Iterator[tuple[tuple[str, int], RunConfig]]:
    of_role = {PRESET: config, **{name: role.config(config) for name, role in ROLES.items()}}
    for name, each in of_role.items():
        for number in range(1, SEEDS + 1):
            yield (name, number), changed(each, {"training.seed": config.training.seed + number - 1})


def train_networks(setting: Setting, run: Run) -> list[Network]:
    """Train what is missing; the preset's own is the first.

    Raises:
        StoppedError: if a training was stopped.
        TrainingError: if one failed.
    """
    configs = variants(run.config)
    runs = train_variants(setting, run, {_folder(*key): each for key, each in configs.items()})
    return [Network(PRESET, 1, run), *(Network(*key, runs[_folder(*key)]) for key in configs)]


def _folder(role: str, number: int) -> str:
    plain = role.replace(", ", "-").replace(" × ", "-").replace(" ", "-").replace("/", "-over-")
    return f"{plain}-{number}".lower()


def of_role(networks: list[Network], *roles: str) -> list[Network]:
    """Those of some roles, in the order of these."""
    return [each for role in roles for each in networks if each.role == role]


def language(config: RunConfig) -> LanguageConfig:
    """The task's section.

    Raises:
        TrainingError: if it is another task's.
    """
    if not isinstance(config.task, LanguageConfig):
        raise TrainingError(f"the study's run must be of typed-language, got one of {config.task.kind}")
    return config.task
