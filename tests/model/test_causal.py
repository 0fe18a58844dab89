"""`CausalTransformer` in all its forms against a slow one in numpy; passes without hooks against the hooked one."""

from __future__ import annotations

import copy
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from slow_causal import slow_logits
from torch import Tensor

from mcinterp.config.transformer import LAYER_OBJECTS, TransformerConfig
from mcinterp.errors import InputError
from mcinterp.model import Head, HeadSet, intervene
from mcinterp.model import blocks as blocks_module
from mcinterp.model.blocks import Blocks
from mcinterp.model.causal import CausalTransformer
from mcinterp.model.fused import training_forward
from mcinterp.model.head_sweep import HeadChange, HeadSweep
from mcinterp.model.interventions import replaced_z, uniform_pattern
from mcinterp.model.plain import load_weights, trainable

D_VOCAB, N_POS, N, LAYERS, HEADS = 11, 9, 5, 2, 2
FORMS = [
    {"positions": positions, "attention_only": attention_only, "tied": tied}
    for positions, attention_only, tied in product(("learned", "rotary"), (False, True), (False, True))
]


def shape(**choices: object) -> TransformerConfig:
    return TransformerConfig(n_layers=LAYERS, n_heads=HEADS, d_model=12, d_mlp=20, init_std=0.4, **choices)


def random_model(config: TransformerConfig, d_vocab: int = D_VOCAB, n_positions: int = N_POS) -> CausalTransformer:
    """Every parameter but the output bias random, so that leaving one out shows."""
    model = CausalTransformer(config, d_vocab, n_positions, seed=3)
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for parameter in trainable(model).values():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    return model


def sequences(n_pos: int = N_POS, seed: int = 0, n: int = N, d_vocab: int = D_VOCAB) -> Tensor:
    return torch.randint(d_vocab, (n, n_pos), generator=torch.Generator().manual_seed(seed))


def close(found: Tensor, expected: Tensor) -> None:
    """Within 1e-5 of the largest number."""
    assert (found - expected).abs().max() <= 1e-5 * expected.abs().max().clamp(min=1e-3)


@pytest.fixture(scope="module", params=FORMS, ids=lambda form: "-".join(map(str, form.values())))
def model(request: pytest.FixtureRequest) -> CausalTransformer:
    return random_model(shape(**request.param))


@torch.no_grad()
def test_every_pass_gives_the_slow_transformers_logits(model: CausalTransformer) -> None:
    for n_pos in (1, 4, N_POS):
        tokens = sequences(n_pos)
        expected = torch.from_numpy(np.stack([slow_logits(model, each) for each in tokens.tolist()]))
        for found in (model(tokens), model.complete(tokens), training_forward(model)(tokens)):
            close(found.double(), expected)
        close(Blocks(model).complete(tokens).double(), expected)


def gradients(model: CausalTransformer, logits: Tensor, tokens: Tensor) -> dict[str, Tensor]:
    """Of a cross-entropy whose positions weigh differently."""
    weights = torch.linspace(0.1, 1.0, tokens.numel())
    loss = (F.cross_entropy(logits.flatten(0, 1), tokens.roll(-1, 1).flatten(), reduction="none") * weights).mean()
    names = list(trainable(model))
    return dict(zip(names, torch.autograd.grad(loss, list(trainable(model).values())), strict=True))


def check_gradients(model: CausalTransformer, tokens: Tensor) -> None:
    hooked, fused = model(tokens), training_forward(model)(tokens)
    close(fused, hooked)
    expected, found = gradients(model, hooked, tokens), gradients(model, fused, tokens)
    largest = max(gradient.abs().max() for gradient in expected.values())
    for name, gradient in expected.items():
        # The sums over positions of the gradients of keys and queries nearly cancel; those of keys do so altogether
        # where positions are learned, for the softmax does not see a bias of the keys.
        scale = largest if name.endswith(("b_K", "b_Q")) else gradient.abs().max()
        assert (found[name] - gradient).abs().max() <= 1e-5 * scale, name


def test_the_training_pass_has_the_hooked_ones_gradients(model: CausalTransformer) -> None:
    check_gradients(model, sequences())


@pytest.mark.parametrize("n_heads", [1, 3, 6])
@pytest.mark.parametrize("form", [FORMS[0], FORMS[-1]], ids=["learned", "rotary"])
def test_heads_of_any_width_and_sequences_of_any_length(n_heads: int, form: dict[str, object]) -> None:
    config = shape(**form).model_copy(update={"n_heads": n_heads})
    for n_pos in (1, 2, 30):
        check_gradients(random_model(config, d_vocab=5, n_positions=30), sequences(n_pos, n=2, d_vocab=5))


def test_rotary_positions_train_in_bfloat16_too() -> None:
    model, tokens = random_model(shape(positions="rotary")), sequences()
    with torch.autocast("cpu", torch.bfloat16):
        logits = training_forward(model)(tokens)
    expected = model(tokens)
    assert (logits.float() - expected).abs().max() < 0.05 * expected.abs().max()
    found, wanted = gradients(model, logits.float(), tokens), gradients(model, expected, tokens)
    for name in ("blocks.0.attn.W_Q", "blocks.1.attn.W_K"):
        assert F.cosine_similarity(found[name].flatten(), wanted[name].flatten(), dim=0) > 0.95


@torch.no_grad()
def test_a_later_token_changes_nothing_before_it(model: CausalTransformer) -> None:
    tokens = sequences()
    for position in range(1, N_POS):
        changed = tokens.clone()
        changed[:, position] = (changed[:, position] + 1) % D_VOCAB
        for forward in (model, training_forward(model)):
            before, after = forward(tokens), forward(changed)
            assert torch.equal(before[:, :position], after[:, :position])
            assert not torch.allclose(before[:, position], after[:, position])


@torch.no_grad()
def test_rotary_attention_sees_distances_alone() -> None:
    """The same tokens further to the right, with the first of them as the first key that is seen, in one layer."""
    model = random_model(shape(positions="rotary", attention_only=True).model_copy(update={"n_layers": 1}))
    tokens = sequences(4)
    _, cache = model.run_with_cache(torch.cat([tokens, tokens], 1))
    scores = cache["blocks.0.attn.hook_attn_scores"]
    close(scores[:, :, 4:, 4:].tril(), scores[:, :, :4, :4].tril())


@torch.no_grad()
def test_blocks_give_patterns_and_residual_stream(model: CausalTransformer, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens, blocks = sequences(), Blocks(model)
    _, cache = model.run_with_cache(tokens)
    for layer, pattern in enumerate(blocks.patterns(tokens)):
        close(pattern, cache[f"blocks.{layer}.attn.hook_pattern"])
    names = ["blocks.0.hook_resid_pre", *(f"blocks.{layer}.hook_resid_post" for layer in range(LAYERS))]
    for name, resid in zip(names, blocks.residual_stream(tokens), strict=True):
        close(resid, cache[name])
    for layer in range(LAYERS):
        assert torch.equal(model.complete_from(layer, cache[names[layer]]), model.complete(tokens))
    monkeypatch.setitem(blocks_module.BYTES, "cpu", 1)
    close(blocks.complete(tokens), model(tokens))


@torch.no_grad()
def test_positions_in_another_order_are_those_of_the_tokens_in_the_inverse_one() -> None:
    """The last position of a layer of attention sees all others, in no order but that of their positions."""
    order = [2, 0, 3, 1, 4]
    for positions in ("learned", "rotary"):
        model = random_model(shape(positions=positions).model_copy(update={"n_layers": 1}), n_positions=5)
        tokens, moved = sequences(5), torch.empty(N, 5, dtype=torch.int64)
        moved[:, order] = tokens
        close(Blocks(model).with_positions(order).complete(tokens)[:, -1], model(moved)[:, -1])


@pytest.mark.parametrize("method", ["uniform", "zero", "resample"])
@torch.no_grad()
def test_changed_heads_answer_as_in_a_hooked_pass_a_set(model: CausalTransformer, method: str) -> None:
    tokens, sweep = sequences(), HeadSweep(model)
    _, cache = model.run_with_cache(tokens)
    own = [cache[f"blocks.{layer}.attn.hook_z"] for layer in range(LAYERS)]
    z = {"uniform": None, "zero": [x * 0 for x in own], "resample": [x.roll(1, 0) for x in own]}[method]
    heads = [Head(layer, head) for layer in range(LAYERS) for head in range(HEADS)]
    sets = [HeadSet.parse(text, LAYERS, HEADS) for text in ("none", "all", "L0H1,L1H0")]
    sets += [HeadSet.of(str(head), [head]) for head in heads]
    found = dict(sweep.answers(sweep.clean(tokens), {each.name: HeadChange(each, z) for each in sets}))
    for each in sets:
        change = uniform_pattern(each, causal=True) if z is None else replaced_z(each, z)
        with intervene(model, change):
            close(found[each.name], model.complete(tokens))
    assert not torch.allclose(found["all"], found["none"], atol=1e-3)


def test_weights_go_through_a_file_and_back(model: CausalTransformer) -> None:
    content = safetensors.torch.save(model.weights())
    other = CausalTransformer(model.model_config, D_VOCAB, N_POS, seed=8)
    assert not torch.equal(other(sequences()), model(sequences()))
    load_weights(other, safetensors.torch.load(content), "the file")
    assert torch.equal(other(sequences()), model(sequences()))
    assert ("unembed.W_U" in model.weights()) == (not model.model_config.tied)
    assert ("pos_embed.W_pos" in model.weights()) == (model.model_config.positions == "learned")
    assert any("mlp" in name for name in model.weights()) == (not model.model_config.attention_only)


def test_a_tied_unembedding_is_the_embedding_also_of_a_copy() -> None:
    model = random_model(shape(tied=True))
    assert torch.equal(model.W_U, model.W_E.T)
    other = copy.deepcopy(model)
    with torch.no_grad():
        other.embed.W_E.zero_()
    assert not other(sequences()).any()
    assert not other.W_U.any()
    assert model.W_U.any()


def test_the_seed_decides_the_weights_and_the_configuration_their_law() -> None:
    config = TransformerConfig(n_layers=1, n_heads=2, d_model=128, d_mlp=256)
    one, same, other = (CausalTransformer(config, 64, 64, seed).weights() for seed in (1, 1, 2))
    for name, weight in one.items():
        assert torch.equal(weight, same[name])
        leaf = name.rsplit(".", 1)[-1]
        if leaf == "w":
            assert torch.equal(weight, torch.ones_like(weight))
        elif leaf.startswith("b"):
            assert not weight.any()
        else:
            assert float(weight.std()) == pytest.approx(128**-0.5, rel=0.1), name
            assert not torch.equal(weight, other[name])


def test_the_bytes_that_a_configuration_tells_are_those_of_the_models_weights(model: CausalTransformer) -> None:
    """Biases and LayerNorms are left out."""
    task, config = SimpleNamespace(d_vocab=D_VOCAB, n_positions=N_POS), model.model_config
    weights = {name: weight.nbytes for name, weight in model.weights().items() if ".W_" in name}
    assert config.weight_bytes(task) == sum(weights.values()) + LAYER_OBJECTS * (LAYERS - 1)
    assert config.least_bytes() == sum(size for name, size in weights.items() if "blocks" in name)


def test_the_output_bias_is_not_trained(model: CausalTransformer) -> None:
    assert "unembed.b_U" not in trainable(model)
    assert not model.weights()["unembed.b_U"].any()


@pytest.mark.parametrize("wrong", [(N, N_POS + 1), (N, 0), (N_POS,)])
def test_sequences_that_do_not_fit_are_refused(model: CausalTransformer, wrong: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"tokens must have shape \(batch, pos\) with 1 to 9 positions, got"):
        model.complete(torch.zeros(wrong, dtype=torch.int64))


def test_widths_that_rotary_positions_cannot_turn_are_refused() -> None:
    with pytest.raises(ValueError, match="d_model / n_heads must be even, got 3"):
        TransformerConfig(n_heads=4, d_model=12, positions="rotary")
