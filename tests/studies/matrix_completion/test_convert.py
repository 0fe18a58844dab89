"""Weights to and from Hugging Face's BertModel, and from files laid out as tf-matcomp's."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from mcinterp.errors import CheckpointError
from mcinterp.studies.matrix_completion.config import ModelConfig
from mcinterp.studies.matrix_completion.convert import from_bert, load_tf_matcomp, load_weights, to_bert
from mcinterp.studies.matrix_completion.encoder import MatrixEncoder

D_VOCAB, N_POSITIONS, N_LAYERS, N_HEADS = 60, 9, 3, 2


def encoder(mask_embedding: str = "zero") -> MatrixEncoder:
    """All parameters random, so that no bias or LayerNorm hides behind its initial value."""
    config = ModelConfig(n_layers=N_LAYERS, n_heads=N_HEADS, d_model=16, d_mlp=40, mask_embedding=mask_embedding)
    model = MatrixEncoder(config, D_VOCAB, N_POSITIONS)
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
        if mask_embedding == "zero":
            model.embed.embed.W_E[0] = 0
    return model


def bert_and_read_out(max_positions: int = N_POSITIONS, pooler: bool = False) -> tuple[BertModel, nn.Linear]:
    config = BertConfig(
        vocab_size=D_VOCAB,
        hidden_size=16,
        num_hidden_layers=N_LAYERS,
        num_attention_heads=N_HEADS,
        intermediate_size=40,
        max_position_embeddings=max_positions,
        attn_implementation="eager",
    )
    torch.manual_seed(3)
    bert = BertModel(config, add_pooling_layer=pooler).eval()
    with torch.no_grad():
        for parameter in bert.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape))
        bert.embeddings.word_embeddings.weight[0] = 0
    return bert, nn.Linear(16, 1)


def tokens() -> Tensor:
    ids = torch.randint(1, D_VOCAB, (5, N_POSITIONS), generator=torch.Generator().manual_seed(0))
    ids[:, ::3] = 0
    return ids


@torch.no_grad()
def assert_same_network(model: MatrixEncoder, bert: BertModel, read_out: nn.Linear) -> None:
    theirs = bert(tokens(), output_hidden_states=True, output_attentions=True)
    ours, cache = model.run_with_cache(tokens())
    names = ["hook_full_embed", *(f"blocks.{layer}.hook_normalized_resid_post" for layer in range(N_LAYERS))]
    assert len(theirs.hidden_states) == len(names)
    for name, hidden in zip(names, theirs.hidden_states, strict=True):
        torch.testing.assert_close(cache[name], hidden, atol=1e-5, rtol=0, msg=name)
    for layer, pattern in enumerate(theirs.attentions):
        torch.testing.assert_close(cache[f"blocks.{layer}.attn.hook_pattern"], pattern, atol=1e-5, rtol=0)
    torch.testing.assert_close(ours, read_out(theirs.last_hidden_state), atol=1e-5, rtol=0)


@pytest.mark.parametrize("mask_embedding", ["zero", "learned"])
def test_to_bert_gives_the_same_network(mask_embedding: str) -> None:
    model = encoder(mask_embedding)
    assert_same_network(model, *to_bert(model))


def test_from_bert_gives_the_same_network() -> None:
    bert, read_out = bert_and_read_out()
    model = from_bert(bert.state_dict(), read_out.state_dict(), N_HEADS, N_POSITIONS)
    assert_same_network(model, bert, read_out)
    assert model.model_config.mask_embedding == "zero"


@pytest.mark.parametrize("mask_embedding", ["zero", "learned"])
def test_there_and_back_is_the_identity(mask_embedding: str) -> None:
    model = encoder(mask_embedding)
    bert, read_out = to_bert(model)
    again = from_bert(bert.state_dict(), read_out.state_dict(), N_HEADS, N_POSITIONS)
    assert again.model_config.mask_embedding == mask_embedding
    assert again.weights().keys() == model.weights().keys()
    for name, value in model.weights().items():
        assert torch.equal(again.weights()[name], value), name


def test_positions_beyond_the_sequence_and_the_pooler_are_left_out() -> None:
    bert, read_out = bert_and_read_out(max_positions=32, pooler=True)
    model = from_bert(bert.state_dict(), read_out.state_dict(), N_HEADS, N_POSITIONS)
    assert_same_network(model, bert, read_out)


def tf_matcomp_file(folder: Path, change: Callable[[dict[str, Any]], None] = lambda stored: None) -> Path:
    bert, read_out = bert_and_read_out(max_positions=512)
    weights = {f"_backbone.{name}": value for name, value in bert.state_dict().items()}
    weights |= {f"read_out.{name}": value for name, value in read_out.state_dict().items()}
    stored = {"epoch": 3999, "model": weights, "vocab_size": D_VOCAB}
    change(stored)
    torch.save(stored, folder / "ckpt.tar")
    return folder / "ckpt.tar"


def test_a_tf_matcomp_file_opens_with_the_same_answers(tmp_path: Path) -> None:
    bert, read_out = bert_and_read_out(max_positions=512)
    assert bert.embeddings.token_type_embeddings.weight[0].any()
    model, step = load_tf_matcomp(tf_matcomp_file(tmp_path), N_HEADS, N_POSITIONS)
    assert step == 4000
    assert_same_network(model, bert, read_out)


class Hostile:
    """Leaves a mark when unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("save", [torch.save, lambda thing, path: path.write_bytes(pickle.dumps(thing))])
def test_a_hostile_pickle_is_refused_unexecuted(tmp_path: Path, save: Callable[[Any, Path], Any]) -> None:
    path, mark = tmp_path / "hostile.tar", tmp_path / "executed"
    save({"epoch": 1, "model": Hostile(mark)}, path)
    with pytest.raises(CheckpointError, match=r"cannot read .*hostile\.tar as a file of tensors") as caught:
        load_tf_matcomp(path, N_HEADS, N_POSITIONS)
    assert not mark.exists()
    assert "\n" not in str(caught.value)


def drop(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda stored: stored["model"].pop(name)


def put(name: str, value: object) -> Callable[[dict[str, Any]], None]:
    return lambda stored: stored["model"].update({name: value})


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda stored: stored.pop("epoch"), "must hold 'epoch' and 'model'"),
        (lambda stored: stored.update(model=3), "must hold 'epoch' and 'model'"),
        (lambda stored: stored.update(epoch="last"), "'epoch' is 'last', not a number"),
        (lambda stored: stored.update(model={}), "lack embeddings.word_embeddings.weight"),
        (drop("read_out.weight"), "read-out weights lack weight"),
        (drop("_backbone.embeddings.LayerNorm.bias"), "lack embeddings.LayerNorm.bias"),
        (drop("_backbone.encoder.layer.1.output.dense.weight"), "lack encoder.layer.1.output.dense.weight"),
        (put("read_out.weight", torch.zeros(2, 16)), "unembed.W_U is torch.float32 (16, 2), expected"),
        (
            put("read_out.weight", torch.zeros(1, 16, dtype=torch.int64)),
            "read-out weight is torch.int64, expected float32",
        ),
        (put("_backbone.embeddings.word_embeddings.weight", torch.zeros(16)), "has 1 axes, expected 2"),
        (put("_backbone.embeddings.word_embeddings.weight", "none"), "is not a tensor"),
        (
            put("_backbone.encoder.layer.0.output.LayerNorm.bias", torch.zeros(3)),
            "blocks.0.ln2.b is torch.float32 (3,)",
        ),
        (
            put("_backbone.encoder.layer.0.attention.self.key.weight", torch.zeros(3, 16)),
            "cannot be split into 2 heads",
        ),
    ],
)
def test_files_laid_out_otherwise_are_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], sentence: str
) -> None:
    with pytest.raises(CheckpointError) as caught:
        load_tf_matcomp(tf_matcomp_file(tmp_path, change), N_HEADS, N_POSITIONS)
    assert sentence in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"words", None])
def test_a_file_that_is_missing_or_something_else_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "file.tar"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"cannot read .*file\.tar"):
        load_tf_matcomp(path, N_HEADS, N_POSITIONS)


@pytest.mark.parametrize(("n_heads", "n_positions"), [(3, N_POSITIONS), (N_HEADS, 513)])
def test_heads_and_positions_must_fit_the_weights(tmp_path: Path, n_heads: int, n_positions: int) -> None:
    with pytest.raises(CheckpointError):
        load_tf_matcomp(tf_matcomp_file(tmp_path), n_heads, n_positions)


def test_weights_load_only_into_a_model_of_their_shape() -> None:
    model = encoder()
    weights = model.weights()
    bias = weights["unembed.b_U"]
    wrong = [
        ({**weights, "extra": bias}, "here has an unknown tensor extra"),
        ({name: value for name, value in weights.items() if name != "unembed.b_U"}, "here lacks unembed.b_U"),
        ({**weights, "unembed.b_U": torch.zeros(2)}, r"here: unembed.b_U is torch.float32 \(2,\), expected"),
        ({**weights, "unembed.b_U": bias.double()}, "here: unembed.b_U is torch.float64"),
    ]
    for changed, sentence in wrong:
        with pytest.raises(CheckpointError, match=sentence):
            load_weights(model, changed, source="here")
