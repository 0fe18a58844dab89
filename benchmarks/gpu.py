"""How fast a GPU trains the paper's model: python benchmarks/gpu.py [PRESET] [STEPS] [ROUNDS].

Trains in turns in float32, in float32 with TF32 products and in bf16, data and reading of measurements included, and
beside each multiplies two large matrices of the same kind. Prints and stores steps a second, TFLOP/s (counted from the
shapes of every product of a step, forward and backward), their share of the large product's, and the hours of a whole
run. Not used by the package: TF32 is measured here only.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median

import torch
from measure import interleaved, store
from torch.utils.flop_counter import FlopCounterMode

from mcinterp.config import RunConfig, load_preset
from mcinterp.model.fused import training_forward
from mcinterp.model.plain import trainable
from mcinterp.runs.checkpoint import build_model
from mcinterp.task import make_task
from mcinterp.training.loop import READ_STEPS, TrainState, training_steps

KINDS = {"float32": ("highest", "float32"), "tf32": ("high", "float32"), "bf16": ("highest", "bf16")}
"""What torch makes float32 products of, and the run's training.precision."""
SIDE = 8192
"""Of the large matrices."""


def main(
    preset: str = "paper",
    steps: str = "100",
    rounds: str = "5",
    device: str = "cuda",
    config: RunConfig | None = None,
    side: int = SIDE,
) -> list[dict[str, object]]:
    """Measure, print and store one row a kind of product."""
    if device == "cuda" and not torch.cuda.is_available():
        print("benchmarks/gpu.py measures a CUDA device, and torch finds none here", file=sys.stderr)
        sys.exit(2)
    config, where = config or load_preset(preset), torch.device(device)
    # Whole windows, so that every round reads its measurements.
    n_steps = -(-int(steps) // READ_STEPS) * READ_STEPS if device == "cuda" else int(steps)
    candidates: dict[str, Callable[[], object]] = {}
    for name in KINDS:
        candidates[name] = _training(name, config, where, n_steps)
        candidates[f"{name} product"] = _product(name, where, side)
    seconds = interleaved(candidates, int(rounds))
    flops = step_flops(config)
    rows = [_row(name, config, seconds, flops, n_steps, side) for name in KINDS]
    store("gpu", rows)
    return rows


def step_flops(config: RunConfig) -> int:
    """Floating-point operations of the matrix products of one training step, forward and backward."""
    model, task = build_model(config), make_task(config.task)
    one = task.draw(1, torch.Generator().manual_seed(0))
    with FlopCounterMode(display=False) as counter:
        task.loss(training_forward(model)(one.inputs), one).backward()
    return int(counter.get_total_flops()) * config.training.batch_size


def _row(
    name: str, config: RunConfig, seconds: dict[str, list[float]], flops: int, n_steps: int, side: int
) -> dict[str, object]:
    rate = n_steps / median(seconds[name])
    product = 2 * side**3 / median(seconds[f"{name} product"])
    against = [one / other for one, other in zip(seconds["float32"], seconds[name], strict=True)]
    return {
        "products": name,
        "steps/s": rate,
        "times float32": median(against),
        "lowest": min(against),
        "highest": max(against),
        "TFLOP/s": rate * flops / 1e12,
        "TFLOP/s of a large product": product / 1e12,
        "share": rate * flops / product,
        f"hours of {config.training.steps} steps": config.training.steps / rate / 3600,
    }


def _training(name: str, config: RunConfig, device: torch.device, n_steps: int) -> Callable[[], object]:
    """A training that goes on by `n_steps` at each call, and waits for them."""
    # It never ends, so that every call does the same.
    endless = config.training.model_copy(update={"steps": 10**9, "precision": KINDS[name][1]})
    model, task = build_model(config).move(device), make_task(config.task)
    state = TrainState.fresh(trainable(model), endless)
    steps = training_steps(state, task, training_forward(model), endless, device)

    def train() -> None:
        with _products(name):
            for _ in range(n_steps):
                next(steps)
            _wait(device)

    return train


def _product(name: str, device: torch.device, side: int) -> Callable[[], object]:
    kind = torch.bfloat16 if name == "bf16" else torch.float32
    a, b = (torch.randn(side, side, device=device, dtype=kind) for _ in range(2))

    def multiply() -> None:
        with _products(name):
            torch.mm(a, b)
            _wait(device)

    return multiply


@contextmanager
def _products(name: str) -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(KINDS[name][0])
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    main(*sys.argv[1:])
