"""Padding: a smaller matrix in a padded batch gets the answers, and gives the gradients, that it has on its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from mcinterp.errors import CheckpointError, InputError
from mcinterp.model import HeadSet, intervene
from mcinterp.model.fused import fused_complete
from mcinterp.model.interventions import uniform_pattern
from mcinterp.model.restricted import restricted_to
from mcinterp.studies.matrix_completion.config import ModelConfig, TaskConfig
from mcinterp.studies.matrix_completion.convert import from_bert, load_weights, to_bert
from mcinterp.studies.matrix_completion.encoder import MatrixEncoder
from mcinterp.studies.matrix_completion.task.batch import MatrixBatch
from mcinterp.studies.matrix_completion.task.completion import MatrixCompletion

TASK = MatrixCompletion(TaskConfig(rows=6, cols=7, rank=1, v_min=-2, v_max=2, sizes=((4, 4), (5, 5), (6, 7))))
SHAPE = ModelConfig(n_layers=3, n_heads=2, d_model=16, d_mlp=32, init_std=0.4)
BLOCK = [row * 7 + col for row in range(5) for col in range(5)]
"""Positions of a 5 × 5 matrix in the grid of 6 × 7."""
Forward = Callable[[MatrixEncoder, Tensor], Tensor]
FORWARDS: tuple[Forward, ...] = (MatrixEncoder.complete, fused_complete)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def padded_model() -> MatrixEncoder:
    """Every parameter random, so that nothing hides behind a zero bias."""
    model = MatrixEncoder(SHAPE, TASK.config.d_vocab, TASK.config.n_positions, pad_token=TASK.config.pad_token)
    generator = seeded(5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
        model.embed.embed.W_E[0] = 0
    return model


@pytest.fixture(scope="module")
def model() -> MatrixEncoder:
    return padded_model()


@pytest.fixture(scope="module")
def five() -> MatrixBatch:
    return TASK.sample(8, seeded(), size=(5, 5))


def alone(model: MatrixEncoder) -> MatrixEncoder:
    """A model that has never heard of padding: the same weights, 25 positions."""
    weights = model.weights()
    weights["embed.pos_embed.W_pos"] = weights["embed.pos_embed.W_pos"][BLOCK]
    smaller = MatrixEncoder(SHAPE, TASK.config.d_vocab, 25)
    load_weights(smaller, weights, "the test")
    return smaller


@pytest.mark.parametrize("forward", FORWARDS)
def test_a_padded_5_by_5_gives_the_unpadded_answer(model: MatrixEncoder, five: MatrixBatch, forward: Forward) -> None:
    assert five.inputs.shape == (8, 42)
    with torch.no_grad():
        padded = forward(model, five.inputs)[:, BLOCK]
        unpadded = forward(alone(model), five.inputs[:, BLOCK])
    assert padded.std() > 0.02
    torch.testing.assert_close(padded, unpadded, atol=1e-5, rtol=0)


@pytest.mark.parametrize("forward", FORWARDS)
def test_a_padded_5_by_5_gives_the_unpadded_gradients(five: MatrixBatch, forward: Forward) -> None:
    model = padded_model()
    smaller = alone(model)
    TASK.loss(forward(model, five.inputs), five).backward()
    (forward(smaller, five.inputs[:, BLOCK]) - five.targets[:, BLOCK]).square().mean().backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    for name, parameter in smaller.named_parameters():
        got, expected = gradients[name], parameter.grad
        if expected is None:
            assert got is None
            continue
        assert got is not None
        if name == "embed.pos_embed.W_pos":
            elsewhere = [position for position in range(42) if position not in BLOCK]
            assert got[BLOCK].abs().max() > 1e-3
            assert bool((got[elsewhere] == 0).all())
            got = got[BLOCK]
        torch.testing.assert_close(got, expected, atol=1e-5, rtol=0, msg=name)
    embedding = gradients["embed.embed.W_E"]
    assert embedding is not None
    assert bool((embedding[TASK.config.pad_token] == 0).all())


@pytest.mark.parametrize("forward", FORWARDS)
@torch.no_grad()
def test_an_answer_does_not_depend_on_the_rest_of_the_batch(model: MatrixEncoder, forward: Forward) -> None:
    batch = TASK.sample(12, seeded(3))
    assert batch.present is not None
    assert len(set(batch.present.sum(1).tolist())) == 3
    together = forward(model, batch.inputs)
    for index, present in enumerate(batch.present):
        by_itself = forward(model, batch.inputs[index : index + 1])[0]
        torch.testing.assert_close(together[index, present], by_itself[present], atol=1e-5, rtol=0)


@pytest.mark.parametrize("forward", FORWARDS)
@torch.no_grad()
def test_an_answer_does_not_depend_on_what_padding_holds(five: MatrixBatch, forward: Forward) -> None:
    model = padded_model()
    before = forward(model, five.inputs)[:, BLOCK]
    outside = [position for position in range(42) if position not in BLOCK]
    model.embed.embed.W_E[TASK.config.pad_token] = 50 * torch.randn(16, generator=seeded(1))
    model.embed.pos_embed.W_pos[outside] = 50 * torch.randn(17, 16, generator=seeded(2))
    assert torch.equal(forward(model, five.inputs)[:, BLOCK], before)


@torch.no_grad()
def test_it_matters_that_the_token_is_the_padding_token(model: MatrixEncoder, five: MatrixBatch) -> None:
    other = five.inputs.masked_fill(five.inputs == TASK.config.pad_token, 0)
    difference = (model.complete(other) - model.complete(five.inputs))[:, BLOCK].abs()
    assert difference.max() > 0.01


@torch.no_grad()
def test_no_head_attends_to_padding(model: MatrixEncoder) -> None:
    batch = TASK.sample(12, seeded(3))
    assert batch.present is not None
    _, cache = model.run_with_cache(batch.inputs)
    for layer in range(3):
        pattern = cache[f"blocks.{layer}.attn.hook_pattern"]
        assert bool((pattern.transpose(1, 3)[~batch.present] == 0).all())
        assert bool((pattern.transpose(1, 3)[batch.present] > 0).all())
        torch.testing.assert_close(pattern.sum(-1), torch.ones(12, 2, 42))


@torch.no_grad()
def test_hooked_and_fused_agree_on_a_mixture(model: MatrixEncoder) -> None:
    batch = TASK.sample(12, seeded(3))
    assert batch.present is not None
    hooked, fused = model.complete(batch.inputs), fused_complete(model, batch.inputs)
    logits = model(batch.inputs)
    torch.testing.assert_close(hooked, fused, atol=1e-5, rtol=0)
    assert torch.equal(logits[..., 0], hooked)


@torch.no_grad()
def test_a_run_can_be_entered_at_every_layer(model: MatrixEncoder) -> None:
    batch = TASK.sample(12, seeded(3))
    _, cache = model.run_with_cache(batch.inputs)
    clean, padding = model.complete(batch.inputs), model.padding(batch.inputs)
    for layer in range(3):
        resumed = model.complete_from(layer, cache[f"blocks.{layer}.hook_resid_pre"], padding)
        torch.testing.assert_close(resumed, clean)
    forgotten = model.complete_from(1, cache["blocks.1.hook_resid_pre"])
    assert (forgotten - clean)[batch.present].abs().max() > 0.01


@torch.no_grad()
def test_uniform_attention_leaves_padding_out(model: MatrixEncoder, five: MatrixBatch) -> None:
    heads = HeadSet.parse("all", 3, 2)
    with intervene(model, uniform_pattern(heads, model.padding(five.inputs))):
        got = model.complete(five.inputs)[:, BLOCK]
    smaller = alone(model)
    with intervene(smaller, uniform_pattern(heads)):
        expected = smaller.complete(five.inputs[:, BLOCK])
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)


@torch.no_grad()
def test_full_size_matrices_are_answered_as_without_padding(model: MatrixEncoder) -> None:
    unaware = MatrixEncoder(SHAPE, TASK.config.d_vocab, 42)
    load_weights(unaware, model.weights(), "the test")
    batch = TASK.sample(5, seeded(), size="largest")
    for forward in FORWARDS:
        assert torch.equal(forward(model, batch.inputs), forward(unaware, batch.inputs))
    assert unaware.padding(batch.inputs) is None


@torch.no_grad()
def test_restricted_to_is_the_same_weights_on_fewer_positions(model: MatrixEncoder, five: MatrixBatch) -> None:
    restricted = restricted_to(model, BLOCK)
    tokens = five.inputs[:, BLOCK]
    assert torch.equal(restricted.complete(tokens), alone(model).complete(tokens))
    restricted.embed.embed.W_E.zero_()
    assert bool(model.embed.embed.W_E.any())
    for positions in ([], [0, 42], [-1, 3]):
        with pytest.raises(InputError, match="positions must lie in 0 … 41"):
            restricted_to(model, positions)


@torch.no_grad()
def test_bert_answers_the_same_where_there_is_an_entry(model: MatrixEncoder) -> None:
    batch = TASK.sample(12, seeded(3))
    bert, read_out = to_bert(model)
    assert bert.config.vocab_size == TASK.config.d_vocab
    attended = (batch.inputs != model.pad_token).long()
    theirs = read_out(bert(batch.inputs, attention_mask=attended).last_hidden_state)[..., 0]
    ours = model.complete(batch.inputs)
    torch.testing.assert_close(ours[batch.present], theirs[batch.present], atol=1e-5, rtol=0)


@torch.no_grad()
def test_from_bert_takes_the_padding_token(model: MatrixEncoder) -> None:
    bert, read_out = to_bert(model)
    states = bert.state_dict(), read_out.state_dict()
    open_again = partial(from_bert, *states, n_heads=2, n_positions=42)
    batch = TASK.sample(12, seeded(3))
    assert torch.equal(open_again(pad_token=model.pad_token).complete(batch.inputs), model.complete(batch.inputs))
    with pytest.raises(CheckpointError, match="pad_token 403 is not one of the 403 tokens"):
        open_again(pad_token=403)


def test_weights_without_the_padding_token_do_not_open_as_weights_with_it(model: MatrixEncoder) -> None:
    without = MatrixEncoder(SHAPE, TASK.config.d_vocab - 1, 42)
    with pytest.raises(CheckpointError, match=r"embed.embed.W_E is torch.float32 \(402, 16\), expected .* \(403, 16\)"):
        load_weights(model, without.weights(), "weights of one size")
