"""`MatrixGPT`: the numbers of a GPT-2, causality, generation, and the laws of interventions on it."""

from __future__ import annotations

import pytest
import torch
from small_gpt import small_gpt_config
from torch import Tensor
from transformers import GPT2Config, GPT2Model

from mcinterp.errors import InputError
from mcinterp.model import HeadSet, intervene
from mcinterp.model.fused import fused_answer_logits, training_forward
from mcinterp.model.interventions import replaced_z, uniform_attention, uniform_pattern
from mcinterp.model.plain import trainable
from mcinterp.runs.checkpoint import build_model
from mcinterp.studies.matrix_completion.gpt import MatrixGPT
from mcinterp.studies.matrix_completion.task.batch import MatrixBatch
from mcinterp.task import make_task

CONFIG = small_gpt_config()
N_ENTRIES, D_VOCAB, D_MODEL = 6, 25, 16
ALL = HeadSet.parse("all", 2, 2)


@pytest.fixture(scope="module")
def model() -> MatrixGPT:
    """Every parameter random, biases and LayerNorms too, so that leaving one out shows."""
    built = build_model(CONFIG, seed=5)
    assert isinstance(built, MatrixGPT)
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, parameter in built.named_parameters():
            if name != "unembed.b_U":
                parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    return built


@pytest.fixture(scope="module")
def batch() -> MatrixBatch:
    return make_task(CONFIG.task).sample(9, torch.Generator().manual_seed(0))


def as_gpt2(model: MatrixGPT) -> GPT2Model:
    """The same weights in Hugging Face's GPT-2, an implementation of other people."""
    config = GPT2Config(
        vocab_size=D_VOCAB,
        n_positions=model.n_positions,
        n_embd=D_MODEL,
        n_layer=2,
        n_head=2,
        n_inner=32,
        activation_function="gelu",
        layer_norm_epsilon=CONFIG.model.layer_norm_eps,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        attn_implementation="eager",
    )
    theirs, ours = GPT2Model(config).eval(), model.weights()
    weights = {"wte.weight": ours["embed.W_E"], "wpe.weight": ours["pos_embed.W_pos"]}
    weights |= {"ln_f.weight": ours["ln_final.w"], "ln_f.bias": ours["ln_final.b"]}
    for layer in range(2):
        a, b = f"h.{layer}.", f"blocks.{layer}."
        qkv = [ours[f"{b}attn.W_{letter}"].permute(1, 0, 2).flatten(1) for letter in "QKV"]
        weights[f"{a}attn.c_attn.weight"] = torch.cat(qkv, dim=1)
        weights[f"{a}attn.c_attn.bias"] = torch.cat([ours[f"{b}attn.b_{letter}"].flatten() for letter in "QKV"])
        weights[f"{a}attn.c_proj.weight"] = ours[f"{b}attn.W_O"].flatten(0, 1)
        weights[f"{a}attn.c_proj.bias"] = ours[f"{b}attn.b_O"]
        for theirs_name, own in (("c_fc", "in"), ("c_proj", "out")):
            weights[f"{a}mlp.{theirs_name}.weight"] = ours[f"{b}mlp.W_{own}"]
            weights[f"{a}mlp.{theirs_name}.bias"] = ours[f"{b}mlp.b_{own}"]
        for norm, own in (("ln_1", "ln1"), ("ln_2", "ln2")):
            weights |= {f"{a}{norm}.weight": ours[f"{b}{own}.w"], f"{a}{norm}.bias": ours[f"{b}{own}.b"]}
    theirs.load_state_dict(weights)
    return theirs


@torch.no_grad()
def test_hidden_states_patterns_and_logits_are_those_of_gpt2(model: MatrixGPT, batch: MatrixBatch) -> None:
    expected = as_gpt2(model)(batch.inputs, output_hidden_states=True, output_attentions=True)
    logits, cache = model.run_with_cache(batch.inputs)
    for layer in range(2):
        torch.testing.assert_close(
            cache[f"blocks.{layer}.hook_resid_pre"], expected.hidden_states[layer], atol=1e-5, rtol=0
        )
        torch.testing.assert_close(
            cache[f"blocks.{layer}.attn.hook_pattern"], expected.attentions[layer], atol=1e-5, rtol=0
        )
    wanted = expected.last_hidden_state @ model.unembed.W_U
    torch.testing.assert_close(logits, wanted, atol=1e-5, rtol=1e-5)


def test_training_forward_is_the_hooked_one_at_the_positions_that_predict_entries(
    model: MatrixGPT, batch: MatrixBatch
) -> None:
    hooked = model(batch.inputs)[:, N_ENTRIES : 2 * N_ENTRIES]
    fused = training_forward(model)(batch.inputs)
    assert fused.shape == (9, N_ENTRIES, D_VOCAB)
    torch.testing.assert_close(fused, hooked, atol=1e-5, rtol=1e-5)
    task = make_task(CONFIG.task)
    gradients = [
        torch.autograd.grad(task.loss(output, batch), list(trainable(model).values())) for output in (hooked, fused)
    ]
    for name, slow, fast in zip(trainable(model), *gradients, strict=True):
        torch.testing.assert_close(fast, slow, atol=1e-5, rtol=1e-4, msg=name)


@torch.no_grad()
def test_a_later_token_changes_nothing_before_it(model: MatrixGPT, batch: MatrixBatch) -> None:
    for position in range(1, model.n_positions):
        changed = batch.inputs.clone()
        changed[:, position] = changed[:, position] % 20 + 2
        before, after = model(batch.inputs), model(changed)
        assert torch.equal(before[:, :position], after[:, :position])
        assert not torch.allclose(before[:, position], after[:, position])
        fused = [fused_answer_logits(model, tokens) for tokens in (batch.inputs, changed)]
        known = max(0, position - N_ENTRIES)
        assert torch.equal(fused[0][:, :known], fused[1][:, :known])


@torch.no_grad()
def test_greedy_generation_is_the_naive_loop(model: MatrixGPT, batch: MatrixBatch) -> None:
    prompts = batch.inputs[:, : N_ENTRIES + 1]
    sequence = prompts
    for _ in range(N_ENTRIES):
        logits = model(sequence)[:, -1]
        logits[:, [0, 22, 23, 24]] = -torch.inf
        sequence = torch.cat([sequence, logits.argmax(-1, keepdim=True)], dim=1)
    assert torch.equal(model.generate_greedily(prompts), sequence[:, N_ENTRIES + 1 :])
    assert len(set(sequence[:, N_ENTRIES + 1 :].flatten().tolist())) > 3


@torch.no_grad()
def test_what_was_written_greedily_is_what_the_model_answers_to_it(model: MatrixGPT, batch: MatrixBatch) -> None:
    prompts = batch.inputs[:, : N_ENTRIES + 1]
    written = model.generate_greedily(prompts)
    values = model.complete(torch.cat([prompts, written], dim=1))
    torch.testing.assert_close(values, (written - 11) / 10)


@torch.no_grad()
def test_the_answer_is_the_value_of_the_most_probable_value_token(model: MatrixGPT, batch: MatrixBatch) -> None:
    logits = model(batch.inputs)
    for sample in range(9):
        for entry in range(N_ENTRIES):
            row = logits[sample, N_ENTRIES + entry].tolist()
            best = max(range(1, 22), key=row.__getitem__)
            assert float(model.complete(batch.inputs)[sample, entry]) == pytest.approx((best - 11) / 10)


@torch.no_grad()
def test_entering_at_a_block_gives_the_same_answer(model: MatrixGPT, batch: MatrixBatch) -> None:
    _, cache = model.run_with_cache(batch.inputs)
    for layer in range(2):
        resumed = model.complete_from(layer, cache[f"blocks.{layer}.hook_resid_pre"])
        assert torch.equal(resumed, model.complete(batch.inputs))


@torch.no_grad()
def test_no_heads_and_own_heads_change_nothing(model: MatrixGPT, batch: MatrixBatch) -> None:
    _, cache = model.run_with_cache(batch.inputs)
    clean, z = model.complete(batch.inputs), [cache[f"blocks.{layer}.attn.hook_z"] for layer in range(2)]
    with intervene(model, uniform_pattern(HeadSet.parse("none", 2, 2), causal=True), replaced_z(ALL, z)):
        assert torch.equal(model.complete(batch.inputs), clean)
    with intervene(model, replaced_z(ALL, [layer.roll(1, dims=0) for layer in z])):
        assert not torch.equal(model.complete(batch.inputs), clean)


def test_causal_uniform_attention_by_hand() -> None:
    third = 1 / 3
    assert torch.allclose(uniform_attention(3, True), torch.tensor([[1, 0, 0], [0.5, 0.5, 0], [third, third, third]]))
    assert torch.allclose(uniform_attention(3), torch.full((3, 3), third))


@torch.no_grad()
def test_uniform_heads_see_no_later_key(model: MatrixGPT, batch: MatrixBatch) -> None:
    heads = HeadSet.parse("L0H1", 2, 2)
    seen: list[Tensor] = []
    edit = uniform_pattern(heads, causal=True).edits["blocks.0.attn.hook_pattern"]

    def record(pattern: Tensor, hook: object) -> Tensor:
        seen.append(edit(pattern))
        return seen[-1]

    model.run_with_hooks(batch.inputs, fwd_hooks=[("blocks.0.attn.hook_pattern", record)])
    for query in range(13):
        expected = torch.tensor([1 / (query + 1)] * (query + 1) + [0.0] * (12 - query))
        assert torch.allclose(seen[0][:, 1, query], expected.expand(9, -1))
    _, cache = model.run_with_cache(batch.inputs)
    assert torch.equal(seen[0][:, 0], cache["blocks.0.attn.hook_pattern"][:, 0])


def test_weights_are_parameters_and_the_seed_decides_them(model: MatrixGPT) -> None:
    names = set(model.weights())
    assert names == {name for name, _ in model.named_parameters()}
    assert not any("IGNORE" in name or "token_values" in name for name in names)
    assert "unembed.b_U" not in trainable(model)
    one, same, other = (build_model(CONFIG, seed).weights() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in names)
    assert not torch.equal(one["embed.W_E"], other["embed.W_E"])


def test_initial_weights_have_the_configured_law() -> None:
    config = small_gpt_config(model={"d_model": 128, "d_mlp": 256, "init_std": 0.03, "mask_embedding": "learned"})
    for name, weight in build_model(config, seed=0).weights().items():
        leaf = name.rsplit(".", 1)[-1]
        if leaf == "w":
            assert torch.equal(weight, torch.ones_like(weight))
        elif leaf.startswith("b"):
            assert not weight.any()
        else:
            assert float(weight.std()) == pytest.approx(0.03, rel=0.1), name


@pytest.mark.parametrize("mask_embedding", ["zero", "learned"])
def test_a_zero_mask_embedding_stays_zero(batch: MatrixBatch, mask_embedding: str) -> None:
    config = small_gpt_config(model={"mask_embedding": mask_embedding})
    task = make_task(config.task)
    for forward in (training_forward, lambda model: lambda tokens: model(tokens)[:, N_ENTRIES : 2 * N_ENTRIES]):
        model = build_model(config)
        task.loss(forward(model)(batch.inputs), batch).backward()
        assert bool(model.embed.W_E.grad[0].any()) == (mask_embedding == "learned")
        assert bool(model.embed.W_E[0].any()) == (mask_embedding == "learned")


def test_sequences_of_another_length_are_refused(model: MatrixGPT, batch: MatrixBatch) -> None:
    with pytest.raises(InputError, match=r"tokens must have shape \(batch, 13\), got \(9, 6\)"):
        model.complete(batch.inputs[:, :6])
    with pytest.raises(InputError, match=r"prompts must have shape \(batch, 7\), got \(9, 13\)"):
        model.generate_greedily(batch.inputs)
