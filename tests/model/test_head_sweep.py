"""Sets of heads changed in the pass without hooks: the answers of one hooked pass of the whole model for each set."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from small_gpt import small_gpt_config
from torch import Tensor

from mcinterp.config import RunConfig
from mcinterp.model import Head, HeadSet, Intervention, intervene
from mcinterp.model import blocks as module
from mcinterp.model.blocks import Blocks
from mcinterp.model.head_sweep import HeadChange, HeadSweep
from mcinterp.model.interventions import permuted_positions, replaced_z, uniform_pattern
from mcinterp.runs.checkpoint import build_model
from mcinterp.studies.matrix_completion.config import ModelConfig, TaskConfig
from mcinterp.studies.matrix_completion.encoder import MatrixEncoder
from mcinterp.studies.matrix_completion.gpt import MatrixGPT
from mcinterp.task import make_task

N, LAYERS, HEADS = 6, 3, 4
METHODS = ("uniform", "zero", "mean", "resample", "patching")
SHAPE = {"n_layers": LAYERS, "n_heads": HEADS, "d_model": 16, "d_mlp": 32}
CONFIGS = {
    "encoder": RunConfig(
        task=TaskConfig(rows=4, cols=3, rank=2, v_min=-3, v_max=3), model=ModelConfig(**SHAPE, init_std=0.3)
    ),
    "mixture": RunConfig(
        task=TaskConfig(rows=4, cols=4, rank=1, v_min=-2, v_max=2, sizes=[[2, 3], [4, 4], [3, 3]]),
        model=ModelConfig(**SHAPE, init_std=0.3),
    ),
    "gpt": small_gpt_config(model={**SHAPE, "init_std": 0.3}),
}


def sets(seed: int) -> list[HeadSet]:
    """No head, all heads, a layer, single ones, and random sets over the layers."""
    generator = np.random.default_rng(seed)
    everything = [Head(layer, head) for layer in range(LAYERS) for head in range(HEADS)]
    drawn = [generator.permutation(len(everything))[:size] for size in (1, 1, 2, 3, 5, 7)]
    random = [HeadSet.of(f"random {index}", (everything[i] for i in own)) for index, own in enumerate(drawn)]
    return [*(HeadSet.parse(text, LAYERS, HEADS) for text in ("none", "all", "layer:2")), *random]


@pytest.fixture(scope="module", params=sorted(CONFIGS))
def case(request: pytest.FixtureRequest) -> tuple[MatrixEncoder | MatrixGPT, Tensor, Tensor]:
    """A model with random weights, its inputs, and other inputs."""
    config = CONFIGS[request.param]
    model = build_model(config, seed=3).requires_grad_(False).eval()
    # Biases, LayerNorm weights and the token-type embedding are as after training.
    for parameter in model.parameters():
        parameter += 0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(parameter.numel()))
    task = make_task(config.task)
    batches = [task.sample(N, torch.Generator().manual_seed(seed)).inputs for seed in (0, 1)]
    return model, batches[0], batches[1]


def hooked_z(model: MatrixEncoder | MatrixGPT, tokens: Tensor) -> list[Tensor]:
    _, cache = model.run_with_cache(tokens)
    return [cache[f"blocks.{layer}.attn.hook_z"] for layer in range(LAYERS)]


def other_z(model: MatrixEncoder | MatrixGPT, tokens: Tensor, other: Tensor, method: str) -> list[Tensor] | None:
    """z of every layer that `method` puts in, from hooked passes; None for equal attention."""
    if method == "uniform":
        return None
    own = hooked_z(model, other if method == "patching" else tokens)
    if method == "zero":
        return [torch.zeros_like(z) for z in own]
    if method == "mean":
        return [z.mean(0, keepdim=True) for z in own]
    return own if method == "patching" else [z.roll(1, dims=0) for z in own]


def hooked(model: MatrixEncoder | MatrixGPT, tokens: Tensor, heads: HeadSet, z: list[Tensor] | None) -> Tensor:
    """The naive way: one hooked forward pass of the whole model."""
    with torch.no_grad(), intervene(model, _intervention(model, tokens, heads, z)):
        return model.complete(tokens)


def _intervention(
    model: MatrixEncoder | MatrixGPT, tokens: Tensor, heads: HeadSet, z: list[Tensor] | None
) -> Intervention:
    if z is None:
        return uniform_pattern(heads, model.padding(tokens), isinstance(model, MatrixGPT))
    return replaced_z(heads, z)


def run_positions(model: MatrixEncoder | MatrixGPT, z: list[Tensor] | None) -> list[Tensor] | None:
    """The sweep runs a GPT without its last token."""
    return [layer[:, :-1] for layer in z] if z and isinstance(model, MatrixGPT) else z


def close(answers: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(answers, expected, atol=1e-5 * max(1.0, float(expected.abs().max())), rtol=0)


@pytest.mark.parametrize("together", [1, 4, 100])
@pytest.mark.parametrize("method", METHODS)
def test_answers_are_those_of_a_hooked_pass_a_set(
    case: tuple[MatrixEncoder | MatrixGPT, Tensor, Tensor], method: str, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, tokens, other = case
    z = other_z(model, tokens, other, method)
    sweep = HeadSweep(model)
    sweep.at_once = together * N
    clean = sweep.clean(tokens)
    close(clean.answers, model.complete(tokens))
    changes = {heads.name: HeadChange(heads, run_positions(model, z)) for heads in sets(len(method))}
    found = dict(sweep.answers(clean, changes))
    assert found.keys() == changes.keys()
    for name, answers in found.items():
        close(answers, hooked(model, tokens, changes[name].heads, z))
    assert sum(not torch.equal(answers, clean.answers) for answers in found.values()) >= len(changes) - 3


def test_a_clean_run_holds_the_hooked_passes_activations(
    case: tuple[MatrixEncoder | MatrixGPT, Tensor, Tensor],
) -> None:
    model, tokens, _ = case
    clean = HeadSweep(model).clean(tokens)
    _, cache = model.run_with_cache(tokens)
    n_pos = Blocks(model).needed(tokens).shape[1]
    for layer in range(LAYERS):
        close(clean.z[layer], cache[f"blocks.{layer}.attn.hook_z"][:, :n_pos])
        close(clean.after_attention[layer], cache[f"blocks.{layer}.hook_resid_mid"][:, :n_pos])
    everything = HeadSet.parse("all", LAYERS, HEADS)
    with intervene(model, _intervention(model, tokens, everything, None)):
        _, equal = model.run_with_cache(tokens)
    close(clean.equal_z[0].expand_as(clean.z[0]), equal["blocks.0.attn.hook_z"][:, :n_pos])


def test_a_part_of_a_clean_run_is_the_run_of_the_part(case: tuple[MatrixEncoder | MatrixGPT, Tensor, Tensor]) -> None:
    model, tokens, _ = case
    sweep = HeadSweep(model)
    change = {0: HeadChange(HeadSet.parse("L0H1,L2H3", LAYERS, HEADS), None)}
    part, alone = sweep.clean(tokens).part(slice(2, 5)), sweep.clean(tokens[2:5])
    close(next(sweep.answers(part, change))[1], next(sweep.answers(alone, change))[1])


def test_the_mean_z_is_that_of_all_matrices(
    case: tuple[MatrixEncoder | MatrixGPT, Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, tokens, _ = case
    sweep = HeadSweep(model)
    sweep.at_once = 4
    for mean, z in zip(sweep.mean_z(tokens), hooked_z(model, tokens), strict=True):
        close(mean, z[:, : mean.shape[1]].mean(0, keepdim=True))


def test_blocks_give_the_hooked_passes_patterns_and_residual_stream(
    case: tuple[MatrixEncoder | MatrixGPT, Tensor, Tensor],
) -> None:
    model, tokens, _ = case
    blocks = Blocks(model)
    _, cache = model.run_with_cache(tokens)
    for layer, pattern in enumerate(blocks.patterns(tokens)):
        close(pattern, cache[f"blocks.{layer}.attn.hook_pattern"])
    for name, resid in zip(_stream(model), blocks.residual_stream(tokens), strict=True):
        close(resid, cache[name])
    close(blocks.complete(tokens), model.complete(tokens))


def _stream(model: MatrixEncoder | MatrixGPT) -> Iterator[str]:
    gpt = isinstance(model, MatrixGPT)
    yield "blocks.0.hook_resid_pre"
    yield from (f"blocks.{layer}.hook_{'' if gpt else 'normalized_'}resid_post" for layer in range(LAYERS))


def test_larger_models_and_matrices_go_through_in_smaller_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {name: HeadSweep(build_model(config, seed=0)).at_once for name, config in CONFIGS.items()}
    assert sizes["encoder"] > sizes["mixture"] > 1
    monkeypatch.setitem(module.BYTES, "cpu", 1)
    assert HeadSweep(build_model(CONFIGS["encoder"], seed=0)).at_once == 1


def test_permuted_positions_are_those_of_the_hooked_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    config = CONFIGS["mixture"]
    model = build_model(config, seed=3).requires_grad_(False).eval()
    tokens = make_task(config.task).sample(N, torch.Generator().manual_seed(0)).inputs
    order = torch.randperm(16, generator=torch.Generator().manual_seed(1)).tolist()
    with intervene(model, permuted_positions(order)):
        expected = model.complete(tokens)
    assert not torch.allclose(expected, model.complete(tokens))
    for memory in (1, 2**24):
        monkeypatch.setitem(module.BYTES, "cpu", memory)
        close(Blocks(model).with_positions(order).complete(tokens), expected)
