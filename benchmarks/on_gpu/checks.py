"""Whether a device computes what it should: passes against each other, and training that goes on and is replayed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from measure import store
from torch import Tensor

from mcinterp.config import RunConfig
from mcinterp.model.fused import training_forward
from mcinterp.runs import Run, densify, train
from mcinterp.runs.checkpoint import build_model
from mcinterp.task import make_task
from on_gpu.scale import Scale

SAMPLES = 64
BOUNDS = {"float32": 1e-4, "bf16": 0.03}
"""Of ‖difference‖ / ‖reference‖, of float32 passes that add in another order, and of products of bf16."""


def checks(scale: Scale, work: Path) -> None:
    """Measure, store, and fail where a bound is passed."""
    rows = [*passes_agree(scale), *training_goes_on(scale, work / "runs")]
    store("checks", rows, work)
    if failed := [str(row["what"]) for row in rows if not row["holds"]]:
        raise SystemExit(f"does not hold: {'; '.join(failed)}")


def passes_agree(scale: Scale) -> Iterator[dict[str, object]]:
    """Answers and gradients of the paper's model on the device, against the hooked pass and against the CPU."""
    device = torch.device(scale.device)
    hooked, fused, cpu = (_answered(scale.paper, *how) for how in ((device, True), (device, False), ("cpu", True)))
    bf16 = _answered(scale.paper, device, False, bf16=True)
    pairs = {
        "fused and hooked": (fused, hooked),
        "hooked and the CPU's": (hooked, cpu),
        "bf16 and float32": (bf16, fused),
    }
    for name, (ours, reference) in pairs.items():
        bound = BOUNDS["bf16" if "bf16" in name else "float32"]
        for what, one, other in zip(("answers", "gradients"), ours, reference, strict=True):
            apart = float((one - other).norm() / other.norm())
            yield {
                "what": f"{what}, {name}",
                "apart": apart,
                "bound": bound,
                "n": SAMPLES,
                "seed": 0,
                "holds": apart <= bound,
            }


def _answered(config: RunConfig, device: torch.device | str, hooked: bool, bf16: bool = False) -> tuple[Tensor, Tensor]:
    """Answers, and the gradients of all parameters one after the other, on the CPU."""
    where = torch.device(device)
    model, task = build_model(config).move(where), make_task(config.task)
    batch = task.to(task.draw(SAMPLES, torch.Generator().manual_seed(0)), where)
    forward: Callable[[Tensor], Tensor] = model.complete if hooked else training_forward(model)
    with torch.autocast(where.type, torch.bfloat16, enabled=bf16):
        answers = forward(batch.inputs)
    task.loss(answers.float(), batch).backward()
    gradients = [each.grad.flatten() for each in model.parameters() if each.grad is not None]
    return answers.detach().float().cpu(), torch.cat(gradients).cpu()


def training_goes_on(scale: Scale, folder: Path) -> Iterator[dict[str, object]]:
    """Losses of a training that was stopped, and a replay, against one that went through; they are the same bits."""
    half = scale.checked_steps // 2
    for precision in ("float32", "bf16"):
        config = checked(scale, precision)
        straight = train(folder / f"{precision}-straight", config, scale.device)
        stopped, told = folder / f"{precision}-stopped", Counter[str]()
        train(
            stopped,
            config,
            scale.device,
            lambda _, told=told: told.update(["step"]),
            lambda told=told: told["step"] >= half,
        )
        middle = Run(stopped).steps_done
        resumed = train(stopped, config, scale.device)
        apart = float((resumed.metrics["loss"] - straight.metrics["loss"]).abs().max())
        yield _exact(f"losses in {precision}, stopped after step {middle} and gone on with", apart, config)
        # It raises where a loss differs.
        added = densify(straight.path, half + 1, half + 2, 1, scale.device)
        yield _exact(f"losses in {precision}, replayed for {len(added)} more checkpoints", 0.0, config)


def checked(scale: Scale, precision: str) -> RunConfig:
    """The wide model's training, of a few steps."""
    kept = {"steps": scale.checked_steps, "checkpoints": 4, "replay_states": 4, "dense_checkpoints": 0}
    constant = {"schedule": "constant", "warmup_steps": 0, "hold_steps": 0, "precision": precision}
    return scale.wide.model_copy(update={"training": scale.wide.training.model_copy(update={**kept, **constant})})


def _exact(what: str, apart: float, config: RunConfig) -> dict[str, object]:
    n, seed = config.training.steps, config.training.seed
    return {"what": what, "apart": apart, "bound": 0.0, "n": n, "seed": seed, "holds": apart == 0}
