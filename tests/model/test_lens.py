"""mcinterp's own `HookedEncoder` and `HookedTransformer` against those of TransformerLens 3.9."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lens_models
import pytest
import torch
import transformer_lens
from lens_models import D_VOCAB, N_POS, sequences
from torch import Tensor, nn
from transformer_lens import ActivationCache
from transformer_lens.cache.key_value_cache import TransformerLensKeyValueCache

from mcinterp.errors import InputError
from mcinterp.model.lens.config import HookedTransformerConfig
from mcinterp.model.lens.encoder import HookedEncoder
from mcinterp.model.lens.transformer import HookedTransformer

if "HookedEncoder" not in vars(transformer_lens):
    pytest.skip("this TransformerLens has no HookedEncoder to compare with", allow_module_level=True)

Pair = tuple[Any, Any]
SHAPE = {"n_heads": 2, "d_model": 12, "d_head": 6, "d_mlp": 20, "n_ctx": N_POS, "d_vocab": D_VOCAB}
COMMON = {"act_fn": "gelu", "normalization_type": "LN", "eps": 1e-5, "device": "cpu", "init_weights": False}
ENCODER = {"attention_dir": "bidirectional", "d_vocab_out": 1}
FORMS = {
    "encoder": {"n_layers": 2, **ENCODER},
    "encoder of one layer": {"n_layers": 1, **ENCODER, "d_vocab_out": 3},
    "learned": {"n_layers": 2},
    "one layer": {"n_layers": 1, "d_vocab_out": 13},
    "attention-only": {"n_layers": 2, "attn_only": True},
    "rotary": {"n_layers": 2, "positional_embedding_type": "rotary"},
    "rotary attention-only": {"n_layers": 3, "positional_embedding_type": "rotary", "attn_only": True},
}
CAUSAL = [name for name in FORMS if not name.startswith("encoder")]
LEFT = torch.tensor([[1] * N_POS, [0] * 3 + [1] * 6, [0] + [1] * 8, [1] * N_POS])
"""Where tokens are, of sequences with padding on their left."""


def pair(name: str, **switches: bool) -> Pair:
    """TransformerLens's model and ours with the same random weights."""
    fields = {**SHAPE, **COMMON, **FORMS[name], **switches}
    encoder = name.startswith("encoder")
    kind: Any = transformer_lens.HookedEncoder if encoder else transformer_lens.HookedTransformer
    with pytest.warns(DeprecationWarning, match="deprecated"):
        theirs = kind(transformer_lens.HookedTransformerConfig(**fields), move_to_device=False)
    if encoder:
        # Heads for language, which no model of mcinterp has.
        theirs.mlm_head = nn.Identity()
        del theirs.nsp_head, theirs.pooler
        theirs.setup()
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.normal_(0.0, 0.3, generator=generator)
    ours = (HookedEncoder if encoder else HookedTransformer)(HookedTransformerConfig(**fields), move_to_device=False)
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


@pytest.fixture(scope="module", params=FORMS)
def both(request: pytest.FixtureRequest) -> Pair:
    return pair(request.param)


@pytest.fixture(scope="module", params=CAUSAL)
def causal(request: pytest.FixtureRequest) -> Pair:
    return pair(request.param)


def close(found: Tensor, expected: Tensor, name: str = "") -> None:
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0, equal_nan=True, msg=lambda why: f"{name}: {why}")


def same(found: Any, expected: Any) -> None:
    """The same names in the same order, with the same numbers."""
    assert list(found) == list(expected)
    for name, tensor in expected.items():
        close(found[name], tensor, name)


def runs(model: Any) -> Iterator[dict[str, Any]]:
    """Arguments of its forward pass: plain, and with what it may be given beside tokens."""
    yield {"input": sequences()}
    if model.cfg.attention_dir == "causal":
        yield {"input": sequences(), "attention_mask": LEFT}
        yield {"input": sequences(4)[0]}
    else:
        yield {"input": sequences(), "one_zero_attention_mask": LEFT, "token_type_ids": sequences(d_vocab=2)}


def test_parameters_have_the_same_names_and_shapes_in_the_same_order(both: Pair) -> None:
    theirs, ours = both
    for found, expected in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        assert (found[0], found[1].shape, found[1].dtype) == (expected[0], expected[1].shape, expected[1].dtype)
    assert [*ours.state_dict()] == [*theirs.state_dict()]
    copy.deepcopy(theirs).load_state_dict(ours.state_dict())


def test_hook_points_have_the_same_names_in_the_same_order(both: Pair) -> None:
    theirs, ours = both
    assert [*ours.hook_dict] == [*theirs.hook_dict]


def test_fields_of_the_configuration_are_the_same(both: Pair) -> None:
    theirs, ours = (vars(model.cfg) for model in both)
    shared = theirs.keys() & ours.keys()
    assert {"attn_scale", "d_vocab_out", "rotary_dim", "n_params", "attn_only", "eps", "dtype"} <= shared
    unset = {"tokenizer_prepends_bos"}  # of models that mcinterp has none of
    assert {name: ours[name] for name in shared - unset} == {name: theirs[name] for name in shared - unset}


@torch.no_grad()
def test_logits_and_every_activation_are_the_same(both: Pair) -> None:
    theirs, ours = both
    for given in runs(theirs):
        expected, wanted = theirs.run_with_cache(**given)
        found, cache = ours.run_with_cache(**given)
        close(found, expected)
        assert isinstance(cache, ActivationCache)
        same(cache.cache_dict, wanted.cache_dict)


def test_gradients_are_the_same_of_parameters_and_of_activations(both: Pair) -> None:
    weights = torch.linspace(-1.0, 1.0, N_POS)[:, None]

    def gradients(model: Any) -> dict[str, Tensor]:
        cache, forward, backward = model.get_caching_hooks(lambda name: True, incl_bwd=True)
        with model.hooks(fwd_hooks=forward, bwd_hooks=backward):
            loss = (model(sequences()) * weights).square().mean()
            model.zero_grad()
            loss.backward()
        parameters = {name: each.grad for name, each in model.named_parameters() if each.grad is not None}
        return {**cache, **parameters, "loss": loss.detach()}

    theirs, ours = both
    expected = gradients(theirs)
    assert len(expected) > 2 * len(list(theirs.parameters()))
    same(gradients(ours), expected)


@torch.no_grad()
def test_a_hook_anywhere_changes_the_output_alike(both: Pair) -> None:
    theirs, ours = both
    clean, cache = theirs.run_with_cache(sequences())
    changed = 0

    def edit(activation: Tensor, hook: object) -> Tensor:
        return activation.roll(1, 0) * 1.1

    for name in cache:
        expected, found = (model.run_with_hooks(sequences(), fwd_hooks=[(name, edit)]) for model in both)
        close(found, expected, name)
        changed += not torch.allclose(expected, clean, atol=1e-3)
    assert changed > 0.8 * len(cache)
    assert not any(point._forward_hooks for point in ours.hook_dict.values())


SWITCHES = [
    ("encoder", ("attn_result", "split_qkv_input", "hook_mlp_in")),
    ("learned", ("attn_result", "split_qkv_input", "attn_in", "hook_mlp_in")),
    ("rotary attention-only", ("attn_result", "split_qkv_input", "attn_in")),
]


@pytest.mark.parametrize(
    ("name", "switch"), [(name, f"use_{each}") for name, switches in SWITCHES for each in switches]
)
@torch.no_grad()
def test_hook_points_that_are_switched_on_are_the_same(name: str, switch: str) -> None:
    theirs, ours = pair(name, **{switch: True})
    (expected, wanted), (found, cache) = (model.run_with_cache(sequences()) for model in (theirs, ours))
    close(found, expected)
    same(cache.cache_dict, wanted.cache_dict)
    assert cache.keys() > pair(name)[1].run_with_cache(sequences())[1].keys()


@torch.no_grad()
def test_a_cache_of_keys_and_values_goes_on_alike(causal: Pair) -> None:
    tokens, outputs = sequences(), []
    for model in causal:
        cache = TransformerLensKeyValueCache.init_cache(model.cfg, "cpu", len(tokens))
        parts = [tokens[:, :4], tokens[:, 4:5], tokens[:, 5:]]
        masks = [LEFT[:, :4], LEFT[:, 4:5], LEFT[:, 5:]]
        pieces = [
            model(part, attention_mask=mask, past_kv_cache=cache) for part, mask in zip(parts, masks, strict=True)
        ]
        outputs.append(torch.cat(pieces, 1))
    close(outputs[1], outputs[0])
    present = LEFT.bool()
    close(outputs[1][present], causal[1](tokens, attention_mask=LEFT)[present])


@torch.no_grad()
def test_all_of_a_cache_are_tokens_unless_it_is_said(causal: Pair) -> None:
    _, ours = causal
    cache = TransformerLensKeyValueCache.init_cache(ours.cfg, "cpu", 4)
    pieces = [ours(part, past_kv_cache=cache) for part in sequences().split(5, 1)]
    close(torch.cat(pieces, 1), ours(sequences()))


@torch.no_grad()
def test_passes_of_some_layers_and_losses_are_the_same(causal: Pair) -> None:
    theirs, ours = causal
    resid = theirs(sequences(), stop_at_layer=-1)
    close(ours(sequences(), stop_at_layer=-1), resid)
    close(ours(resid, start_at_layer=-1), theirs(resid, start_at_layer=-1))
    for given in ({}, {"loss_per_token": True}, {"attention_mask": LEFT}):
        close(ours(sequences(), "loss", **given), theirs(sequences(), "loss", **given))
    found, expected = ours(sequences(), "both"), theirs(sequences(), "both")
    close(found.logits, expected.logits)
    close(found.loss, expected.loss)
    assert ours(sequences(), None) is None


def test_what_is_no_return_type_is_refused(causal: Pair) -> None:
    _, ours = causal
    with pytest.raises(InputError, match="must be 'logits', 'loss', 'both' or None, got 'logit'"):
        ours(sequences(), "logit")
    with pytest.raises(InputError, match="'loss' of a residual stream needs its tokens"):
        ours(torch.zeros(4, N_POS, 12), "loss", start_at_layer=0)


@torch.no_grad()
def test_weights_of_all_layers_are_the_same(both: Pair) -> None:
    theirs, ours = both
    names = ["W_Q", "W_K", "W_V", "W_O", "b_Q", "b_K", "b_V", "b_O", "W_E", "W_U", "b_U"]
    names += [] if theirs.cfg.attn_only else ["W_in", "W_out", "b_in", "b_out"]
    names += [] if theirs.cfg.positional_embedding_type == "rotary" else ["W_pos", "W_E_pos"]
    for name in names:
        assert torch.equal(getattr(ours, name), getattr(theirs, name)), name
    for name in ("QK", "OV"):
        close(getattr(ours, name).AB, getattr(theirs, name).AB)
        close(getattr(ours.blocks[0].attn, name).AB, getattr(theirs.blocks[0].attn, name).AB)
    assert ours.all_head_labels() == theirs.all_head_labels()


@torch.no_grad()
def test_what_transformer_lens_makes_of_a_cache_is_the_same(causal: Pair) -> None:
    found, expected = ([], [])
    for model, answers in ((causal[0], expected), (causal[1], found)):
        _, cache = model.run_with_cache(sequences())
        parts, labels = cache.decompose_resid(return_labels=True, apply_ln=True)
        directions = model.tokens_to_residual_directions(sequences(d_vocab=3))
        attributions = cache.logit_attrs(parts, sequences(d_vocab=3))
        answers += [parts, directions, attributions, cache.stack_head_results(), cache.accumulated_resid()]
        answers += [model.accumulated_bias(1, include_mlp_biases=False), model.accumulated_bias(0, mlp_input=True)]
        answers.append(labels)
    assert found.pop() == expected.pop()
    for ours, theirs in zip(found, expected, strict=True):
        close(ours, theirs)


def test_a_hook_that_would_never_fire_is_refused(causal: Pair) -> None:
    _, ours = causal
    with pytest.raises(InputError, match=r"nothing goes through blocks\.0\.attn\.hook_result before set_use_attn_r"):
        ours.add_hook("blocks.0.attn.hook_result", lambda value, hook: value)
    own = copy.deepcopy(ours)
    for name in ("attn_result", "split_qkv_input", "attn_in", "hook_mlp_in"):
        getattr(own, f"set_use_{name}")(True)
    _, cache = own.run_with_cache(sequences())
    assert {"blocks.0.attn.hook_result", "blocks.0.hook_q_input"} <= cache.keys()


@pytest.mark.parametrize("move", [lambda model: model.to("cpu"), lambda model: model.cpu()])
def test_moving_says_so_unless_it_is_told_not_to(
    both: Pair, move: Callable[[Any], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    for model in both:
        assert move(model) is model
        assert capsys.readouterr().out == "Moving model to device:  cpu\n"
    assert both[1].to("cpu", print_details=False) is both[1]
    assert capsys.readouterr().out == ""


def test_numbers_of_half_the_length_are_alike(both: Pair) -> None:
    theirs, ours = (copy.deepcopy(model).to(torch.bfloat16, print_details=False) for model in both)
    assert ours.cfg.dtype == torch.bfloat16
    close(ours(sequences()).float(), theirs(sequences()).float())


def test_mcinterps_models_are_the_same_on_either_base(tmp_path: Path) -> None:
    """Weights that a seed draws, padding, a row kept at zero, tied, rotary, generated: all that mcinterp adds."""
    file = tmp_path / "own.pt"
    subprocess.run([sys.executable, lens_models.__file__, file], check=True)
    same(torch.load(file), lens_models.everything())
