"""Files and folders as other people save them, opened with Hugging Face's own outputs or refused unopened."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from theirs import LENGTH, SHAPE, authors_file, authors_weights, bert, furthest, randomised, read_out, untyped
from torch import Tensor
from transformers import BertConfig, BertForTokenClassification

from mcinterp.errors import CheckpointError
from mcinterp.studies.matrix_completion.convert import load_bert, load_tf_matcomp


def test_the_authors_own_file_opens_with_their_answers(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    network, head = authors_file(tmp_path / "train.tar")
    model, step = load_tf_matcomp(tmp_path / "train.tar", n_heads=4, n_positions=LENGTH)
    assert step == 4000
    assert furthest(model, network, head) < 2e-6
    assert "not there, and taken for 0: embeddings.token_type_embeddings.weight" in caplog.text


@pytest.mark.parametrize("number", [np.float64(0.25), np.float32(0.5), np.int64(7), np.bool_(True), np.uint8(3)])
def test_a_numpy_scalar_among_the_losses_costs_nothing(tmp_path: Path, number: np.generic) -> None:
    network, head = authors_file(tmp_path / "a.tar", train_loss=number, losses=[number, 0.5])
    model, _ = load_tf_matcomp(tmp_path / "a.tar", 4, LENGTH)
    assert furthest(model, network, head) < 2e-6


@pytest.mark.parametrize(
    ("thing", "named"),
    [
        (np.zeros(3), "reconstruct"),
        (np.datetime64("2020-01-01"), "numpy.dtype"),
        (np.str_("x"), "numpy.dtype"),
        (np.complex128(1), "numpy.dtype"),
        (Path("x"), "pathlib"),
    ],
)
def test_other_things_beside_the_weights_are_named_unopened(tmp_path: Path, thing: Any, named: str) -> None:
    authors_file(tmp_path / "a.tar", more=thing)
    with pytest.raises(CheckpointError, match=rf"left unopened \(.*{named}.*\); save the weights alone"):
        load_tf_matcomp(tmp_path / "a.tar", 4, LENGTH)


LAYOUTS: list[tuple[str, Callable[[dict[str, Tensor]], Any], int]] = [
    ("a.tar", lambda weights: {"step": 400, "model": weights}, 400),
    ("a.pt", lambda weights: {"model_state_dict": weights, "step": torch.tensor(300)}, 300),
    ("a.ckpt", lambda weights: {"state_dict": weights, "global_step": 200, "epoch": 1}, 200),
    ("step-500.pth", lambda weights: {"model_state_dict": weights}, 500),
    ("7x7_r2_l4_grok0700.pt", lambda weights: weights, 700),
    ("grok49999.tar", lambda weights: {"epoch": 49999, "model": weights}, 50_000),
    ("epoch=1-step=600.ckpt", lambda weights: {"state_dict": weights}, 600),
    ("a.tar", lambda weights: {"step": np.int64(9), "model": weights}, 9),
]


@pytest.mark.parametrize(("name", "laid_out", "step"), LAYOUTS)
def test_common_layouts_open_with_their_step(tmp_path: Path, name: str, laid_out: Any, step: int) -> None:
    network, head = untyped(bert()), read_out()
    torch.save(laid_out(authors_weights(network, head)), tmp_path / name)
    model, found = load_tf_matcomp(tmp_path / name, 4, LENGTH)
    assert found == step
    assert furthest(model, network, head) < 2e-6


def test_a_file_that_tells_no_step_asks_for_it(tmp_path: Path) -> None:
    torch.save(authors_weights(bert(), read_out()), tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match="neither it nor its name tells a step: say step"):
        load_tf_matcomp(tmp_path / "a.pt", 4, LENGTH)
    assert load_tf_matcomp(tmp_path / "a.pt", 4, LENGTH, step=12)[1] == 12


@pytest.mark.parametrize("shard", ["1GB", "10KB"])
def test_a_hugging_face_folder_opens_sharded_or_not(tmp_path: Path, shard: str) -> None:
    network, head = bert(num_attention_heads=2, layer_norm_eps=0.01), read_out()
    network.save_pretrained(tmp_path, max_shard_size=shard)
    assert len(list(tmp_path.glob("model*.safetensors"))) == 1 if shard == "1GB" else 3
    model = load_bert(tmp_path, n_positions=LENGTH, read_out=head)
    assert furthest(model, network, head) < 2e-6
    safetensors.torch.save_file(head.state_dict(), tmp_path / "read_out.safetensors")
    assert furthest(load_bert(tmp_path, n_positions=LENGTH), network, head) < 2e-6


def test_a_folder_with_a_classifier_needs_nothing_more(tmp_path: Path) -> None:
    network = randomised(BertForTokenClassification(BertConfig(**SHAPE, num_labels=1)))
    network.save_pretrained(tmp_path)
    assert furthest(load_bert(tmp_path, n_positions=LENGTH), network.bert, network.classifier) < 2e-6


def test_a_folder_whose_configuration_an_encoder_has_not_is_refused(tmp_path: Path) -> None:
    bert(hidden_act="relu").save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="have hidden_act 'relu'"):
        load_bert(tmp_path, n_positions=LENGTH, read_out=read_out())


@pytest.mark.parametrize(
    ("index", "sentence"),
    [
        ({"weight_map": {"a": "../other.safetensors"}}, "leads to '../other.safetensors'"),
        ({"weight_map": {"a": "/etc/passwd"}}, "leads to '/etc/passwd'"),
        ({"weight_map": {"a": "one.safetensors"}}, "one.safetensors lacks a, which"),
        ({"weight_map": {"a": 3}}, "must hold 'weight_map'"),
        ({}, "must hold 'weight_map'"),
        ([], "must hold names with values"),
    ],
)
def test_an_index_that_leads_elsewhere_is_refused(tmp_path: Path, index: Any, sentence: str) -> None:
    safetensors.torch.save_file({"b": torch.zeros(1)}, tmp_path / "one.safetensors")
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        load_bert(tmp_path, 4, LENGTH)


def test_a_folder_without_weights_says_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"holds no weights: expected model.safetensors.index.json or"):
        load_bert(tmp_path, 4, LENGTH)


def test_safetensors_that_claim_more_than_they_hold_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    safetensors.torch.save_file(bert().state_dict(), path)
    content = path.read_bytes()
    for broken in (
        content[:-1],
        (1 << 40).to_bytes(8, "little") + content[8:],
        b"",
        content.replace(b"[60,16]", b"[61,16]"),
    ):
        path.write_bytes(broken)
        with pytest.raises(CheckpointError, match=r"cannot read .* as a file of tensors"):
            load_bert(path, 4, LENGTH)


def test_weights_of_a_smaller_matrix_are_not_taken_for_a_larger_one(tmp_path: Path) -> None:
    """Adam's moments are 0 at positions that no input had; without them, training has moved the others."""
    authors_file(tmp_path / "moments.tar")
    with pytest.raises(
        CheckpointError, match=r"32 positions, of which 9 were trained, and the task has 16: say the size"
    ):
        load_tf_matcomp(tmp_path / "moments.tar", 4, 16)
    with pytest.raises(CheckpointError, match=r"32 positions, fewer than the 49 of the task"):
        load_tf_matcomp(tmp_path / "moments.tar", 4, 49)
