"""What the benchmark of a training step counts and compares."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("training_step")


@pytest.mark.parametrize("name", ["ours", "hooked", "HF eager"])
@pytest.mark.parametrize("batch", [3, 40])
def test_operations_are_those_that_torch_counts(benchmark: ModuleType, name: str, batch: int) -> None:
    config = benchmark.run_config(16, batch)
    step = benchmark.STEPS[name](config)
    step()
    with FlopCounterMode(display=False) as counter:
        step()
    drawing = batch * 49 * 2 * config.task.rank  # U Vᵀ is no product of the model
    assert counter.get_total_flops() - drawing == benchmark.step_flops(config.model, 49, batch)


def test_ratios_are_taken_round_by_round(benchmark: ModuleType) -> None:
    measure = importlib.import_module("measure")
    assert measure.ratio([2.0, 9.0, 4.0], [1.0, 3.0, 4.0]) == (2.0, 1.0, 3.0)


def test_candidates_take_turns_after_one_warm_up(benchmark: ModuleType) -> None:
    measure, calls = importlib.import_module("measure"), []
    seconds = measure.interleaved({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 2)
    assert calls == ["a", "b", "a", "b", "a", "b"]
    assert [len(each) for each in seconds.values()] == [2, 2]


def test_rivals_take_steps_of_the_same_model(benchmark: ModuleType) -> None:
    torch.manual_seed(0)
    config = benchmark.run_config(16, 4)
    ours = benchmark.STEPS["ours"](config)().loss
    assert benchmark.STEPS["hooked"](config)().loss == pytest.approx(ours, rel=1e-5)
    # Same weights and data: both draw the batch of seed 1.
    assert benchmark.STEPS["HF sdpa"](config)() == pytest.approx(ours, rel=1e-4)
