"""How fast a GPU trains the paper's model: python benchmarks/gpu.py [PRESET] [STEPS] [ROUNDS].

Trains in turns in float32, in float32 with TF32 products and in bf16, the last also with its kernels replayed as a CUDA
graph and compiled, data and reading of measurements included, and beside each kind of product multiplies two large
matrices. Prints and stores steps a second, TFLOP/s (counted from the shapes of every product of a step, forward and
backward), their share of the large product's, the hours of a whole run, and how far losses are from those of the same
precision with kernels called one by one. A way of calling them that fails is told and left out. TF32 is no setting of a
run: it is measured here only.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch
from measure import interleaved, ratio, store
from torch.utils.flop_counter import FlopCounterMode

from mcinterp.config import RunConfig, load_preset
from mcinterp.model.fused import training_forward
from mcinterp.model.plain import trainable
from mcinterp.runs.checkpoint import build_model
from mcinterp.task import make_task
from mcinterp.training.kernels import COMPILED, EAGER, GRAPH, called_by
from mcinterp.training.loop import READ_STEPS, TrainState, training_steps

PRODUCTS = {"float32": ("highest", "float32"), "tf32": ("high", "float32"), "bf16": ("highest", "bf16")}
"""What torch makes float32 products of, and the run's training.precision."""
KINDS = (("float32", EAGER), ("tf32", EAGER), ("bf16", EAGER), ("bf16", GRAPH), ("bf16", COMPILED))
"""Products, and how kernels are called."""
SIDE = 8192
"""Of the large matrices."""


def main(
    preset: str = "paper",
    steps: str = "100",
    rounds: str = "5",
    device: str = "cuda",
    config: RunConfig | None = None,
    side: int = SIDE,
    folder: Path | None = None,
) -> list[dict[str, object]]:
    """Measure, print and store one row a kind of product and a way of calling kernels."""
    if device == "cuda" and not torch.cuda.is_available():
        print("benchmarks/gpu.py measures a CUDA device, and torch finds none here", file=sys.stderr)
        sys.exit(2)
    config, where = config or load_preset(preset), torch.device(device)
    # Whole windows, so that every round reads its measurements.
    n_steps = -(-int(steps) // READ_STEPS) * READ_STEPS if device == "cuda" else int(steps)
    kinds = KINDS if device == "cuda" else [kind for kind in KINDS if kind[1] == EAGER]
    trainings = {kind: one for kind in kinds if (one := _begun(Training(*kind, config, where, n_steps)))}
    candidates: dict[str, Callable[[], object]] = {str(kind): one.go_on for kind, one in trainings.items()}
    candidates |= {name: _product(name, where, side) for name in PRODUCTS}
    seconds = interleaved(candidates, int(rounds))
    rows = [_row(one, trainings, seconds, side) for one in trainings.values()]
    store("gpu", rows, folder)
    return rows


def step_flops(config: RunConfig) -> int:
    """Floating-point operations of the matrix products of one training step, forward and backward."""
    model, task = build_model(config), make_task(config.task)
    one = task.draw(1, torch.Generator().manual_seed(0))
    with FlopCounterMode(display=False) as counter:
        task.loss(training_forward(model)(one.inputs), one).backward()
    return int(counter.get_total_flops()) * config.training.batch_size


@dataclass
class Training:
    """A training that goes on by `n_steps` at each call, and waits for them."""

    products: str
    kernels: str
    config: RunConfig
    device: torch.device
    n_steps: int

    def __post_init__(self) -> None:
        # It never ends, so that every call does the same.
        update = {"steps": 10**9, "precision": PRODUCTS[self.products][1]}
        endless = self.config.training.model_copy(update=update)
        model, task = build_model(self.config).move(self.device), make_task(self.config.task)
        forward = called_by(self.kernels, model, training_forward(model))
        self.losses: list[float] = []
        self._steps = training_steps(TrainState.fresh(trainable(model), endless), task, forward, endless, self.device)

    def go_on(self) -> None:
        """Take the next steps."""
        with _products(self.products):
            self.losses += [next(self._steps).loss for _ in range(self.n_steps)]
            _wait(self.device)


def _begun(training: Training) -> Training | None:
    """A training that has taken its first steps; None where they fail, which is told."""
    try:
        training.go_on()
    except Exception as error:  # a compiler may raise anything
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        print(f"{training.products} with kernels called {training.kernels} is left out: {reason:.300}", file=sys.stderr)
        return None
    return training


def _row(
    one: Training, trainings: Mapping[tuple[str, str], Training], seconds: Mapping[str, Sequence[float]], side: int
) -> dict[str, object]:
    own, config, flops = seconds[str((one.products, one.kernels))], one.config, step_flops(one.config)
    rate, product = one.n_steps / median(own), 2 * side**3 / median(seconds[one.products])
    times, lowest, highest = ratio(seconds[str(KINDS[0])], own)
    plain = trainings[one.products, EAGER].losses[: one.n_steps]
    apart = [abs(ours - theirs) / theirs for ours, theirs in zip(one.losses, plain, strict=False)]
    return {
        "products": one.products,
        "kernels": one.kernels,
        "steps/s": rate,
        "times float32": times,
        "lowest": lowest,
        "highest": highest,
        "TFLOP/s": rate * flops / 1e12,
        "TFLOP/s of a large product": product / 1e12,
        "share": rate * flops / product,
        f"hours of {config.training.steps} steps": config.training.steps / rate / 3600,
        "losses apart": max(apart),
    }


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
    torch.set_float32_matmul_precision(PRODUCTS[name][0])
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    main(*sys.argv[1:])
