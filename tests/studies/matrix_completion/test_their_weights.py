"""Weights as other people save them: opened with Hugging Face's own outputs, or refused with what to do."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest
import torch
from theirs import LENGTH, SHAPE, WIDTH, bert, furthest, randomised, read_out
from torch import Tensor
from transformers import BertConfig, BertForTokenClassification, BertModel, RobertaConfig, RobertaModel

from mcinterp.config import RunConfig
from mcinterp.errors import CheckpointError
from mcinterp.runs import Checkpoint
from mcinterp.studies.matrix_completion.config import ModelConfig, TaskConfig
from mcinterp.studies.matrix_completion.convert import from_bert
from mcinterp.studies.matrix_completion.encoder import MatrixEncoder

PREFIXES = [
    "_orig_mod._backbone.",
    "module._backbone.",
    "module._orig_mod._backbone.",
    "bert.",
    "",
    "model.encoder.bert.",
]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_prefixes_of_wrappers_and_modules_are_taken_away(prefix: str) -> None:
    network, head = bert(), read_out()
    wrapper = prefix.partition("_backbone")[0]
    weights = {f"{prefix}{name}": value for name, value in network.state_dict().items()}
    weights |= {f"{wrapper if '_backbone' in prefix else ''}read_out.{n}": v for n, v in head.state_dict().items()}
    assert furthest(from_bert(weights, n_heads=4, n_positions=LENGTH), network, head) < 2e-6


def test_a_layer_that_was_compiled_alone_is_found() -> None:
    network, head = bert(), read_out()
    named = {name.replace("layer.1.", "layer.1._orig_mod."): value for name, value in network.state_dict().items()}
    assert furthest(from_bert(named, head, 4, LENGTH), network, head) < 2e-6


@pytest.mark.parametrize("kind", [torch.float64, torch.float16, torch.bfloat16])
def test_other_kinds_of_number_become_float32(kind: torch.dtype) -> None:
    network, head = bert().to(kind), read_out().to(kind)
    model = from_bert(network.state_dict(), head.state_dict(), 4, LENGTH)
    assert {weight.dtype for weight in model.weights().values()} == {torch.float32}
    assert furthest(model, network.float(), head.float()) < 2e-6


def test_a_read_out_without_bias_has_none(caplog: pytest.LogCaptureFixture) -> None:
    network, head = bert(), read_out(bias=False)
    model = from_bert(network, head, n_positions=LENGTH)
    assert furthest(model, network, head) < 2e-6
    assert "taken for 0: the read-out's bias" in caplog.text


def test_a_model_is_taken_as_it_is_with_its_heads_and_epsilon() -> None:
    network, head = bert(layer_norm_eps=0.05, num_attention_heads=2), read_out()
    model = from_bert(network, head, n_positions=LENGTH)
    assert (model.model_config.n_heads, model.model_config.layer_norm_eps) == (2, 0.05)
    assert furthest(model, network, head) < 2e-6
    assert furthest(from_bert(network.state_dict(), head, 2, LENGTH), network, head) > 1e-3  # what it was before


def test_a_classifier_of_tokens_with_one_label_is_a_bert_with_a_read_out() -> None:
    network = randomised(BertForTokenClassification(BertConfig(**SHAPE, num_labels=1)))
    model = from_bert(network.state_dict(), n_positions=LENGTH, config=network.config)
    assert furthest(model, network.bert, network.classifier) < 2e-6


def test_what_is_left_out_is_named(caplog: pytest.LogCaptureFixture) -> None:
    network = randomised(BertModel(BertConfig(**SHAPE)))
    assert furthest(from_bert(network, read_out(), n_positions=LENGTH), network, read_out()) < 2e-6
    assert "left out, as answers do not come through them: pooler.dense.bias, pooler.dense.weight" in caplog.text


WRONG = [
    ({"hidden_act": "relu"}, "have hidden_act 'relu', expected 'gelu': .* train one with hidden_act='gelu'"),
    ({"hidden_act": "gelu_new"}, "have hidden_act 'gelu_new'"),
    ({"is_decoder": True}, "have is_decoder True, expected False: .* is_decoder=False"),
    ({"num_attention_heads": 2}, "have num_attention_heads 2, and n_heads 4 was said: leave n_heads out"),
    ({"layer_norm_eps": 1e-5}, "have layer_norm_eps 1e-05, and eps 1e-12 was said: leave eps out"),
]


@pytest.mark.parametrize(("changed", "sentence"), WRONG)
def test_a_model_that_answers_otherwise_is_refused(changed: dict[str, Any], sentence: str) -> None:
    network = bert(**changed)
    with pytest.raises(CheckpointError, match=sentence) as caught:
        from_bert(network, read_out(), 4, LENGTH, 1e-12)
    assert "\n" not in str(caught.value)
    # The weights alone are the same, and say nothing: it is the configuration that has to come along.
    with pytest.raises(CheckpointError, match=sentence):
        from_bert(network.state_dict(), read_out(), 4, LENGTH, 1e-12, config=network.config.to_dict())


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("vocab_size", 61, "have vocab_size 60, their configuration says 61: the two do not belong together"),
        ("hidden_size", 32, "have hidden_size 16"),
        ("num_hidden_layers", 3, "have num_hidden_layers 2"),
        ("intermediate_size", 41, "have intermediate_size 40"),
        ("max_position_embeddings", 64, "have max_position_embeddings 32"),
        ("type_vocab_size", 1, "have type_vocab_size 2"),
        ("position_embedding_type", "relative_key", "have position_embedding_type 'relative_key'"),
        ("pruned_heads", {"0": [1]}, "have pruned_heads {'0': [1]}, expected {}"),
        ("model_type", "electra", "have model_type 'electra', expected 'bert'"),
        ("num_attention_heads", None, "lacks num_attention_heads; say n_heads"),
        ("num_attention_heads", -4, "have num_attention_heads -4, expected a number above 0"),
    ],
)
def test_every_field_of_a_configuration_is_checked(field: str, value: Any, sentence: str) -> None:
    network = bert()
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        from_bert(
            network.state_dict(), read_out(), n_positions=LENGTH, config=network.config.to_dict() | {field: value}
        )


def test_a_field_that_is_not_known_is_named(caplog: pytest.LogCaptureFixture) -> None:
    network = bert()
    config = network.config.to_dict() | {"rotary_base": 10_000}
    assert (
        furthest(from_bert(network.state_dict(), read_out(), n_positions=LENGTH, config=config), network, read_out())
        < 2e-6
    )
    assert "taken to be without effect: rotary_base" in caplog.text


def test_every_field_of_stock_bert_is_known(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        from_bert(bert(), read_out(), n_positions=LENGTH)
    assert "without effect" not in caplog.text


def test_a_decoder_with_cross_attention_is_refused_by_its_weights() -> None:
    network = bert(is_decoder=True, add_cross_attention=True)
    with pytest.raises(CheckpointError, match=r"crossattention.* and 17 more: this is a decoder with cross-attention"):
        from_bert(network.state_dict(), read_out(), 4, LENGTH)


@pytest.mark.parametrize("with_config", [True, False])
def test_roberta_is_refused_and_the_cure_is_one(with_config: bool) -> None:
    network = randomised(RobertaModel(RobertaConfig(**SHAPE), add_pooling_layer=False))
    given = network if with_config else network.state_dict()
    with pytest.raises(CheckpointError, match=r"positions begin at 2.* without the first 2 rows of"):
        from_bert(given, read_out(), 4, LENGTH)
    cured = dict(network.state_dict())
    cured["embeddings.position_embeddings.weight"] = cured["embeddings.position_embeddings.weight"][2:]
    model = from_bert(cured, read_out(), 4, LENGTH, eps=network.config.layer_norm_eps)
    assert furthest(model, network, read_out(), least=2) < 2e-6  # no input holds token 1


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (
            {"encoder.layer.0.attention.gate": torch.zeros(1)},
            "hold encoder.layer.0.attention.gate, which a BERT has not",
        ),
        ({"copy.embeddings.word_embeddings.weight": torch.zeros(2, 2)}, "several BERTs"),
        ({"module.embeddings.LayerNorm.bias": torch.zeros(WIDTH)}, "hold embeddings.LayerNorm.bias twice"),
        ({"head.weight": torch.zeros(1, WIDTH), "top.weight": torch.zeros(1, WIDTH)}, "there is several, head, top"),
        (
            {"head.0.weight": torch.zeros(WIDTH, WIDTH), "head.2.weight": torch.zeros(1, WIDTH)},
            "hold head.0.weight beside",
        ),
        ({}, "there is none among them; name it read_out.weight and read_out.bias, or give it as read_out"),
    ],
)
def test_weights_that_nothing_here_uses_are_named(more: dict[str, Tensor], sentence: str) -> None:
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        from_bert({**bert().state_dict(), **more}, n_heads=4, n_positions=LENGTH)


def test_without_a_configuration_the_heads_have_to_be_said() -> None:
    with pytest.raises(
        CheckpointError, match=r"do not tell how many heads a layer has; say n_heads .*or give their config"
    ):
        from_bert(bert().state_dict(), read_out(), n_positions=LENGTH)


@pytest.mark.parametrize("asked", [25, 49])
def test_positions_that_training_never_moved_are_told_by_their_norms(asked: int) -> None:
    network = bert(max_position_embeddings=512)
    table = network.embeddings.position_embeddings.weight
    with torch.no_grad():
        table.normal_(0, 0.02)
        table[:36].add_(0.2 * torch.randn(36, WIDTH))
    with pytest.raises(CheckpointError, match=rf"of which 36 were trained, and the task has {asked}"):
        from_bert(network, read_out(), n_positions=asked)
    from_bert(network, read_out(), n_positions=36)


def test_before_training_nothing_is_concluded_from_norms() -> None:
    untrained = BertModel(BertConfig(**SHAPE | {"max_position_embeddings": 512}))
    assert from_bert(untrained, read_out(), n_positions=49).n_positions == 49


@pytest.mark.parametrize(
    ("task", "model", "sentence"),
    [
        (
            {"rows": 7, "cols": 7},
            {},
            r"W_pos is torch.float32 \(25, 16\), expected .* \(49, 16\); make the configuration with the task",
        ),
        ({"v_max": 3.0}, {}, r"W_E is .* make the configuration with the task"),
        ({}, {"layer_norm_eps": 1e-5}, "model.layer_norm_eps is 1e-12 in the model and 1e-05 in its configuration"),
        ({}, {"n_heads": 4}, "model.n_heads is 2 in the model and 4 in its configuration"),
    ],
)
def test_a_model_is_held_to_the_configuration_it_is_given(task: Any, model: Any, sentence: str) -> None:
    shape = {"n_layers": 1, "n_heads": 2, "d_model": WIDTH, "d_mlp": 32}
    own = TaskConfig(rows=5, cols=5, rank=1, v_min=-2.0, v_max=2.0)
    encoder = MatrixEncoder(ModelConfig(**shape), own.d_vocab, own.n_positions)
    asked = TaskConfig(**own.model_dump() | task)
    with pytest.raises(CheckpointError, match=sentence):
        Checkpoint.of_model(encoder, RunConfig(task=asked, model=ModelConfig(**shape | model)))
    # Initial weights may be of any law: they are not those of the model any more.
    Checkpoint.of_model(encoder, RunConfig(task=own, model=ModelConfig(**shape, init_std=0.5)))
