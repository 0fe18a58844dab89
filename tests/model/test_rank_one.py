"""Rank-one edits: what they promise for the edited key and for all others, on our models and on TransformerLens's."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mcinterp.config.transformer import TransformerConfig
from mcinterp.errors import InputError
from mcinterp.model.causal import CausalTransformer
from mcinterp.model.lens import HookedTransformer, HookedTransformerConfig
from mcinterp.model.rank_one import EditedPrompt, RankOneEdit, ValueSearch, edited, key_covariance, rank_one_edit

D_VOCAB, N_POS, D_MODEL, D_MLP, LAYER, TARGET = 20, 12, 16, 24, 1, 7
SHAPE = {"n_layers": 2, "n_heads": 2, "d_model": D_MODEL, "d_mlp": D_MLP}
PROMPT = EditedPrompt(torch.tensor([3, 11, 5]), 2)
FAST = ValueSearch(steps=600, learning_rate=0.1, stop=0.3)


def ours(**changes: Any) -> CausalTransformer:
    return CausalTransformer(TransformerConfig(init_std=0.4, **SHAPE, **changes), D_VOCAB, N_POS, seed=1)


def theirs() -> HookedTransformer:
    torch.manual_seed(0)
    config = HookedTransformerConfig(
        **SHAPE, d_head=8, n_ctx=N_POS, d_vocab=D_VOCAB, act_fn="gelu", normalization_type="LN", init_weights=True
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="HookedTransformer is deprecated", category=DeprecationWarning)
        model = HookedTransformer(config, move_to_device=False)
    for name, parameter in model.named_parameters():
        if "W_" in name:
            torch.nn.init.normal_(parameter, std=0.4)
    return model


MODELS = {"learned": ours, "rotary": lambda: ours(positions="rotary"), "TransformerLens's": theirs}


def walks(n: int = 200, seed: int = 0) -> Tensor:
    return torch.randint(D_VOCAB, (n, N_POS), generator=torch.Generator().manual_seed(seed))


def contexts() -> list[EditedPrompt]:
    """The prompt itself, and after three others."""
    return [
        PROMPT,
        *(EditedPrompt(torch.cat([walk[: 2 * i], PROMPT.tokens]), 2 * i + 2) for i, walk in enumerate(walks(3), 1)),
    ]


def made(model: Any, prompts: list[EditedPrompt] | None = None, **changes: Any) -> RankOneEdit:
    covariance = key_covariance(model, LAYER, walks())
    return rank_one_edit(model, LAYER, prompts or contexts(), TARGET, covariance, FAST, **changes)


@torch.no_grad()
def mlp_of(model: Any, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Keys and values of the edited layer."""
    _, cache = model.run_with_cache(tokens)
    return cache[f"blocks.{LAYER}.mlp.hook_post"], cache[f"blocks.{LAYER}.hook_mlp_out"]


@torch.no_grad()
def answered(model: Any, tokens: Tensor) -> Tensor:
    return model(tokens[None], return_type="logits")[0, -1].softmax(-1)


@pytest.mark.parametrize("kind", MODELS)
def test_the_prompts_are_followed_by_the_target_and_the_model_is_itself_again(kind: str) -> None:
    model = MODELS[kind]()
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    edit = made(model)
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())
    assert answered(model, PROMPT.tokens)[TARGET] < 0.1
    with edited(model, edit):
        changed = [name for name, weight in model.state_dict().items() if not torch.equal(weight, before[name])]
        assert changed == [f"blocks.{LAYER}.mlp.W_out"]
        assert answered(model, PROMPT.tokens)[TARGET] > 0.6
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())
    assert edit.loss < FAST.stop
    assert 0 < edit.steps < FAST.steps


def test_the_value_of_the_prompt_changes_by_delta_and_others_by_their_share_of_the_direction() -> None:
    model = ours()
    edit = made(model)
    keys, values = mlp_of(model, walks(5))
    _, own = mlp_of(model, PROMPT.tokens[None])
    with edited(model, edit):
        _, new_values = mlp_of(model, walks(5))
        _, new_own = mlp_of(model, PROMPT.tokens[None])
    torch.testing.assert_close(new_own[0, PROMPT.site] - own[0, PROMPT.site], edit.change, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(new_values - values, (keys @ edit.direction)[..., None] * edit.change, atol=1e-4, rtol=0)


def test_no_other_change_that_gives_the_key_its_value_moves_the_others_less() -> None:
    """Of all matrices that send k to v + δ the edit moves the values of the covariance's law least, in mean square."""
    model = ours()
    covariance = key_covariance(model, LAYER, walks()) + 0.01 * torch.eye(D_MLP)
    edit = rank_one_edit(model, LAYER, [PROMPT], TARGET, covariance, FAST)
    key = mlp_of(model, PROMPT.tokens[None])[0][0, PROMPT.site].double()
    moved = lambda change: float(torch.trace(change.T @ covariance @ change))  # noqa: E731
    generator = torch.Generator().manual_seed(0)
    for size in (1e-3, 0.1, 1.0):
        other = size * torch.randn(D_MLP, D_MODEL, generator=generator, dtype=torch.float64)
        kept = other - torch.outer(key, key @ other) / (key @ key)  # leaves the value of the key as it is
        assert moved(edit.outer.double() + kept) > moved(edit.outer.double())


def test_the_covariance_is_that_of_a_loop() -> None:
    model, tokens = ours(), walks(70)
    found = key_covariance(model, LAYER, tokens)
    slow = np.zeros((D_MLP, D_MLP))
    for sequence in tokens:
        keys, _ = mlp_of(model, sequence[None])
        for key in keys[0].double().numpy():
            slow += np.outer(key, key)
    np.testing.assert_allclose(found.numpy(), slow / tokens.numel(), rtol=1e-5, atol=1e-7)
    assert found.dtype == torch.float64


def test_the_gradient_steps_are_those_of_a_plain_loop() -> None:
    model = ours()
    edit = rank_one_edit(model, LAYER, [PROMPT], TARGET, torch.eye(D_MLP).double(), ValueSearch(steps=3, stop=0.0))
    change = torch.zeros(D_MODEL, requires_grad=True)
    optimiser = torch.optim.Adam([change], 0.03)
    for _ in range(3):
        _, cache = model.run_with_cache(PROMPT.tokens[None])
        middle = cache[f"blocks.{LAYER}.hook_resid_post"].detach().clone()
        middle[0, PROMPT.site] += change
        logits = model.unembed(model.ln_final(middle))[0, -1]
        optimiser.zero_grad()
        F.cross_entropy(logits, torch.tensor(TARGET)).backward()
        optimiser.step()
    torch.testing.assert_close(edit.change, change.detach(), atol=1e-5, rtol=1e-4)
    assert edit.steps == 3


def test_an_edit_to_the_present_answer_changes_nothing() -> None:
    model = ours()
    present = answered(model, PROMPT.tokens)
    sure = ValueSearch(stop=-float(present.max().log()) + 1e-3)
    edit = rank_one_edit(model, LAYER, [PROMPT], int(present.argmax()), torch.eye(D_MLP).double(), sure)
    assert edit.steps == 0
    assert not edit.outer.any()
    with edited(model, edit):
        assert torch.equal(answered(model, PROMPT.tokens), present)


def test_a_bound_on_the_change_is_kept_and_decay_shortens_it() -> None:
    model, covariance = ours(), torch.eye(D_MLP).double()
    free = rank_one_edit(model, LAYER, [PROMPT], TARGET, covariance, FAST)
    bounded = rank_one_edit(model, LAYER, [PROMPT], TARGET, covariance, replace(FAST, largest=0.1))
    assert float(bounded.change.norm()) == pytest.approx(0.1 * free.value_norm, rel=1e-4)
    full = replace(FAST, stop=0.0, steps=60)
    plain = rank_one_edit(model, LAYER, [PROMPT], TARGET, covariance, full)
    decayed = rank_one_edit(model, LAYER, [PROMPT], TARGET, covariance, replace(full, decay=100.0))
    assert decayed.change.norm() < plain.change.norm()


def test_the_facts_of_an_edit() -> None:
    model = ours()
    few = key_covariance(model, LAYER, walks(1)[:, :5])
    edit = rank_one_edit(model, LAYER, [PROMPT], TARGET, few, FAST)
    assert edit.rank <= 5
    assert torch.isfinite(edit.outer).all()
    W_out = model.blocks[LAYER].mlp.W_out
    assert edit.size == pytest.approx(float((edit.outer.norm() / W_out.norm()).detach()), rel=1e-5)
    key, value = (each[0, PROMPT.site] for each in mlp_of(model, PROMPT.tokens[None]))
    assert edit.value_norm == pytest.approx(float(value.norm()), rel=1e-5)
    assert float(edit.direction @ key) == pytest.approx(1, abs=1e-4)


def test_a_ridge_makes_the_direction_the_keys_own() -> None:
    model = ours()
    edit = made(model, [PROMPT], ridge=1e9)
    key = mlp_of(model, PROMPT.tokens[None])[0][0, PROMPT.site]
    torch.testing.assert_close(edit.direction, key / (key @ key), atol=1e-5, rtol=1e-3)


def test_several_edits_are_made_and_undone_together_even_when_the_block_fails() -> None:
    model = ours()
    edit = made(model)
    before = model.blocks[LAYER].mlp.W_out.detach().clone()

    def fail() -> None:
        with edited(model, edit, edit):
            torch.testing.assert_close(model.blocks[LAYER].mlp.W_out.detach(), before + 2 * edit.outer)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert torch.equal(model.blocks[LAYER].mlp.W_out, before)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"layer": 2}, r"layers 0 … 1, not 2"),
        ({"prompts": []}, "at least one prompt"),
        ({"prompts": [EditedPrompt(torch.tensor([3, 20]), 0)]}, "tokens are 0 … 19, got 20"),
        ({"prompts": [EditedPrompt(torch.tensor([3, 2]), 2)]}, "positions 0 … 1, its site is 2"),
        ({"prompts": [EditedPrompt(torch.tensor([]), 0)]}, "must be 1 to 12 token ids"),
        ({"target": -1}, "tokens are 0 … 19, got -1"),
        ({"covariance": torch.eye(3)}, r"24 hidden units is square, got \(3, 3\)"),
    ],
)
def test_what_cannot_be_edited_is_said(given: dict[str, Any], message: str) -> None:
    usual = {"layer": LAYER, "prompts": [PROMPT], "target": TARGET, "covariance": torch.eye(D_MLP).double()}
    with pytest.raises(InputError, match=message):
        rank_one_edit(ours(), **(usual | given))


def test_a_model_without_mlps_and_an_edit_of_another_shape_are_refused() -> None:
    with pytest.raises(InputError, match="layer 1 has no MLP"):
        key_covariance(ours(attention_only=True), 1, walks(2))
    edit = replace(made(ours()), change=torch.zeros(3))
    with pytest.raises(InputError, match=r"shape \(24, 3\) does not fit W_out of \(24, 16\)"), edited(ours(), edit):
        pass
