"""What a run is: task, model and training, as frozen objects that refuse unknown or contradictory values."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

SPARE_TOKENS = 2
"""Ids after the separator that no sequence holds.

The paper's model of [−2, 2] has 405 tokens, two more than its 401 values, MASK and the separator.
"""
ARCHITECTURES = {"matrix-completion": "encoder", "matrix-sequence": "gpt"}
"""The model that each kind of task is asked of."""


class FrozenConfig(BaseModel):
    """Base of every configuration: immutable, strict about types, and closed to unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def _pairs(value: Any) -> Any:
    """YAML has lists where a frozen configuration has tuples."""
    if value is None:
        return None
    if not isinstance(value, list | tuple) or not all(isinstance(v, list | tuple) and len(v) == 2 for v in value):
        raise ValueError(f"must be pairs of rows and cols such as [[4, 4], [5, 5]], got {value!r:.80}")
    return tuple(map(tuple, value))


Sizes = Annotated[tuple[tuple[int, int], ...] | None, BeforeValidator(_pairs)]
"""(rows, cols) of each size of a mixture."""


class TaskConfig(FrozenConfig):
    """Low-rank matrix completion; the defaults are those of the paper (arXiv 2410.22244)."""

    kind: Literal["matrix-completion", "matrix-sequence"] = Field(
        "matrix-completion",
        description="Which task the model is asked: 'matrix-completion' answers a number at every entry; "
        "'matrix-sequence' goes on after the masked entries and a separator with the tokens of all entries.",
    )
    rows: int = Field(7, ge=1, description="Rows m of the matrix.")
    cols: int = Field(7, ge=1, description="Columns n of the matrix.")
    rank: int = Field(2, ge=1, description="Rank r of the product U Vᵀ; ignored for full-rank entries.")
    p_mask: float = Field(0.3, ge=0.0, le=1.0, description="Probability that an entry is masked, each on its own.")
    factors: Literal["uniform", "gaussian", "laplace", "full-rank"] = Field(
        "uniform",
        description="Law of the entries of U and V; 'full-rank' draws the matrix entries themselves, uniform.",
    )
    factor_scale: float = Field(
        1.0, gt=0.0, description="Half-width of the uniform law, standard deviation of the Gaussian, b of the Laplace."
    )
    v_min: float = Field(-10.0, description="Smallest value that has a token.")
    v_max: float = Field(10.0, description="Largest value that has a token.")
    decimals: int = Field(2, ge=0, le=6, description="Decimals kept when a matrix is rounded, before it is a target.")
    out_of_range: Literal["error", "clip"] = Field(
        "error", description="What to do with a value outside [v_min, v_max]; clipped values are counted."
    )
    tokens: Literal["round", "truncate"] = Field(
        "round",
        description="How a value becomes a token; 'truncate' repeats the float truncation of the authors' code, "
        "for weights trained by it.",
    )
    sizes: Sizes = Field(
        None,
        description="For matrices of several sizes in one batch: the (rows, cols) from which each matrix's is drawn, "
        "uniformly; `rows` and `cols` are then the largest of them. Smaller matrices are padded. None: one size.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> TaskConfig:
        if self.v_min >= self.v_max:
            raise ValueError(f"v_min {self.v_min} must be below v_max {self.v_max}")
        for name, value in (("v_min", self.v_min), ("v_max", self.v_max)):
            # Tokens count steps from v_min, so both ends must be values that a rounded matrix can have.
            if abs(value - round(value, self.decimals)) > 1e-9:
                raise ValueError(f"{name} {value} has more than {self.decimals} decimals")
        if self.factors != "full-rank" and self.rank > min(self.rows, self.cols):
            raise ValueError(f"rank {self.rank} exceeds the smaller side of a {self.rows} × {self.cols} matrix")
        if self.sizes is not None:
            if self.kind == "matrix-sequence":
                raise ValueError("sizes: a sequence has no padding; kind 'matrix-sequence' takes matrices of one size")
            self._check_sizes(self.sizes)
        return self

    def _check_sizes(self, sizes: tuple[tuple[int, int], ...]) -> None:
        if len(set(sizes)) < max(2, len(sizes)):
            raise ValueError("sizes must be at least two, all different; leave it out for matrices of one size")
        smallest = min(min(size) for size in sizes)
        if smallest < 1:
            raise ValueError(f"sizes must have sides of at least 1, got {smallest}")
        largest = tuple(map(max, zip(*sizes, strict=True)))
        if (self.rows, self.cols) != largest:
            raise ValueError(
                f"rows {self.rows} and cols {self.cols} must be the largest of sizes, {largest[0]} and {largest[1]}"
            )
        if self.factors != "full-rank" and self.rank > smallest:
            raise ValueError(f"rank {self.rank} exceeds the smallest side of sizes, {smallest}")

    @property
    def n_entries(self) -> int:
        """Entries of the matrix, of the largest where there are several sizes."""
        return self.rows * self.cols

    @property
    def n_positions(self) -> int:
        """Length of the input: one position an entry; for a sequence masked entries, separator and all entries."""
        return 2 * self.n_entries + 1 if self.kind == "matrix-sequence" else self.n_entries

    @property
    def n_values(self) -> int:
        """How many values have a token; their ids are 1 … n_values."""
        return 1 + round((self.v_max - self.v_min) * 10**self.decimals)

    @property
    def d_vocab(self) -> int:
        """Number of tokens: MASK (id 0), the values, for a sequence the separator and `SPARE_TOKENS`, for sizes PAD."""
        more = 1 + SPARE_TOKENS if self.kind == "matrix-sequence" else 0
        return 1 + self.n_values + more + (self.sizes is not None)

    @property
    def pad_token(self) -> int | None:
        """The token of positions that a smaller matrix does not have; None where all matrices have one size."""
        return None if self.sizes is None else self.d_vocab - 1


class ModelConfig(FrozenConfig):
    """A BERT-style encoder with a scalar read-out, or a GPT; the defaults are those of the paper's encoder."""

    architecture: Literal["encoder", "gpt"] = Field(
        "encoder",
        description="'encoder' is bidirectional with LayerNorm after each part (BERT); 'gpt' is causal with LayerNorm "
        "before each part.",
    )
    n_layers: int = Field(4, ge=1, description="Transformer blocks.")
    n_heads: int = Field(8, ge=1, description="Attention heads a block.")
    d_model: int = Field(768, ge=1, description="Width of the residual stream.")
    d_mlp: int = Field(3072, ge=1, description="Width of the MLP's hidden layer.")
    layer_norm_eps: float = Field(1e-12, gt=0.0, description="Epsilon of every LayerNorm.")
    init_std: float | Literal["width"] = Field(
        0.02,
        description="Standard deviation of every initial weight and embedding; 'width' means 1/√d_model, which keeps "
        "attention logits of a useful size at small widths.",
    )
    mask_embedding: Literal["zero", "learned"] = Field(
        "zero", description="'zero' keeps the embedding of MASK at 0, as BERT's padding row; 'learned' trains it."
    )

    @model_validator(mode="after")
    def _consistent(self) -> ModelConfig:
        if self.d_model % self.n_heads:
            raise ValueError(f"d_model {self.d_model} is not a multiple of n_heads {self.n_heads}")
        if isinstance(self.init_std, float) and self.init_std <= 0:
            raise ValueError(f"init_std {self.init_std} must be positive or 'width'")
        return self

    @property
    def d_head(self) -> int:
        """Width of one head."""
        return self.d_model // self.n_heads

    @property
    def causal(self) -> bool:
        """Whether a position sees only itself and those before it."""
        return self.architecture == "gpt"

    @property
    def weight_std(self) -> float:
        """Standard deviation of the initial weights as a number."""
        return self.d_model**-0.5 if self.init_std == "width" else float(self.init_std)


class TrainConfig(FrozenConfig):
    """Online training with Adam; the defaults are those of the paper."""

    steps: int = Field(50_000, ge=1, description="Optimiser steps.")
    batch_size: int = Field(256, ge=1, description="Fresh matrices a step.")
    learning_rate: float = Field(1e-4, gt=0.0, description="Adam's learning rate (its peak when scheduled).")
    beta1: float = Field(0.9, ge=0.0, lt=1.0, description="Adam's decay of the mean gradient.")
    beta2: float = Field(0.999, ge=0.0, lt=1.0, description="Adam's decay of the squared gradient.")
    schedule: Literal["constant", "cosine"] = Field("constant", description="Course of the learning rate.")
    warmup_steps: int = Field(0, ge=0, description="Steps over which the learning rate rises linearly from 0.")
    seed: int = Field(0, ge=0, lt=2**63, description="Seed of the weights (seed) and of the data (seed + 1).")
    precision: Literal["float32", "bf16"] = Field(
        "float32",
        description="Numbers that matrix products are made of while training; weights, Adam and all that is saved are "
        "float32 with either.",
    )
    checkpoints: int = Field(20, ge=2, description="How many log-spaced checkpoints to keep, besides step 0.")
    replay_states: int = Field(
        10, ge=1, description="Full training states kept at even spacing, from which training can be replayed."
    )
    dense_checkpoints: int = Field(
        12, ge=0, description="Checkpoints added across the drop, by replaying training once it is found; 0 for none."
    )

    @model_validator(mode="after")
    def _consistent(self) -> TrainConfig:
        if self.warmup_steps > self.steps:
            raise ValueError(f"warmup_steps {self.warmup_steps} exceeds steps {self.steps}")
        return self


class StartConfig(FrozenConfig):
    """Where the training of one component starts: another run's weights, of which the rest is kept as it is."""

    config_hash: str = Field(description="Hash of the configuration of the run that the weights come from.")
    step: int = Field(ge=0, description="Step of the checkpoint that they come from.")
    digest: str = Field(description="SHA-256 of that checkpoint's weights, hexadecimal.")
    component: str = Field(description="The parameters that are trained; all others are frozen.")
    seed: int = Field(ge=0, lt=2**63, description="Seed of the component's new initial weights.")
    reinitialised: bool = Field(
        True, description="Whether the component starts from new weights; if not, the training is a control."
    )


class RunConfig(FrozenConfig):
    """Everything that decides a run's weights."""

    task: TaskConfig = Field(default_factory=lambda: TaskConfig(), description="What the model is asked.")
    model: ModelConfig = Field(default_factory=lambda: ModelConfig(), description="What answers.")
    training: TrainConfig = Field(default_factory=lambda: TrainConfig(), description="How it learns.")
    start: StartConfig | None = Field(None, description="Where a retraining of one component starts; else nothing.")

    @model_validator(mode="after")
    def _consistent(self) -> RunConfig:
        needed = ARCHITECTURES[self.task.kind]
        if self.model.architecture != needed:
            raise ValueError(
                f"task.kind {self.task.kind!r} needs model.architecture {needed!r}, got {self.model.architecture!r}"
            )
        if self.start is not None and self.model.architecture != "encoder":
            raise ValueError(f"start: components are retrained of an encoder, not of a {self.model.architecture!r}")
        return self

    @cached_property
    def hash(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 of the resolved configuration in canonical JSON.

        `YOUNGER` fields are left out where they have their default, so that older runs keep their hash.
        """
        canonical = json.dumps(_without_younger(self.model_dump()), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    def to_yaml(self) -> str:
        """The resolved configuration as YAML, in field order; a section that is not there is left out."""
        sections = {name: section for name, section in self.model_dump().items() if section is not None}
        return yaml.safe_dump(sections, sort_keys=False)

    def differences(self, other: RunConfig) -> list[str]:
        """Name every field that differs, with both values: `"training.seed: 0 here, 1 there"`."""
        here, there = _flatten(self.model_dump()), _flatten(other.model_dump())
        names = [name for name in {**here, **there} if here.get(name) != there.get(name)]
        return [f"{name}: {here.get(name)!r} here, {there.get(name)!r} there" for name in names]


YOUNGER: Mapping[str, Any] = {
    "start": None,
    "task.sizes": None,
    "model.architecture": "encoder",
    "training.precision": "float32",
}
"""Fields that came after the first runs, by dotted name, with the default that means what those runs did."""


def _without_younger(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    return {
        key: _without_younger(value, f"{prefix}{key}.") if isinstance(value, Mapping) else value
        for key, value in tree.items()
        if not (prefix + key in YOUNGER and value == YOUNGER[prefix + key])
    }


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= _flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat
