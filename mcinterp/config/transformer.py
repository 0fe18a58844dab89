"""Shape and initialisation of transformers: what all of them have, and causal ones that predict the next token."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from mcinterp.config.base import ModelSection

LAYER_OBJECTS = 50_000
"""Bytes that the modules of a layer take beside its weights."""
Layers = Annotated[int, Field(ge=1, description="Transformer blocks.")]
Heads = Annotated[int, Field(ge=1, description="Attention heads a block.")]
Width = Annotated[int, Field(ge=1, description="Width of the residual stream.")]
HiddenWidth = Annotated[int, Field(ge=1, description="Width of the MLP's hidden layer.")]
Epsilon = Annotated[float, Field(gt=0.0, description="Epsilon of every LayerNorm.")]
InitialStd = Annotated[
    float | Literal["width"],
    Field(
        description="Standard deviation of every initial weight and embedding; 'width' means 1/√d_model, which keeps "
        "attention logits of a useful size at small widths.",
    ),
]


class BlocksConfig(ModelSection):
    """What every transformer has; an architecture derives from it and names itself."""

    architecture: str = Field(description="What stands around the blocks, and how they are wired.")
    n_layers: Layers = 2
    n_heads: Heads = 4
    d_model: Width = 64
    d_mlp: HiddenWidth = 256
    layer_norm_eps: Epsilon = 1e-5
    init_std: InitialStd = "width"

    @model_validator(mode="after")
    def _whole_heads(self) -> Self:
        if self.d_model % self.n_heads:
            raise ValueError(f"d_model {self.d_model} is not a multiple of n_heads {self.n_heads}")
        if isinstance(self.init_std, float) and self.init_std <= 0:
            raise ValueError(f"init_std {self.init_std} must be positive or 'width'")
        return self

    def least_bytes(self) -> int:
        """Bytes that the weights of the blocks take."""
        return 4 * self.n_layers * self.d_model * (4 * self.d_model + 2 * self.d_mlp)

    def weight_bytes(self, task: Any) -> int:
        """The same with the embeddings, and the modules of each layer, for a task with `d_vocab` and `n_positions`."""
        embeddings = 4 * self.d_model * (task.d_vocab + task.n_positions - 1)
        return self.least_bytes() + embeddings + LAYER_OBJECTS * (self.n_layers - 1)

    def kept_bytes(self, task: Any) -> int:
        """Bytes a sample of each block's input and its heads' patterns."""
        return 4 * self.n_layers * task.n_positions * (self.d_model + self.n_heads * task.n_positions)

    @property
    def d_head(self) -> int:
        """Width of one head."""
        return self.d_model // self.n_heads

    @property
    def weight_std(self) -> float:
        """Standard deviation of the initial weights as a number."""
        return self.d_model**-0.5 if self.init_std == "width" else float(self.init_std)


class TransformerConfig(BlocksConfig):
    """A causal transformer with LayerNorm before each part, whose output is the logits of the next token."""

    architecture: Literal["transformer"] = Field(
        "transformer", description="Causal, LayerNorm before each part; the output is the logits of the next token."
    )
    positions: Literal["learned", "rotary"] = Field(
        "learned",
        description="'learned' adds an embedding of its own to each position; 'rotary' turns queries and keys by their "
        "positions, so that attention sees distances.",
    )
    attention_only: bool = Field(False, description="Blocks without an MLP; d_mlp then has no meaning.")
    tied: bool = Field(False, description="Whether the unembedding is the token embedding, transposed.")

    @model_validator(mode="after")
    def _in_pairs(self) -> Self:
        if self.positions == "rotary" and self.d_head % 2:
            raise ValueError(
                f"positions 'rotary' turn pairs of numbers: d_model / n_heads must be even, got {self.d_head}"
            )
        return self

    def least_bytes(self) -> int:
        """Bytes that the weights of the blocks take."""
        mlp = 0 if self.attention_only else 2 * self.d_mlp
        return 4 * self.n_layers * self.d_model * (4 * self.d_model + mlp)

    def weight_bytes(self, task: Any) -> int:
        """The same with the embeddings, and the modules of each layer, for a task with `d_vocab` and `n_positions`."""
        vectors = task.d_vocab * (1 if self.tied else 2) + (task.n_positions if self.positions == "learned" else 0)
        return self.least_bytes() + 4 * self.d_model * vectors + LAYER_OBJECTS * (self.n_layers - 1)

    @property
    def causal(self) -> bool:
        """A position sees only itself and those before it."""
        return True
