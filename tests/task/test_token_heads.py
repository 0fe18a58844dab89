"""Head classes of next-token models: planted heads, what is no member, uniform and untrained attention as controls."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mcinterp.analysis import classify_patterns
from mcinterp.config.transformer import TransformerConfig
from mcinterp.errors import InputError
from mcinterp.model.blocks import Blocks
from mcinterp.model.causal import CausalTransformer
from mcinterp.model.interventions import uniform_attention
from mcinterp.task.next_token import NextToken, TokenBatch
from mcinterp.task.token_heads import CLASSES, MEASURED_ON, token_head_scores

D_VOCAB, N_POS, N = 20, 31, 12


class Random(NextToken):
    """Nothing to learn: tokens are uniform."""

    def draw(self, n: int, generator: torch.Generator) -> TokenBatch:
        return TokenBatch.of(torch.randint(self.d_vocab, (n, self.n_positions + 1), generator=generator))


def inputs(family: str, n: int = N, d_vocab: int = D_VOCAB, n_pos: int = N_POS) -> Tensor:
    return Random(d_vocab, n_pos).examples(n, torch.Generator().manual_seed(0), family).inputs


def looked_at(name: str, tokens: list[int], query: int) -> list[int]:
    """The keys of a class for one query, one by one."""
    if name == "previous":
        return [query - 1] if query >= 2 else []
    if name == "first":
        return [0] if query >= 2 else []
    if name == "current":
        return [query] if query >= 1 else []
    earlier = [key for key in range(query) if tokens[key] == tokens[query]]
    return earlier if name == "duplicate" else [key + 1 for key in earlier]


def planted(name: str, tokens: Tensor) -> Tensor:
    """One head, a perfect member: all attention on the keys of its class, uniform where a query has none."""
    patterns = torch.zeros(len(tokens), 1, tokens.shape[1], tokens.shape[1])
    for sample, sequence in enumerate(tokens.tolist()):
        for query in range(len(sequence)):
            keys = looked_at(name, sequence, query) or list(range(query + 1))
            patterns[sample, 0, query, keys] = 1 / len(keys)
    return patterns


@pytest.mark.parametrize("name", CLASSES)
def test_a_planted_head_scores_one_in_its_class_and_little_in_all_others(name: str) -> None:
    for other in CLASSES:
        tokens = inputs(MEASURED_ON[other])
        score = token_head_scores(planted(name, tokens), tokens)[other]
        assert score.shape == (N, 1)
        if other == name:
            torch.testing.assert_close(score, torch.ones(N, 1))
        else:
            assert score.max() < 0.3, (name, other)


@pytest.mark.parametrize("family", ["random", "repeated"])
def test_uniform_attention_scores_nothing(family: str) -> None:
    tokens = inputs(family)
    patterns = uniform_attention(tokens.shape[1], causal=True).expand(N, 2, -1, -1)
    for score in token_head_scores(patterns, tokens).values():
        torch.testing.assert_close(score, torch.zeros(N, 2), atol=1e-5, rtol=0)


def test_half_of_the_attention_is_half_a_score() -> None:
    for name in CLASSES:
        tokens = inputs(MEASURED_ON[name])
        uniform = uniform_attention(tokens.shape[1], causal=True)
        score = token_head_scores((planted(name, tokens) + uniform) / 2, tokens)[name]
        torch.testing.assert_close(score, torch.full((N, 1), 0.5), atol=1e-5, rtol=0)


def test_a_head_that_avoids_the_keys_is_below_nothing() -> None:
    tokens = inputs("repeated")
    scores = token_head_scores(planted("first", tokens), tokens)
    assert all(scores[name].max() < 0 for name in ("previous", "current", "induction"))


@pytest.mark.parametrize("positions", ["learned", "rotary"])
@torch.no_grad()
def test_no_head_of_an_untrained_model_is_a_member(positions: str) -> None:
    for seed in range(3):
        model = CausalTransformer(TransformerConfig(positions=positions), D_VOCAB, N_POS, seed)
        for name, family in MEASURED_ON.items():
            for patterns in Blocks(model).patterns(inputs(family)):
                assert token_head_scores(patterns, inputs(family), [name])[name].mean(0).abs().max() < 0.3


@given(n_pos=st.integers(1, 8), d_vocab=st.integers(1, 4), seed=st.integers(0, 9999))
@settings(max_examples=60, deadline=None)
def test_scores_are_those_of_a_loop_over_samples_heads_and_queries(n_pos: int, d_vocab: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(d_vocab, (2, n_pos), generator=generator)
    logits = torch.randn(2, 3, n_pos, n_pos, generator=generator, dtype=torch.float64)
    later = torch.ones(n_pos, n_pos, dtype=torch.bool).triu(1)
    patterns = logits.masked_fill(later, -torch.inf).softmax(-1)
    for name, found in token_head_scores(patterns, tokens).items():
        expected = np.zeros((2, 3))
        for sample, head in np.ndindex(2, 3):
            scores = []
            for query in range(n_pos):
                keys = looked_at(name, tokens[sample].tolist(), query)
                if 0 < len(keys) < query + 1:
                    mass = sum(float(patterns[sample, head, query, key]) for key in keys)
                    share = len(keys) / (query + 1)
                    scores.append((mass - share) / (1 - share))
            expected[sample, head] = np.mean(scores) if scores else 0.0
        np.testing.assert_allclose(found.numpy(), expected, atol=1e-9)


def induction_circuit(d_vocab: int, n_pos: int) -> CausalTransformer:
    """Layer 0 copies each position's previous token into a part of the stream of its own; layer 1 looks it up there.

    The stream is made of three parts: token, position, previous token.
    """
    width = 2 * d_vocab + n_pos
    shape = TransformerConfig(n_layers=2, n_heads=1, d_model=width, attention_only=True)
    model = CausalTransformer(shape, d_vocab, n_pos)
    token, position = torch.arange(d_vocab), d_vocab + torch.arange(n_pos)
    previous = d_vocab + n_pos + token
    copier, searcher = (block.attn for block in model.blocks)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "W_" in name:
                parameter.zero_()
        model.embed.W_E[token, token] = 1.0
        model.pos_embed.W_pos[torch.arange(n_pos), position] = 1.0
        copier.W_Q[0, position[1:], position[:-1]] = 20.0
        copier.W_K[0, position, position] = 1.0
        copier.W_V[0, token, token] = 1.0
        copier.W_O[0, token, previous] = 1.0
        searcher.W_Q[0, token, token] = 20.0
        searcher.W_K[0, previous, token] = 1.0
    return model


@torch.no_grad()
def test_a_planted_induction_circuit_is_found() -> None:
    model, found = induction_circuit(16, N_POS), []
    by_family = {family: inputs(family, d_vocab=16) for family in ("random", "repeated")}
    patterns = {family: list(Blocks(model).patterns(tokens)) for family, tokens in by_family.items()}
    for layer in range(2):
        scores = {
            name: token_head_scores(patterns[family][layer], by_family[family], [name])[name].mean().item()
            for name, family in MEASURED_ON.items()
        }
        found.append(scores)
    assert found[0]["previous"] > 0.99
    assert all(score < 0.3 for name, score in found[0].items() if name != "previous")
    assert found[1]["induction"] > 0.9
    assert all(score < 0.3 for name, score in found[1].items() if name != "induction")


def test_what_does_not_belong_together_is_refused() -> None:
    with pytest.raises(InputError, match=r"patterns must have shape \(2, head, 3, 3\).*got \(2, 1, 4, 4\)"):
        token_head_scores(torch.zeros(2, 1, 4, 4), torch.zeros(2, 3, dtype=torch.int64))
    with pytest.raises(InputError, match="'inducton' is no class of heads; did you mean 'induction'"):
        token_head_scores(torch.zeros(2, 1, 3, 3), torch.zeros(2, 3, dtype=torch.int64), ["inducton"])


def test_a_head_of_ones_own_is_classified_by_its_tokens() -> None:
    def looking(name: str):
        return lambda tokens: planted(name, torch.from_numpy(tokens)[None])[0, 0].numpy()

    made_up = {name: looking(name) for name in CLASSES}
    made_up["uniform"] = lambda tokens: uniform_attention(len(tokens), causal=True).numpy()
    result = classify_patterns(made_up, Random(D_VOCAB, N_POS), samples=N)
    assert list(result.table("heads")["class"]) == [*CLASSES, "none"]
    assert set(result.tables) == {"heads", "scores"}
    assert result.table("scores")["uniform"].abs().max() < 1e-5


def test_a_head_of_ones_own_sees_no_later_tokens() -> None:
    with pytest.raises(
        InputError, match=r"'next' must give .* for tokens \(pos,\).* gave attention to later positions"
    ):
        classify_patterns({"next": lambda tokens: np.roll(np.eye(N_POS), 1, 1)}, Random(D_VOCAB, N_POS), samples=2)
