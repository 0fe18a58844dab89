"""Interventions: what they change, what they leave alone, and that nothing of them stays behind."""

from __future__ import annotations

import pytest
import torch

from mcinterp.errors import InputError
from mcinterp.model import HeadSet, Intervention, intervene
from mcinterp.model.interventions import replaced_z, uniform_pattern
from mcinterp.studies.matrix_completion.config import ModelConfig
from mcinterp.studies.matrix_completion.encoder import MatrixEncoder

N_POSITIONS = 12
Z0, Z1, PATTERN = "blocks.0.attn.hook_z", "blocks.1.attn.hook_z", "blocks.1.attn.hook_pattern"


@pytest.fixture(scope="module")
def model() -> MatrixEncoder:
    config = ModelConfig(n_layers=3, n_heads=4, d_model=16, d_mlp=32, init_std=1.0)
    return MatrixEncoder(config, d_vocab=50, n_positions=N_POSITIONS)


def tokens(seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 50, (6, N_POSITIONS), generator=torch.Generator().manual_seed(seed))


def heads(text: str) -> HeadSet:
    return HeadSet.parse(text, n_layers=3, n_heads=4)


def n_hooks(model: MatrixEncoder) -> int:
    return sum(len(point._forward_hooks) + len(point.fwd_hooks) for point in model.hook_dict.values())


def clean_z(model: MatrixEncoder, seed: int = 0) -> list[torch.Tensor]:
    _, cache = model.run_with_cache(tokens(seed))
    return [cache[f"blocks.{layer}.attn.hook_z"] for layer in range(3)]


def shifted(value: torch.Tensor) -> torch.Tensor:
    return value + 1.0


@torch.no_grad()
def test_hooks_are_gone_afterwards(model: MatrixEncoder) -> None:
    clean = model.complete(tokens())
    with intervene(model, Intervention({Z0: shifted})):
        assert not torch.allclose(model.complete(tokens()), clean)
    assert n_hooks(model) == 0
    assert torch.equal(model.complete(tokens()), clean)


@torch.no_grad()
def test_hooks_are_gone_when_the_body_raises(model: MatrixEncoder) -> None:
    def interrupted() -> None:
        with intervene(model, Intervention({Z0: shifted})):
            model.complete(tokens())
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        interrupted()
    assert n_hooks(model) == 0


def test_an_edit_that_raises_leaves_no_hook(model: MatrixEncoder) -> None:
    def broken(value: torch.Tensor) -> torch.Tensor:
        raise ValueError("broken edit")

    with pytest.raises(ValueError, match="broken edit"), intervene(model, Intervention({Z0: broken})):
        model.complete(tokens())
    assert n_hooks(model) == 0


def test_an_unknown_hook_point_names_the_nearest(model: MatrixEncoder) -> None:
    wrong = Intervention({Z0: shifted, "blocks.1.attn.hook_y": shifted})
    sentence = r"no hook point 'blocks.1.attn.hook_y'; did you mean 'blocks.\d.attn.hook_"
    with pytest.raises(InputError, match=sentence), intervene(model, wrong):
        pytest.fail("the body must not run")
    assert n_hooks(model) == 0


def test_a_hook_that_never_fires_is_an_error(model: MatrixEncoder) -> None:
    early, late = Intervention({Z0: shifted}), Intervention({Z1: shifted})
    with pytest.raises(InputError, match=f"hooks at {Z0} never fired"), intervene(model, early):
        pass
    with pytest.raises(InputError, match=f"hooks at {Z0} never fired"), intervene(model, early, late):
        model.complete_from(1, torch.zeros(2, N_POSITIONS, 16))


@torch.no_grad()
def test_interventions_apply_in_order_and_nest(model: MatrixEncoder) -> None:
    seen: list[torch.Tensor] = []

    def doubled(value: torch.Tensor) -> torch.Tensor:
        return value * 2

    def watched(value: torch.Tensor) -> torch.Tensor:
        seen.append(value)
        return value

    clean = clean_z(model)[0]
    with intervene(model, Intervention({Z0: shifted}), Intervention({Z0: doubled}), Intervention({Z0: watched})):
        model.complete(tokens())
    with intervene(model, Intervention({Z0: shifted})):
        with intervene(model, Intervention({Z0: doubled}), Intervention({Z0: watched})):
            model.complete(tokens())
        with intervene(model, Intervention({Z0: watched})):
            model.complete(tokens())
    assert torch.allclose(seen[0], (clean + 1) * 2)
    assert torch.allclose(seen[1], (clean + 1) * 2)
    assert torch.allclose(seen[2], clean + 1)
    assert n_hooks(model) == 0


@torch.no_grad()
def test_no_heads_change_nothing(model: MatrixEncoder) -> None:
    clean, nothing = model.complete(tokens()), heads("none")
    with intervene(model, uniform_pattern(nothing), replaced_z(nothing, clean_z(model, 1))):
        assert torch.equal(model.complete(tokens()), clean)


@torch.no_grad()
def test_uniform_attention_makes_z_the_mean_of_v(model: MatrixEncoder) -> None:
    _, clean = model.run_with_cache(tokens())
    with intervene(model, uniform_pattern(heads("L1H0,L1H2"))):
        _, cache = model.run_with_cache(tokens())
    v, z = cache["blocks.1.attn.hook_v"], cache[Z1]
    mean = v.sum(1, keepdim=True) / N_POSITIONS
    for head in (0, 2):
        torch.testing.assert_close(z[:, :, head], mean[:, :, head].expand(-1, N_POSITIONS, -1), atol=1e-5, rtol=0)
    assert torch.equal(cache[PATTERN][:, [1, 3]], clean[PATTERN][:, [1, 3]])
    assert torch.equal(z[:, :, [1, 3]], clean[Z1][:, :, [1, 3]])
    assert not torch.allclose(z[:, :, 0], clean[Z1][:, :, 0])


@torch.no_grad()
@pytest.mark.parametrize("text", ["all", "layer:1", "L0H1,L2H3"])
def test_a_run_with_its_own_z_changes_nothing(model: MatrixEncoder, text: str) -> None:
    clean = model.complete(tokens())
    with intervene(model, replaced_z(heads(text), clean_z(model))):
        assert torch.equal(model.complete(tokens()), clean)


@torch.no_grad()
def test_replaced_z_is_that_of_the_source(model: MatrixEncoder) -> None:
    source = clean_z(model, 1)
    with intervene(model, replaced_z(heads("L1H2"), source)):
        _, cache = model.run_with_cache(tokens())
    assert torch.equal(cache[Z1][:, :, 2], source[1][:, :, 2])
    assert torch.equal(cache[Z1][:, :, 0], clean_z(model)[1][:, :, 0])


@torch.no_grad()
def test_replaced_z_may_be_the_same_for_every_sample(model: MatrixEncoder) -> None:
    means = {1: clean_z(model, 1)[1].mean(0, keepdim=True)}
    with intervene(model, replaced_z(heads("L1H2"), means)):
        _, cache = model.run_with_cache(tokens())
    assert torch.equal(cache[Z1][:, :, 2], means[1][:, :, 2].expand(6, -1, -1))
