"""Matrix completion: the task, and the transformers that it is asked of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from mcinterp.config.base import TaskSection
from mcinterp.config.transformer import BlocksConfig, Epsilon, Heads, HiddenWidth, InitialStd, Layers, Width
from mcinterp.errors import InputError

if TYPE_CHECKING:
    from mcinterp.config import RunConfig

MOST_VALUES = 2**31
SPARE_TOKENS = 2
"""Ids after the separator that no sequence holds.

The paper's model of [−2, 2] has 405 tokens, two more than its 401 values, MASK and the separator.
"""


def _pairs(value: Any) -> Any:
    """YAML has lists where a frozen configuration has tuples."""
    if value is None:
        return None
    if not isinstance(value, list | tuple) or not all(isinstance(v, list | tuple) and len(v) == 2 for v in value):
        raise ValueError(f"must be pairs of rows and cols such as [[4, 4], [5, 5]], got {value!r:.80}")
    return tuple(map(tuple, value))


Sizes = Annotated[tuple[tuple[int, int], ...] | None, BeforeValidator(_pairs)]
"""(rows, cols) of each size of a mixture."""


class TaskConfig(TaskSection):
    """Low-rank matrix completion; the defaults are those of the paper (arXiv 2410.22244)."""

    younger: ClassVar[Mapping[str, Any]] = {"sizes": None}

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
        if (self.v_max - self.v_min) * 10**self.decimals > MOST_VALUES:
            raise ValueError(
                f"v_min {self.v_min:g}, v_max {self.v_max:g} and decimals {self.decimals} make more than "
                f"{MOST_VALUES:,} values, each of which has a token"
            )
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

    def sample_bytes(self) -> int:
        """Bytes that token ids and targets of a matrix take."""
        return 8 * self.n_positions + 4 * self.n_entries

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


class ModelConfig(BlocksConfig):
    """A BERT-style encoder with a scalar read-out, or a GPT; the defaults are those of the paper's encoder."""

    younger: ClassVar[Mapping[str, Any]] = {"architecture": "encoder"}

    architecture: Literal["encoder", "gpt"] = Field(
        "encoder",
        description="'encoder' is bidirectional with LayerNorm after each part (BERT); 'gpt' is causal with LayerNorm "
        "before each part.",
    )
    n_layers: Layers = 4
    n_heads: Heads = 8
    d_model: Width = 768
    d_mlp: HiddenWidth = 3072
    layer_norm_eps: Epsilon = 1e-12
    init_std: InitialStd = 0.02
    mask_embedding: Literal["zero", "learned"] = Field(
        "zero", description="'zero' keeps the embedding of MASK at 0, as BERT's padding row; 'learned' trains it."
    )

    @property
    def causal(self) -> bool:
        """Whether a position sees only itself and those before it."""
        return self.architecture == "gpt"


def matrix_task(config: RunConfig) -> TaskConfig:
    """The task, for a pass that is defined for matrices.

    Raises:
        InputError: if it is of another kind.
    """
    if not isinstance(config.task, TaskConfig):
        raise InputError(f"this analysis is defined for matrices; the run's task is {config.task.kind}")
    return config.task
