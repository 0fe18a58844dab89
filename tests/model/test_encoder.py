"""The encoder: initialisation, the MASK row, TransformerLens's features, shapes."""

from __future__ import annotations

import pytest
import torch

from mcinterp.errors import InputError
from mcinterp.model.fused import fused_complete
from mcinterp.model.plain import trainable
from mcinterp.studies.matrix_completion.config import ModelConfig
from mcinterp.studies.matrix_completion.encoder import MatrixEncoder

WIDE = ModelConfig(n_layers=2, n_heads=4, d_model=128, d_mlp=512)
SMALL = ModelConfig(n_layers=2, n_heads=2, d_model=16, d_mlp=32, init_std="width")
D_VOCAB, N_POSITIONS = 50, 12


def small(mask_embedding: str = "zero", seed: int = 0) -> MatrixEncoder:
    return MatrixEncoder(SMALL.model_copy(update={"mask_embedding": mask_embedding}), D_VOCAB, N_POSITIONS, seed)


def tokens(n: int = 4, seed: int = 0) -> torch.Tensor:
    """About a third of the tokens are MASK."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(1, D_VOCAB, (n, N_POSITIONS), generator=generator)
    return ids.masked_fill(torch.rand((n, N_POSITIONS), generator=generator) < 0.3, 0)


@pytest.fixture(scope="module")
def wide() -> MatrixEncoder:
    return MatrixEncoder(WIDE, D_VOCAB, N_POSITIONS)


def test_every_parameter_is_initialised_as_the_authors_do(wide: MatrixEncoder) -> None:
    for name, value in wide.weights().items():
        leaf = name.split(".")[-1]
        if name.startswith("unembed."):
            bound = 128**-0.5
            assert value.abs().max() <= bound
            if leaf == "W_U":
                assert value.std().item() == pytest.approx(bound / 3**0.5, rel=0.15)
        elif leaf == "w":
            assert torch.equal(value, torch.ones_like(value)), name
        elif leaf.startswith("b") or leaf == "W_token_type":
            assert torch.equal(value, torch.zeros_like(value)), name
        else:
            drawn = value[1:] if leaf == "W_E" else value
            tolerance = 5 / (2 * drawn.numel()) ** 0.5
            assert drawn.std().item() == pytest.approx(0.02, rel=tolerance), name
            assert drawn.mean().item() == pytest.approx(0, abs=5 * 0.02 / drawn.numel() ** 0.5), name


def test_no_parameter_is_left_as_it_was_allocated(monkeypatch: pytest.MonkeyPatch) -> None:
    # HookedEncoder allocates with torch.empty and leaves it to its user to initialise.
    monkeypatch.setattr(torch, "empty", lambda *size, **options: torch.full(_shape(size), torch.nan))
    model = small()
    assert all(torch.isfinite(value).all() for value in model.weights().values())


def _shape(size: tuple[object, ...]) -> tuple[int, ...]:
    return size[0] if len(size) == 1 and not isinstance(size[0], int) else size  # type: ignore[return-value]


def test_the_mask_row_starts_at_zero_unless_it_is_learned() -> None:
    assert not small("zero").weights()["embed.embed.W_E"][0].any()
    assert small("learned").weights()["embed.embed.W_E"][0].any()


def test_the_seed_decides_the_weights() -> None:
    first, again, other = small(seed=1).weights(), small(seed=1).weights(), small(seed=2).weights()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["blocks.0.attn.W_Q"], other["blocks.0.attn.W_Q"])


def test_initialisation_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    small()
    assert torch.equal(torch.rand(1), expected)


def test_there_are_the_parameters_of_the_papers_model_and_no_others(wide: MatrixEncoder) -> None:
    names = set(wide.weights())
    assert {name for name in names if not name.startswith("blocks.")} == {
        "embed.embed.W_E",
        "embed.pos_embed.W_pos",
        "embed.token_type_embed.W_token_type",
        "embed.ln.w",
        "embed.ln.b",
        "unembed.W_U",
        "unembed.b_U",
    }
    assert len(names) == 7 + 2 * 16
    assert trainable(wide).keys() == names - {"embed.token_type_embed.W_token_type"}
    assert all(value.dtype == torch.float32 for value in wide.weights().values())


@pytest.mark.parametrize("mask_embedding", ["zero", "learned"])
def test_fused_and_hooked_passes_agree_in_values_and_gradients(mask_embedding: str) -> None:
    model = small(mask_embedding)
    target = torch.randn(4, N_POSITIONS, generator=torch.Generator().manual_seed(1))

    def gradients(output: torch.Tensor) -> dict[str, torch.Tensor]:
        parameters = trainable(model)
        found = torch.autograd.grad((output - target).square().sum(), list(parameters.values()))
        return dict(zip(parameters, found, strict=True))

    hooked, fused = model.complete(tokens()), fused_complete(model, tokens())
    torch.testing.assert_close(fused, hooked, atol=1e-5, rtol=0)
    ours, theirs = gradients(fused), gradients(hooked)
    for name in ours:
        scale = max(1.0, theirs[name].abs().max().item())
        torch.testing.assert_close(ours[name] / scale, theirs[name] / scale, atol=1e-5, rtol=0, msg=name)
    for gradient in (ours["embed.embed.W_E"], theirs["embed.embed.W_E"]):
        assert bool(gradient[0].any()) == (mask_embedding == "learned")
        assert gradient[1:].any()


def test_the_answer_is_the_read_out_of_every_position() -> None:
    model = small()
    output = model(tokens())
    assert output.shape == (4, N_POSITIONS, 1)
    assert torch.equal(output[..., 0], model.complete(tokens()))
    assert model(tokens(), return_type=None) is None
    with pytest.raises(InputError, match="'logits' or None, not 'predictions'"):
        model(tokens(), return_type="predictions")


@pytest.mark.parametrize("shape", [(4, 11), (4, 13), (12,), (2, 3, 12)])
def test_tokens_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    model = small()
    for run in (model, model.complete, model.run_with_cache):
        with pytest.raises(InputError, match=r"tokens must have shape \(batch, 12\), got"):
            run(torch.zeros(shape, dtype=torch.int64))


def test_samples_do_not_see_each_other() -> None:
    model = small()
    together, alone = model.complete(tokens()), model.complete(tokens()[2:3])
    torch.testing.assert_close(together[2:3], alone, atol=1e-6, rtol=0)


def test_run_with_cache_names_every_activation() -> None:
    _, cache = small().run_with_cache(tokens())
    shapes = {
        "hook_full_embed": (4, 12, 16),
        "blocks.1.hook_resid_pre": (4, 12, 16),
        "blocks.1.attn.hook_q": (4, 12, 2, 8),
        "blocks.1.attn.hook_z": (4, 12, 2, 8),
        "blocks.1.attn.hook_pattern": (4, 2, 12, 12),
        "blocks.1.mlp.hook_post": (4, 12, 32),
        "blocks.1.hook_normalized_resid_post": (4, 12, 16),
    }
    assert {name: tuple(cache[name].shape) for name in shapes} == shapes
    assert torch.allclose(cache["blocks.1.attn.hook_pattern"].sum(-1), torch.ones(4, 2, 12))


def test_attention_is_bidirectional() -> None:
    _, cache = small().run_with_cache(tokens())
    assert bool((cache["blocks.0.attn.hook_pattern"] > 0).all())


def test_transformer_lens_accessors_work() -> None:
    model = small()
    assert model.W_Q.shape == model.W_K.shape == model.W_V.shape == (2, 2, 16, 8)
    assert model.W_O.shape == (2, 2, 8, 16)
    assert model.b_Q.shape == (2, 2, 8)
    assert model.W_E.shape == (D_VOCAB, 16)
    assert model.W_pos.shape == (N_POSITIONS, 16)
    assert model.W_U.shape == (16, 1)
    assert model.all_head_labels() == ["L0H0", "L0H1", "L1H0", "L1H1"]


def test_run_with_hooks_changes_one_pass_only() -> None:
    model = small()
    clean = model(tokens())
    silenced = model.run_with_hooks(
        tokens(), fwd_hooks=[("blocks.1.hook_normalized_resid_post", lambda value, hook: value * 0)]
    )
    assert torch.allclose(silenced, model.b_U.expand_as(silenced))
    assert torch.equal(model(tokens()), clean)


def test_entering_at_a_block_continues_the_pass() -> None:
    model = small()
    _, cache = model.run_with_cache(tokens())
    for layer in range(2):
        resumed = model.complete_from(layer, cache[f"blocks.{layer}.hook_resid_pre"])
        assert torch.equal(resumed, model.complete(tokens()))


def test_moving_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    model = small()
    assert model.move("cpu") is model
    assert capfd.readouterr() == ("", "")
