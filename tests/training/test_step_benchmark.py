"""What the benchmark of a training step counts and compares."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

FOLDER = Path(__file__).parents[2] / "benchmarks"
RANK = 2


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


class Products(TorchDispatchMode):
    """Which numbers products of weights and states are made of."""

    def __init__(self) -> None:
        super().__init__()
        self.kinds: set[torch.dtype] = set()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = function.overloadpacket.__name__
        if name in ("mm", "bmm", "addmm", "baddbmm") and args[-1].shape[-2] != RANK:  # U Vᵀ is no product of the model
            self.kinds.add(args[-1].dtype)
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", ["ours", "hooked", "HF sdpa", "HF eager", "authors"])
@pytest.mark.parametrize(("precision", "kind"), [("float32", torch.float32), ("bf16", torch.bfloat16)])
def test_every_rival_multiplies_in_the_same_precision(
    benchmark: ModuleType, name: str, precision: str, kind: torch.dtype
) -> None:
    step = benchmark.STEPS[name](benchmark.run_config(32, 4, precision))
    with Products() as products:
        step()
    assert products.kinds == {kind}
