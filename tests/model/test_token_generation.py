"""What is written with kept keys and values against a slow loop of whole hooked passes, one prompt at a time."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from torch import Tensor

from mcinterp.config.transformer import TransformerConfig
from mcinterp.errors import InputError
from mcinterp.model import blocks as blocks_module
from mcinterp.model.causal import CausalTransformer
from mcinterp.model.generation import generate, log_probabilities
from mcinterp.model.plain import trainable

D_VOCAB, N_POS = 7, 12


def built(**choices: object) -> CausalTransformer:
    config = TransformerConfig(n_layers=2, n_heads=2, d_model=8, d_mlp=16, init_std=0.7, **choices)
    model = CausalTransformer(config, D_VOCAB, N_POS, seed=1)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in trainable(model).values():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return model


MODELS = {
    "learned": built(),
    "rotary": built(positions="rotary"),
    "attention only, tied": built(positions="rotary", attention_only=True, tied=True),
}


def prompts_of(*lengths: int, seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(D_VOCAB, (length,), generator=generator) for length in lengths]


@torch.no_grad()
def slow_greedy(model: CausalTransformer, prompt: Tensor, n_new: int, end_token: int | None = None) -> list[int]:
    """The most probable token after a whole hooked pass, again and again."""
    written: list[int] = []
    while len(written) < n_new and (end_token is None or end_token not in written):
        written.append(int(model(torch.cat([prompt, torch.tensor(written, dtype=torch.int64)])[None])[0, -1].argmax()))
    return written


@pytest.mark.parametrize("name", MODELS)
@given(lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5), n_new=st.integers(1, 7), seed=st.integers(0, 999))
@settings(max_examples=15, deadline=None)
def test_greedy_writing_is_the_slow_loop_whatever_else_is_in_the_batch(
    name: str, lengths: list[int], n_new: int, seed: int
) -> None:
    model, prompts = MODELS[name], prompts_of(*lengths, seed=seed)
    expected = [slow_greedy(model, prompt, n_new) for prompt in prompts]
    assert [each.tolist() for each in generate(model, prompts, n_new)] == expected


def test_greedy_writing_is_not_the_same_whatever_the_prompt() -> None:
    for model in MODELS.values():
        written = generate(model, prompts_of(*[3] * 40), 4)
        assert len({tuple(each.tolist()) for each in written}) > 5


def test_nothing_is_written_after_an_end_token(monkeypatch: pytest.MonkeyPatch) -> None:
    model, prompts = MODELS["learned"], prompts_of(*[1, 2, 3] * 20)
    expected = [slow_greedy(model, prompt, 8, end_token=5) for prompt in prompts]
    assert {len(each) for each in expected} > {1, 8}
    assert [each.tolist() for each in generate(model, prompts, 8, end_token=5)] == expected
    monkeypatch.setitem(blocks_module.BYTES, "cpu", 1)  # one prompt at a time
    assert [each.tolist() for each in generate(model, prompts, 8, end_token=5)] == expected


def test_drawn_tokens_have_the_probabilities_of_the_temperature() -> None:
    model, (prompt,) = MODELS["rotary"], prompts_of(4)
    with torch.no_grad():
        logits = model(prompt[None])[0, -1].double()
    for temperature in (0.5, 2.0):
        drawn = generate(model, [prompt] * 4000, 1, temperature, generator=torch.Generator().manual_seed(3))
        counts = np.bincount(torch.cat(drawn), minlength=D_VOCAB)
        expected = (logits / temperature).softmax(-1).numpy()
        assert chisquare(counts, 4000 * expected / expected.sum()).pvalue > 1e-3
        assert chisquare(counts, 4000 * np.roll(expected, 1) / expected.sum()).pvalue < 1e-6


def test_the_generator_decides_what_is_drawn_and_a_tiny_temperature_nothing() -> None:
    model, prompts = MODELS["learned"], prompts_of(2, 5, 3)
    one, same, other = (
        generate(model, prompts, 6, 1.0, generator=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert [each.tolist() for each in one] == [each.tolist() for each in same]
    assert [each.tolist() for each in one] != [each.tolist() for each in other]
    frozen = generate(model, prompts, 6, 1e-30, generator=torch.Generator())
    assert [each.tolist() for each in frozen] == [each.tolist() for each in generate(model, prompts, 6)]


@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_log_probabilities_are_those_of_whole_hooked_passes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, prompts, continuations = MODELS[name], prompts_of(1, 4, 7, 2), prompts_of(3, 9, 0, 1, seed=5)
    expected = []
    for prompt, continuation in zip(prompts, continuations, strict=True):
        whole = torch.cat([prompt, continuation])
        scores = model(whole[None, :-1])[0].log_softmax(-1) if len(whole) > 1 else torch.zeros(0)
        asked = range(len(prompt), len(whole))
        expected.append(torch.tensor([float(scores[position - 1, whole[position]]) for position in asked]))
    for memory in (1, 2**24):
        monkeypatch.setitem(blocks_module.BYTES, "cpu", memory)
        for found, wanted in zip(log_probabilities(model, prompts, continuations), expected, strict=True):
            torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)


def test_the_probabilities_of_all_continuations_add_up_to_one() -> None:
    continuations = [torch.tensor(pair) for pair in product(range(D_VOCAB), repeat=2)]
    for model in MODELS.values():
        found = log_probabilities(model, prompts_of(3) * len(continuations), continuations)
        assert math.fsum(float(each.sum().exp()) for each in found) == pytest.approx(1.0, abs=1e-5)


def test_what_was_written_greedily_is_the_most_probable_token_each_time() -> None:
    model, prompts = MODELS["learned"], prompts_of(3, 5)
    written = generate(model, prompts, 5)
    own = log_probabilities(model, prompts, written)
    for index, token in product(range(5), range(D_VOCAB)):
        other = [each[: index + 1].clone() for each in written]
        for each in other:
            each[index] = token
        for found, best in zip(log_probabilities(model, prompts, other), own, strict=True):
            assert found[index] <= best[index] + 1e-6


@pytest.mark.parametrize(
    ("prompt", "sentence"),
    [
        (torch.zeros(0, dtype=torch.int64), "prompt 1 must be a tensor of one or more token ids, int64, got"),
        (torch.zeros(1, 2, dtype=torch.int64), r"prompt 1 must be .* of shape \(1, 2\)"),
        (torch.zeros(3), "prompt 1 must be .* got torch.float32"),
        (torch.zeros(10, dtype=torch.int64), "prompt 1 has 10 tokens; .* 12 positions, which leaves room for 9"),
        (torch.tensor([0, 7]), "prompt 1 has the token 7; tokens are 0 … 6"),
        (torch.tensor([-1]), "prompt 1 has the token -1; tokens are 0 … 6"),
    ],
)
def test_prompts_that_do_not_fit_are_refused(prompt: Tensor, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        generate(MODELS["rotary"], [torch.tensor([1]), prompt], 4)


def test_a_prompt_may_fill_the_positions_that_the_last_token_is_predicted_from() -> None:
    (prompt,) = prompts_of(N_POS)
    assert generate(MODELS["learned"], [prompt], 1)[0].tolist() == slow_greedy(MODELS["learned"], prompt, 1)
    assert len(log_probabilities(MODELS["learned"], [prompt], [torch.tensor([2])])[0]) == 1
    with pytest.raises(InputError, match=r"prompt and continuation 0 has 14 tokens; .* leaves room for 13"):
        log_probabilities(MODELS["learned"], [prompt], [torch.tensor([2, 2])])


def test_choices_that_mean_nothing_are_refused() -> None:
    model, prompts = MODELS["learned"], prompts_of(2)
    for temperature in (-1.0, math.inf, math.nan):
        with pytest.raises(InputError, match="temperature must be a number of 0 or more"):
            generate(model, prompts, 1, temperature)
    with pytest.raises(InputError, match=r"temperature 1\.0 draws tokens: give the generator"):
        generate(model, prompts, 1, 1.0)
    with pytest.raises(InputError, match="n_new must be at least 1, got 0"):
        generate(model, prompts, 0)
    with pytest.raises(InputError, match="1 prompts need as many continuations, got 0"):
        log_probabilities(model, prompts, [])
