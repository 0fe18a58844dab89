"""The permutation of positional embeddings: what it gives each position, and that nothing of it stays behind."""

from __future__ import annotations

import pytest
import torch

from mcinterp.errors import InputError
from mcinterp.model import intervene
from mcinterp.model.interventions import permuted_positions
from mcinterp.studies.matrix_completion.config import ModelConfig
from mcinterp.studies.matrix_completion.encoder import MatrixEncoder

ORDER = [2, 0, 1, 4, 3, 5]


@pytest.fixture(scope="module")
def model() -> MatrixEncoder:
    return MatrixEncoder(ModelConfig(n_layers=2, n_heads=2, d_model=8, d_mlp=16, init_std=1.0), 20, n_positions=6)


def tokens() -> torch.Tensor:
    return torch.randint(0, 20, (5, 6), generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def test_each_position_gets_the_embedding_that_it_is_told(model: MatrixEncoder) -> None:
    with intervene(model, permuted_positions(ORDER)):
        _, cache = model.run_with_cache(tokens())
    given = cache["embed.hook_pos_embed"].expand(5, 6, 8)[0]
    for position, source in enumerate(ORDER):
        assert torch.equal(given[position], model.embed.pos_embed.W_pos[source])


@torch.no_grad()
def test_it_is_the_other_permutation_of_the_tokens(model: MatrixEncoder) -> None:
    inverse = torch.tensor(ORDER).argsort()
    with intervene(model, permuted_positions(ORDER)):
        output = model.complete(tokens())
    assert torch.allclose(output, model.complete(tokens()[:, inverse])[:, ORDER], atol=1e-5)
    assert not torch.allclose(output, model.complete(tokens()), atol=1e-2)


@torch.no_grad()
def test_it_is_gone_afterwards_even_when_the_body_raises(model: MatrixEncoder) -> None:
    clean = model.complete(tokens())

    def interrupted() -> None:
        with intervene(model, permuted_positions(ORDER)):
            model.complete(tokens())
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        interrupted()
    assert torch.equal(model.complete(tokens()), clean)
    assert not any(point._forward_hooks or point.fwd_hooks for point in model.hook_dict.values())


@pytest.mark.parametrize("order", [[0, 0, 1, 2, 3, 4], [1, 2, 3, 4, 5, 6], [-1, 0, 1, 2, 3, 4]])
def test_what_is_no_permutation_is_refused(order: list[int]) -> None:
    with pytest.raises(InputError, match=r"must hold every position 0 … 5 once"):
        permuted_positions(order)


def test_a_permutation_of_another_length_is_refused(model: MatrixEncoder) -> None:
    with (
        pytest.raises(InputError, match="permutation of 3 positions does not fit 6"),
        intervene(model, permuted_positions([2, 1, 0])),
    ):
        model.complete(tokens())
