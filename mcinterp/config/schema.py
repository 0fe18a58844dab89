"""What a run is: task, model and training, as frozen objects that refuse unknown or contradictory values.

Task and model are each one of several kinds, told by `task.kind` and `model.architecture`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field, PlainSerializer, SerializeAsAny, ValidationInfo, field_validator, model_validator

from mcinterp.config.base import MOST_STEPS, FrozenConfig, ModelSection, TaskSection
from mcinterp.config.kinds import FIELD, default_model, default_task, kinds, no_kind, section_class, unnamed
from mcinterp.config.optimisers import CHOSEN, check_fields, optimiser_kinds, own_settings
from mcinterp.config.seeds import LARGEST_SEED, Seeds, chain_number
from mcinterp.declared import Setting
from mcinterp.errors import InputError, nearest_name
from mcinterp.installed import architectures, task_kinds

PRECISION = "training.precision"
COMPONENTS = "components"
"""What a model offers whose components can be trained apart."""
Settings = Annotated[tuple[tuple[str, Setting], ...], PlainSerializer(dict)]
"""Names and values that are written as a mapping, and cannot be changed."""


class TrainConfig(FrozenConfig):
    """Online training; the defaults are those of arXiv 2410.22244."""

    steps: int = Field(50_000, ge=1, le=MOST_STEPS, description="Optimiser steps.")
    batch_size: int = Field(256, ge=1, description="Fresh samples a step.")
    optimiser: str = Field(
        "adam",
        description="Rule of the updates: 'adam'; 'adamw', which has weight decay; 'sgd', the plain one, without "
        "momentum; 'k-adam', Adam's normalisation in several stages, with weight decay; or one that a study brings.",
    )
    optimiser_settings: Settings = Field(
        (),
        description="Settings that are the optimiser's own, by name. Those of 'k-adam': stages, [beta1, beta2] of "
        "each, and eps; the package's others have none.",
    )
    learning_rate: float = Field(1e-4, gt=0.0, description="The optimiser's learning rate (its peak when scheduled).")
    beta1: float = Field(0.9, ge=0.0, lt=1.0, description="Adam's decay of the mean gradient.")
    beta2: float = Field(0.999, ge=0.0, lt=1.0, description="Adam's decay of the squared gradient.")
    weight_decay: float = Field(
        0.0,
        ge=0.0,
        description="Before each update, weights lose the learning rate times this part of themselves: those of two "
        "axes or more, embeddings among them, but not biases and LayerNorms.",
    )
    clip_norm: float | None = Field(
        None,
        gt=0.0,
        description="The gradient of all trained parameters together is scaled down to this norm where it is longer; "
        "None: never.",
    )
    schedule: Literal["constant", "cosine"] = Field("constant", description="Course of the learning rate.")
    warmup_steps: int = Field(0, ge=0, description="Steps over which the learning rate rises linearly from 0.")
    hold_steps: int = Field(0, ge=0, description="Steps at the full learning rate before the cosine begins.")
    seed: int = Field(
        0, ge=0, le=LARGEST_SEED, description="Seed of the weights, and of the data (seed + 1) where these have none."
    )
    data_seed: int | None = Field(
        None, ge=0, le=LARGEST_SEED, description="Seed of the data, apart from that of the weights; None: seed + 1."
    )
    chain_seed: int | None = Field(
        None,
        ge=0,
        le=LARGEST_SEED,
        description="Seed of the ground truth that some tasks draw once, such as Markov chains; None: the data's seed.",
    )
    precision: Literal["float32", "bf16", "auto"] = Field(
        "float32",
        description="Numbers that products of weights are made of while training; weights, optimiser and all that is "
        "saved are float32 with either. 'auto' becomes bf16 where the device computes with it, else float32, when the "
        "run is made, whose configuration says which.",
    )
    checkpoints: int = Field(20, ge=2, le=100_000, description="How many checkpoints to keep, besides step 0.")
    spacing: Literal["log", "even", "sqrt"] = Field(
        "log",
        description="How they are spaced: evenly by the logarithm of the step, from a 200th of the steps on; by the "
        "step itself; or by its square root.",
    )
    replay_states: int = Field(
        10,
        ge=1,
        le=100_000,
        description="Full training states kept at even spacing, from which training can be replayed.",
    )
    dense_checkpoints: int = Field(
        12,
        ge=0,
        le=100_000,
        description="Checkpoints added across the drop, by replaying training once it is found; 0 for none.",
    )
    extended: tuple[int, ...] = Field(
        (),
        strict=False,
        description="Numbers of steps that the run had before it was extended in place, in order; written by train.",
    )

    @field_validator("optimiser")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in (kinds := optimiser_kinds()):
            raise ValueError(f"there is no optimiser {name!r:.80}{nearest_name(name, kinds)}")
        return name

    @field_validator("optimiser_settings", mode="before")
    @classmethod
    def _own(cls, given: Any, info: ValidationInfo) -> Any:
        # An optimiser that there is not is told of already.
        return own_settings(info.data["optimiser"], given) if "optimiser" in info.data else ()

    @model_validator(mode="after")
    def _consistent(self) -> TrainConfig:
        if self.warmup_steps + self.hold_steps > self.steps:
            held = f" and hold_steps {self.hold_steps}" if self.hold_steps else ""
            raise ValueError(f"warmup_steps {self.warmup_steps}{held} exceeds steps {self.steps}")
        if self.hold_steps and self.schedule == "constant":
            raise ValueError("hold_steps needs schedule 'cosine': on a constant one the rate stays where it is")
        values = {name: getattr(self, name) for name in CHOSEN}
        fields = type(self).model_fields
        check_fields(self.optimiser, {name: each for name, each in values.items() if each != fields[name].default})
        return self

    @property
    def seeds(self) -> Seeds:
        """What the generators of weights, data and ground truth are seeded with."""
        data = self.seed + 1 if self.data_seed is None else self.data_seed
        return Seeds(self.seed, data, chain_number(data if self.chain_seed is None else self.chain_seed))

    def setting(self, name: str) -> Setting:
        """A setting that is the optimiser's own: what was given, or its default."""
        return {**optimiser_kinds()[self.optimiser].settings, **dict(self.optimiser_settings)}[name]


class StartConfig(FrozenConfig):
    """Another run's weights, with which training begins; of these one component is trained, or everything."""

    config_hash: str = Field(description="Hash of the configuration of the run that the weights come from.")
    step: int = Field(ge=0, description="Step of the checkpoint that they come from.")
    digest: str = Field(description="SHA-256 of that checkpoint's weights, hexadecimal.")
    component: str = Field(description="The parameters that are trained; all others are frozen.")
    seed: int = Field(ge=0, le=LARGEST_SEED, description="Seed of the component's new initial weights.")
    reinitialised: bool = Field(
        True, description="Whether the component starts from new weights; if not, the training is a control."
    )


class RunConfig(FrozenConfig):
    """Everything that decides a run's weights."""

    task: SerializeAsAny[TaskSection] = Field(default_factory=default_task, description="What the model is asked.")
    model: SerializeAsAny[ModelSection] = Field(default_factory=default_model, description="What answers.")
    training: TrainConfig = Field(default_factory=lambda: TrainConfig(), description="How it learns.")
    start: StartConfig | None = Field(None, description="Where a retraining of one component starts; else nothing.")

    @field_validator("task", "model", mode="before")
    @classmethod
    def _of_its_kind(cls, given: Any, info: ValidationInfo) -> Any:
        """A mapping becomes a section of the kind that it names; one that names none is of the first."""
        name = str(info.field_name)
        if not isinstance(given, Mapping):
            return given
        kind = given.get(FIELD[name], unnamed(name))
        if kind not in list(kinds(name)):
            raise ValueError(f"{FIELD[name]} {kind!r:.80}: {no_kind(name, kind)}")
        return section_class(name, kind)(**given)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        needed, own = task_kinds()[self.task.kind].architectures, self.model.architecture
        if own not in needed:
            known = " or ".join(map(repr, needed))
            raise ValueError(f"task.kind {self.task.kind!r} needs model.architecture {known}, got {own!r}")
        if self.start is not None and COMPONENTS not in architectures()[own].offers:
            known = " or ".join(name for name, kind in architectures().items() if COMPONENTS in kind.offers)
            raise ValueError(f"start: the weights of a run can be trained on of an {known}, not of a {own!r}")
        return self._with_truth()

    def _with_truth(self) -> Self:
        """Tell the task what its ground truth is seeded with, which the training's seeds decide."""
        if self.task.draws_chain:
            # A section may stand in other configurations too, so that it is not changed itself.
            self.__dict__["task"] = self.task.of_chain(self.training.seeds.chain)
        return self

    @cached_property
    def hash(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 of the resolved configuration in canonical JSON.

        Fields that came after the first runs (`YOUNGER`, and `younger` of the sections) are left out where they have
        their default, so that older runs keep their hash.
        """
        sections = {"task": self.task.younger, "model": self.model.younger}
        own = {f"{name}.{field}": value for name, fields in sections.items() for field, value in fields.items()}
        tree = _without_younger(self.model_dump(), {**YOUNGER, **own})
        canonical = json.dumps(tree, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with other sections, which has a hash of its own."""
        copied = super().model_copy(update=update, deep=deep)
        for name in ("hash", "known_as"):
            copied.__dict__.pop(name, None)
        return copied._with_truth()

    @cached_property
    def known_as(self) -> frozenset[str]:
        """Its hash, and those that the run had before it was extended, which its earlier checkpoints carry."""
        lengths = self.training.extended
        before = [self.of_length(steps, lengths[:at]) for at, steps in enumerate(lengths)]
        return frozenset({self.hash, *(config.hash for config in before)})

    def of_length(self, steps: int, extended: tuple[int, ...]) -> RunConfig:
        """The same with another number of steps, and with those that it had before."""
        training = TrainConfig(**{**self.training.model_dump(), "steps": steps, "extended": extended})
        return RunConfig(task=self.task, model=self.model, training=training, start=self.start)

    def to_yaml(self) -> str:
        """The resolved configuration as YAML, in field order; a section that is not there is left out."""
        sections = {name: section for name, section in self.model_dump().items() if section is not None}
        return yaml.safe_dump(sections, sort_keys=False)

    def differences(self, other: RunConfig) -> list[str]:
        """Name every field of a run's that another configuration asks to be otherwise.

        Each as `"training.seed: 0 in the run, 1 asked for"`; that it was extended is no difference.
        """
        unlike = self.unlike(other)
        unlike.pop("training.extended", None)
        return [f"{name}: {here!r} in the run, {there!r} asked for" for name, (here, there) in unlike.items()]

    def unlike(self, other: RunConfig) -> dict[str, tuple[Any, Any]]:
        """Every field that differs, by its dotted name, with both values; None where one has no such field."""
        here, there = _flatten(self.model_dump()), _flatten(other.model_dump())
        names = [name for name in {**here, **there} if here.get(name) != there.get(name)]
        if there.get(PRECISION) == "auto":  # it is what the run has
            names = [name for name in names if name != PRECISION]
        return {name: (here.get(name), there.get(name)) for name in names}


YOUNGER: Mapping[str, Any] = {
    "start": None,
    PRECISION: "float32",
    "training.hold_steps": 0,
    "training.optimiser": "adam",
    "training.optimiser_settings": {},
    "training.weight_decay": 0.0,
    "training.clip_norm": None,
    "training.data_seed": None,
    "training.chain_seed": None,
    "training.spacing": "log",
    "training.extended": (),
}
"""Fields that came after the first runs, by dotted name, with the default that means what those runs did."""


def check_same_kind(configs: Mapping[str, RunConfig]) -> None:
    """See that the runs of these configurations, by what they are called, are asked the same kind of task.

    Raises:
        InputError: naming the first and one that is asked another.
    """
    (first, kind), *others = [(name, config.task.kind) for name, config in configs.items()]
    for name, other in others:
        if other != kind:
            raise InputError(f"{first} is asked {kind} and {name} {other}: runs of two kinds of task are not compared")


def _without_younger(tree: Mapping[str, Any], younger: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    return {
        key: _without_younger(value, younger, f"{prefix}{key}.") if isinstance(value, Mapping) else value
        for key, value in tree.items()
        if not (prefix + key in younger and value == younger[prefix + key])
    }


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= _flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat
