"""The benchmark of a GPU, run on the CPU: its operations counted by hand, its table, and what it says without one."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
import torch
from small_gpt import small_gpt_config
from small_run import small_config

from mcinterp.config import RunConfig, load_preset

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import gpu

    return gpu


def by_hand(config: RunConfig) -> int:
    """Thrice the forward pass: every product has two gradients."""
    model, task = config.model, config.task
    width, positions, answers, words = model.d_model, task.n_positions, task.n_positions, 1
    if task.kind == "matrix-sequence":
        positions, answers, words = positions - 1, task.n_entries, task.d_vocab
    layer = positions * (4 * width**2 + 2 * width * model.d_mlp) + 2 * positions**2 * width
    forward = model.n_layers * layer + answers * width * words
    return 3 * 2 * forward * config.training.batch_size


@pytest.mark.parametrize("config", [small_config(), small_gpt_config(), load_preset("paper")])
def test_operations_are_those_counted_by_hand(gpu: ModuleType, config: RunConfig) -> None:
    assert gpu.step_flops(config) == by_hand(config)


def test_every_kind_of_product_is_a_row(
    gpu: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("measure.RESULTS", tmp_path)
    before = torch.get_float32_matmul_precision()
    rows = gpu.main(device="cpu", steps="2", rounds="2", config=small_config(), side=64)
    assert torch.get_float32_matmul_precision() == before
    assert [row["products"] for row in rows] == ["float32", "tf32", "bf16"]
    table = pd.read_csv(tmp_path / "gpu.csv")
    assert (table["steps/s"] * by_hand(small_config()) / 1e12).tolist() == pytest.approx(table["TFLOP/s"].tolist())
    assert (table["TFLOP/s"] / table["TFLOP/s of a large product"]).tolist() == pytest.approx(table["share"].tolist())
    assert (40 / table["steps/s"] / 3600).tolist() == pytest.approx(table["hours of 40 steps"].tolist())
    assert table["times float32"][0] == 1
    assert "bf16" in capsys.readouterr().out


def test_without_a_gpu_it_says_so(
    gpu: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit) as stopped:
        gpu.main()
    assert stopped.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "benchmarks/gpu.py measures a CUDA device, and torch finds none here\n"
