"""Components: what each one holds, how they are read, and that a transplant takes that and nothing else."""

from __future__ import annotations

import itertools

import pytest
import torch
from small_run import small_config

from mcinterp.errors import InputError
from mcinterp.model.components import PARTS, Component, transplant
from mcinterp.runs.checkpoint import build_model

WEIGHTS = build_model(small_config(), seed=1).weights()
TOKEN_TYPE = "embed.token_type_embed.W_token_type"


def read(text: str) -> set[str]:
    component = Component.parse(text, WEIGHTS)
    assert len(component.parameters) == len(set(component.parameters))
    return set(component.parameters)


def block(layer: int, *names: str) -> set[str]:
    return {f"blocks.{layer}.{name}" for name in names}


QKV = ("attn.W_Q", "attn.b_Q", "attn.W_K", "attn.b_K", "attn.W_V", "attn.b_V")
ATTENTION = (*QKV, "attn.W_O", "attn.b_O")
MLP = ("mlp.W_in", "mlp.b_in", "mlp.W_out", "mlp.b_out")
NORMS = ("ln1.w", "ln1.b", "ln2.w", "ln2.b")


def test_the_parts_are_a_partition_of_all_but_the_fixed_token_type_embedding() -> None:
    for one, other in itertools.combinations(PARTS, 2):
        assert not read(one) & read(other)
    assert set().union(*map(read, PARTS)) == set(WEIGHTS) - {TOKEN_TYPE} == read("everything")
    assert build_model(small_config()).embed.token_type_embed.W_token_type.requires_grad is False


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("attention-qkv", block(0, *QKV) | block(1, *QKV)),
        ("attention", block(0, *ATTENTION) | block(1, *ATTENTION)),
        ("mlp", block(0, *MLP) | block(1, *MLP)),
        ("tokens", {"embed.embed.W_E"}),
        ("positions", {"embed.pos_embed.W_pos"}),
        ("layer-norms", {"embed.ln.w", "embed.ln.b"} | block(0, *NORMS) | block(1, *NORMS)),
        ("read-out", {"unembed.W_U", "unembed.b_U"}),
        ("none", set()),
        ("mlp:1", block(1, *MLP)),
        ("attention:0", block(0, *ATTENTION)),
        ("layer-norms:1", block(1, *NORMS)),
        ("layer:1", block(1, *ATTENTION, *MLP, *NORMS)),
        (" mlp:1 + read-out ", block(1, *MLP) | {"unembed.W_U", "unembed.b_U"}),
        ("mlp+mlp:0", block(0, *MLP) | block(1, *MLP)),
    ],
)
def test_what_a_component_holds(text: str, expected: set[str]) -> None:
    assert read(text) == expected


@pytest.mark.parametrize("text", ["attention", "mlp:0+read-out", "layer:1", "attention-qkv"])
def test_everything_but_is_the_complement_of_the_whole_union(text: str) -> None:
    assert read(f"everything-but:{text}") == read("everything") - read(text)


def test_a_union_has_one_name_however_it_is_written() -> None:
    names = {Component.parse(text, WEIGHTS).name for text in ("read-out+mlp", "mlp+read-out", " mlp + read-out+mlp")}
    assert names == {"mlp+read-out"}
    assert str(Component.parse("everything-but:read-out+mlp", WEIGHTS)) == "everything-but:mlp+read-out"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("atention", "'atention' is no component; did you mean 'attention'?"),
        ("everything-but:atention", "did you mean 'attention'"),
        ("mlp+readout", "did you mean 'read-out'"),
        ("", "'' is no component; valid: attention, attention-qkv, everything, layer-norms, layer:0, mlp, none"),
        ("mlp+", "'' is no component"),
        ("mlp:2", "'mlp:2' names no layer of this model; layers are mlp:0 … mlp:1"),
        ("mlp:x", "'mlp:x' names no layer"),
        ("mlp:", "'mlp:' names no layer"),
        ("mlp:01", "'mlp:01' names no layer"),
        ("layer", "'layer' names no layer of this model; layers are layer:0 … layer:1"),
        ("tokens:0", "'tokens:0' names no component: tokens has no layers"),
        ("mlp+everything", "is no component"),
    ],
)
def test_mistakes_are_told_with_the_nearest_name(text: str, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        Component.parse(text, WEIGHTS)
    assert sentence in str(caught.value)


@pytest.mark.parametrize("text", ["none", "attention-qkv", "mlp:1+tokens", "everything-but:attention", "everything"])
def test_a_transplant_takes_the_component_and_nothing_else(text: str) -> None:
    donor, component = build_model(small_config(), seed=2).weights(), Component.parse(text, WEIGHTS)
    before = {name: weight.clone() for name, weight in WEIGHTS.items()}
    taken = transplant(donor, WEIGHTS, component)
    assert taken.keys() == WEIGHTS.keys()
    for name, weight in taken.items():
        assert torch.equal(weight, (donor if name in component.parameters else WEIGHTS)[name])
        assert torch.equal(WEIGHTS[name], before[name])


def test_other_shapes_are_refused_with_the_parameter() -> None:
    wide = build_model(small_config(model={"d_mlp": 64})).weights()
    with pytest.raises(
        InputError, match=r"mlp cannot be switched: blocks\.0\.mlp\.W_in is \(16, 64\) here and \(16, 32"
    ):
        transplant(wide, WEIGHTS, Component.parse("mlp", WEIGHTS))
    transplant(wide, WEIGHTS, Component.parse("tokens", WEIGHTS))
    shallow = {name: weight for name, weight in WEIGHTS.items() if "blocks.1" not in name}
    lacking = Component.parse("attention:1", WEIGHTS)
    with pytest.raises(InputError, match=r"blocks\.1\.attn\.W_Q is absent here and"):
        transplant(shallow, WEIGHTS, lacking)
