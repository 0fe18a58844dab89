"""While tests run, calls are held to the shapes that signatures name (pyproject.toml says in which modules)."""

from __future__ import annotations

import pytest
import torch
from jaxtyping import TypeCheckError

from mcinterp.model.blocks import Blocks
from mcinterp.studies.matrix_completion.config import ModelConfig
from mcinterp.studies.matrix_completion.encoder import MatrixEncoder


def test_activations_that_do_not_belong_together_are_refused() -> None:
    blocks = Blocks(MatrixEncoder(ModelConfig(n_layers=1, n_heads=3, d_model=12, d_mlp=24), d_vocab=9, n_positions=12))
    block, resid = blocks.blocks[0], torch.zeros(2, 12, 12)
    assert block.after_attention(resid, torch.zeros(2, 12, 3, 4)).shape == resid.shape
    # As many numbers of other positions, which the product alone would take.
    with pytest.raises(TypeCheckError, match="'z'"):
        block.after_attention(resid, torch.zeros(3, 8, 3, 4))
    with pytest.raises(TypeCheckError, match="'tokens'"):
        blocks.embedded(torch.zeros(2, 12))
