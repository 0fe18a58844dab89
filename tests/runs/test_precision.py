"""What becomes of `training.precision: auto`: what the device computes with, written down as the run is made."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_run import small_config

from mcinterp.config import RunConfig
from mcinterp.runs import Run, train
from mcinterp.runs.device import known_precision

CPU = torch.device("cpu")


def asked(precision: str) -> RunConfig:
    return small_config(training={"precision": precision, "steps": 4, "dense_checkpoints": 0})


PROCESSORS = (({"avx512_bf16": True}, "bf16"), ({"amx_bf16": False, "avx2": True}, "float32"), ({}, "float32"))


@pytest.fixture(params=PROCESSORS)
def processor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a processor that tells these capabilities is to be trained with."""
    capabilities, expected = request.param
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    return str(expected)


def test_a_run_says_what_auto_became_and_is_the_run_of_that(processor: str, tmp_path: Path) -> None:
    run = train(tmp_path / "auto", asked("auto"), "cpu")
    told = train(tmp_path / "told", asked(processor), "cpu")
    assert run.config.training.precision == Run(run.path).config.training.precision == processor
    assert run.config.hash == told.config.hash
    ours, theirs = run.checkpoint(4).weights, told.checkpoint(4).weights
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_run_that_stands_keeps_its_precision_on_another_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    train(tmp_path / "run", asked("auto"), "cpu", stop=lambda: True)
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    run = train(tmp_path / "run", asked("auto"), "cpu")
    assert (run.finished, run.config.training.precision) == (True, "bf16")
    assert run.config.differences(asked("float32")) == ["training.precision: 'bf16' in the run, 'float32' asked for"]
    assert run.config.differences(asked("auto")) == []


def test_what_was_said_is_not_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    assert known_precision(asked("float32"), CPU) == asked("float32")
    assert known_precision(asked("auto"), torch.device("mps")).training.precision == "float32"
