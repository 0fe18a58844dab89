"""How fast a training step is: python benchmarks/training_step.py [--widths 64,128] [--precisions float32,bf16].

Also [--batches 64,256] [--threads 1,2].

7 × 7 matrices of rank 2, 4 layers, 8 heads, d_mlp = 4 · d_model. In turn, each in a process of its own, steps with
- ours: `training_steps` as `mcinterp train` runs it: data, forward, loss, scores, backward, Adam;
- HookedEncoder: the same with the forward pass that has hooks;
- BertModel of Hugging Face with a linear read-out, eager and sdpa, dropout 0, data and loss of ours, torch's fused Adam
  (the fastest it has), no scores;
- the authors' step: BertModel as it is by default today (sdpa), torch's default Adam as theirs, a second forward pass
  of the batch for the scores and one of 64 fresh matrices; neither keeps anything for a backward pass.

With bf16 every one of them multiplies in bf16, under autocast, and ours in float32 stands beside them. The limit is the
step's matrix products at the rate of one large product of the same precision, measured in the same rounds.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median

import torch
import torch.nn.functional as F
from measure import Step, apart, interleaved, ratio, store

from mcinterp.config import RunConfig, TrainConfig
from mcinterp.model.fused import training_forward
from mcinterp.model.plain import trainable
from mcinterp.studies.matrix_completion.config import ModelConfig, TaskConfig
from mcinterp.studies.matrix_completion.convert import to_bert
from mcinterp.studies.matrix_completion.encoder import MatrixEncoder
from mcinterp.studies.matrix_completion.task.completion import MatrixCompletion
from mcinterp.training import TrainState, training_steps
from mcinterp.training.memory import keep_freed_memory

CPU = torch.device("cpu")
PRODUCT = 2048
"""Rows and columns of the product that gives the limit."""
SECONDS = 20.0
"""About what one row of the table may take, which decides the rounds."""


def main() -> None:
    """Print and store the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("widths", "64,128,256,768"), ("batches", "64"), ("threads", "1"), ("precisions", "float32")):
        parser.add_argument(f"--{name}", default=default, help=f"default {default}")
    parser.add_argument("--rounds", type=int, help="by default as many as take about 20 s a row, 3 to 15")
    parser.add_argument("--store", default="training_step", help="name of the table under results/")
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    sizes = [[int(part) for part in text.split(",")] for text in (arguments.widths, arguments.batches)]
    if arguments.peak:
        print(peak(arguments.peak, run_config(sizes[0][0], sizes[1][0], arguments.precisions)))
        return
    rows = []
    threads = map(int, arguments.threads.split(","))
    for n_threads, batch, width, precision in product(threads, sizes[1], sizes[0], arguments.precisions.split(",")):
        config = run_config(width, batch, precision)
        rows.append({"threads": n_threads, "precision": precision, **compare(config, n_threads, arguments.rounds)})
        print(rows[-1], file=sys.stderr)
    store(arguments.store, rows)


def run_config(width: int, batch: int, precision: str = "float32") -> RunConfig:
    """The paper's task and model at another width."""
    return RunConfig(
        task=TaskConfig(),
        model=ModelConfig(n_layers=4, n_heads=8, d_model=width, d_mlp=4 * width, init_std="width"),
        training=TrainConfig.model_validate(
            {"steps": 10**9, "batch_size": batch, "learning_rate": 1e-4, "precision": precision}
        ),
    )


def compare(config: RunConfig, threads: int, rounds: int | None) -> dict[str, object]:
    """One row of the table."""
    precision = config.training.precision
    makers: dict[str, Callable[[], Step]] = {name: partial(make, config) for name, make in STEPS.items()}
    makers["product"] = partial(large_product, precision)
    if precision != "float32":
        makers["float32"] = partial(ours, run_config(config.model.d_model, config.training.batch_size))
    with apart(makers, threads) as candidates:
        once = interleaved(candidates, 1)
        wanted = rounds or int(min(15, max(3, SECONDS / sum(map(sum, once.values())))))
        seconds = interleaved(candidates, wanted)
    flops = step_flops(config.model, config.task.n_positions, config.training.batch_size)
    limit = [flops / (2 * PRODUCT**3) * each for each in seconds["product"]]
    rivals = [name for name in makers if name not in ("ours", "product")]
    faster = {rival: ratio(seconds[rival], seconds["ours"]) for rival in rivals}
    return {
        "d_model": config.model.d_model,
        "batch": config.training.batch_size,
        "rounds": wanted,
        **{f"{name} ms": 1e3 * median(seconds[name]) for name in STEPS},
        "limit ms": 1e3 * median(limit),
        **{f"{name} / ours": f"{mid:.2f} ({low:.2f} to {high:.2f})" for name, (mid, low, high) in faster.items()},
        "share of limit": "{:.2f} ({:.2f} to {:.2f})".format(*ratio(limit, seconds["ours"])),
        "GFLOP/s of the product": 2 * PRODUCT**3 / median(seconds["product"]) / 1e9,
        **{f"{name} MB": peak_apart(name, config) for name in ("ours", "HF sdpa")},
    }


def step_flops(model: ModelConfig, n_positions: int, batch: int) -> int:
    """Floating-point operations of a step's matrix products, a multiplication and an addition each counted.

    The backward pass has two products for every one of the forward pass: one for the weights (or the other factor)
    and one for what went in.
    """
    tokens = batch * n_positions
    weights = 4 * model.d_model**2 + 2 * model.d_model * model.d_mlp
    attention = 2 * n_positions * model.d_model
    return 3 * 2 * tokens * (model.n_layers * (weights + attention) + model.d_model)


def large_product(precision: str = "float32") -> Step:
    """A product whose rate is the limit."""
    a = torch.rand(PRODUCT, PRODUCT, dtype=torch.bfloat16 if precision == "bf16" else torch.float32)
    return partial(torch.mm, a, a, out=torch.empty_like(a))


def build(config: RunConfig) -> tuple[MatrixEncoder, MatrixCompletion]:
    """A model and its task."""
    return MatrixEncoder(config.model, config.task.d_vocab, config.task.n_positions), MatrixCompletion(config.task)


def ours(config: RunConfig, hooked: bool = False) -> Step:
    """A step of `training_steps`."""
    if not hooked:
        keep_freed_memory()
    model, task = build(config)
    state = TrainState.fresh(trainable(model), config.training)
    if hooked:
        return partial(next, training_steps(state, task, model.complete, config.training, CPU))
    return partial(next, training_steps(state, task, training_forward(model), config.training, CPU))


def hugging_face(config: RunConfig, attention: str, authors: bool = False) -> Step:
    """A step of Hugging Face's BertModel; as the authors take it, with its two further forward passes."""
    model, task = build(config)
    bert, read_out = to_bert(model)
    bert.train()
    bert.set_attn_implementation(attention)
    bert.embeddings.token_type_embeddings.requires_grad_(False)
    parameters = [p for module in (bert, read_out) for p in module.parameters() if p.requires_grad]
    adam = torch.optim.Adam(parameters, lr=config.training.learning_rate, fused=not authors)
    generator = torch.Generator().manual_seed(1)

    def answer(tokens: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=config.training.precision == "bf16"):
            return read_out(bert(tokens).last_hidden_state)[..., 0].float()

    def step() -> float:
        batch = task.sample(config.training.batch_size, generator)
        loss = F.mse_loss(answer(batch.inputs), batch.targets)
        adam.zero_grad()
        loss.backward()
        adam.step()
        if authors:
            with torch.no_grad():
                for seen in (batch, task.sample(64, generator)):
                    task.scores(answer(seen.inputs), seen)
        return loss.item()

    return step


STEPS: dict[str, Callable[[RunConfig], Step]] = {
    "ours": ours,
    "authors": partial(hugging_face, attention="sdpa", authors=True),
    "HF eager": partial(hugging_face, attention="eager"),
    "HF sdpa": partial(hugging_face, attention="sdpa"),
    "hooked": partial(ours, hooked=True),
}


def peak(name: str, config: RunConfig) -> float:
    """MB of steps at their peak beyond the weights: activations, gradients and Adam's means; on Linux."""
    torch.set_num_threads(1)
    STEPS[name](run_config(16, 1))()  # what the libraries load at their first step
    step = STEPS[name](config)
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # begins VmHWM, the peak, anew
    for _ in range(3):
        step()
    return _status("VmHWM") - before


def _status(key: str) -> float:
    """A size in MB from the process's status, where it is in units of 1024 bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:")) * 1024 / 1e6


def peak_apart(name: str, config: RunConfig) -> float:
    """`peak` in a process of its own."""
    training = config.training
    words = [sys.executable, __file__, "--peak", name, "--widths", str(config.model.d_model)]
    words += ["--batches", str(training.batch_size), "--precisions", training.precision]
    return float(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    main()
