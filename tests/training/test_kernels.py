"""Ways to call a step's kernels: the same training, or a sentence where a device has not the means."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from pretended_card import CARD, pretended_card
from small_run import small_config

from mcinterp.errors import InputError
from mcinterp.model.fused import _attention, _mlp
from mcinterp.runs import train
from mcinterp.runs.checkpoint import build_model
from mcinterp.training.kernels import called_by

CONFIG = small_config(training={"steps": 4, "precision": "bf16", "dense_checkpoints": 0})


@pytest.mark.filterwarnings("ignore:.*should not be instantiated")  # torch does, while it traces
def test_a_compiled_pass_has_the_numbers_and_gradients_of_an_eager_one(monkeypatch: pytest.MonkeyPatch) -> None:
    # Everything that is traced, without the minute of a compiler; what tests check of shapes cannot be traced.
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager", fullgraph=True))
    block = build_model(CONFIG).blocks[0]
    found = []
    for kernels in ("eager", "compiled"):
        forward = called_by(kernels, block, lambda resid: _mlp(_attention(resid, block.attn, None), block.mlp))
        block.zero_grad()
        answers = forward(torch.linspace(-1, 1, 160).view(2, 5, 16))
        answers.square().sum().backward()
        found.append([answers, block.attn.W_K.grad, block.mlp.W_in.grad])
    assert all(torch.allclose(ours, theirs, atol=1e-6) and ours.any() for ours, theirs in zip(*found, strict=True))


def test_a_recorded_pass_is_recorded_once_in_the_runs_precision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded: list[tuple[bool, torch.Size]] = []

    def record(plain: Any, inputs: Any, **_: Any) -> Any:
        recorded.append((torch.is_autocast_enabled("cuda"), inputs[0].shape))
        return plain

    with pretended_card(monkeypatch):
        # Recording itself needs a card; what is recorded does not.
        monkeypatch.setattr(torch.cuda, "make_graphed_callables", record)
        ours, theirs = (train(tmp_path / name, CONFIG, str(CARD), kernels=name) for name in ("graph", "eager"))
    assert recorded == [(False, torch.Size([8, 25]))]
    assert ours.metrics["loss"].equals(theirs.metrics["loss"])


@pytest.mark.parametrize(
    ("kernels", "sentence"),
    [
        ("graph", "kernels are called as a 'graph' on a CUDA device only, which 'cpu' is not"),
        ("graf", "kernels are called as one of eager, graph, compiled, not 'graf'; did you mean 'graph'?"),
    ],
)
def test_what_a_device_cannot_do_is_told_before_anything_is_written(
    kernels: str, sentence: str, tmp_path: Path, cli: Callable[..., tuple[int, str, str]]
) -> None:
    with pytest.raises(InputError) as told:
        train(tmp_path / "run", CONFIG, "cpu", kernels=kernels)
    assert str(told.value) == sentence
    words = ("train", "--preset", "tiny", "--run", str(tmp_path / "run"), "--device", "cpu", "--kernels", kernels)
    code, out, err = cli(*words)
    assert (code, out) == (2, "")
    assert sentence in " ".join(err.split())
    assert not (tmp_path / "run").exists()
