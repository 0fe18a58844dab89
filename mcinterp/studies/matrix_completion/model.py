"""The models that matrices are asked of, by their configuration; TransformerLens loads when one is built."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from mcinterp.studies.matrix_completion.config import ModelConfig, TaskConfig
from mcinterp.studies.matrix_completion.task.tokens import detokenise

if TYPE_CHECKING:
    from mcinterp.studies.matrix_completion.encoder import MatrixEncoder
    from mcinterp.studies.matrix_completion.gpt import MatrixGPT


def encoder(model: ModelConfig, task: TaskConfig, seed: int) -> MatrixEncoder:
    """The encoder that a configuration describes, with the initial weights of a seed."""
    from mcinterp.studies.matrix_completion.encoder import MatrixEncoder

    return MatrixEncoder(model, task.d_vocab, task.n_positions, seed, task.pad_token)


def gpt(model: ModelConfig, task: TaskConfig, seed: int) -> MatrixGPT:
    """The GPT that a configuration describes, with the initial weights of a seed."""
    from mcinterp.studies.matrix_completion.gpt import MatrixGPT

    return MatrixGPT(model, detokenise(torch.arange(task.d_vocab), task), task.n_entries, seed)
