"""Trainings through the drop, in bf16 with the kernels that pay and in float32 to compare; passes on what is kept."""

from __future__ import annotations

import shutil
from pathlib import Path

from gpu import step_flops
from measure import store

from mcinterp.analysis import analyse
from mcinterp.analysis.statistics import mean_estimate
from mcinterp.config import RunConfig
from mcinterp.runs import Run, train
from mcinterp.runs.excerpt import excerpt
from mcinterp.task import make_task
from mcinterp.training.kernels import EAGER
from on_gpu.scale import Scale
from on_gpu.speeds import chosen

RUN = "run"
LAST = 500
"""Steps at the end, each on fresh samples, over which the error is averaged."""
CHECKPOINTS = 5


def paper(scale: Scale, work: Path) -> None:
    """The paper's model."""
    refuse_unfinished(trained(scale.paper, "bf16", chosen(work.parent), scale.device, work))


def wide(scale: Scale, work: Path) -> None:
    """A model whose checkpoints are small enough to take away."""
    run = trained(scale.wide, "bf16", chosen(work.parent), scale.device, work)
    shutil.rmtree(work / "excerpt", ignore_errors=True)
    excerpt(run, work / "excerpt", scale.excerpt)
    refuse_unfinished(run)


def wide_float32(scale: Scale, work: Path) -> None:
    """The same in float32: whether bf16 ends where it does."""
    refuse_unfinished(trained(scale.wide, "float32", EAGER, scale.device, work))


def passes(scale: Scale, work: Path) -> None:
    """Every pass on five checkpoints of the paper's model, and every comparison of all of them."""
    run = Run(work.parent / "paper" / RUN, scale.device)
    steps = run.spread_steps(CHECKPOINTS)[-CHECKPOINTS:]
    analyse(run, work, steps, samples=scale.samples, jobs=scale.jobs, progress=lambda line: print(line, flush=True))


def trained(config: RunConfig, precision: str, kernels: str, device: str, work: Path) -> Run:
    """Train as long as is allowed, and store what came of it."""
    training = config.training.model_copy(update={"precision": precision})
    run = train(work / RUN, config.model_copy(update={"training": training}), device, kernels=kernels)
    store("training", [_row(run, kernels)], work)
    return run


def refuse_unfinished(run: Run) -> None:
    """Say where a training was stopped, or that it misses checkpoints across its drop.

    Raises:
        SystemExit: with that.
    """
    if not run.complete:
        missing = ", without all checkpoints across the drop" if run.finished else ""
        raise SystemExit(f"stopped at step {run.steps_done} of {run.config.training.steps}{missing}")


def _row(run: Run, kernels: str) -> dict[str, object]:
    metrics, training, drop = run.metrics, run.config.training, run.transition
    seconds = float(metrics["seconds"].iloc[-1])
    score = make_task(run.config.task).progress_score
    last = metrics[score].to_numpy()[-LAST:]
    return {
        "steps": len(metrics),
        "of": training.steps,
        "precision": training.precision,
        "kernels": kernels,
        "seconds": seconds,
        "steps/s": len(metrics) / seconds,
        "TFLOP/s": len(metrics) * step_flops(run.config) / seconds / 1e12,
        "plateau": drop.plateau if drop else None,
        "drop starts": drop.start if drop else None,
        "drop ends": drop.end if drop else None,
        "score": score,
        **mean_estimate(last).columns("at the end"),
        "n": len(last),
        "seed": training.seed,
    }
