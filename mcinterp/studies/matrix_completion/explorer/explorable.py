"""What a page needs to run a model itself: weights of some checkpoints, the task, and masks to start from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

from mcinterp.analysis.sections import transformer
from mcinterp.config import RunConfig
from mcinterp.errors import InputError
from mcinterp.model.head_sweep import HeadSweep
from mcinterp.results import Result
from mcinterp.runs import Checkpoint, Run
from mcinterp.runs.checkpoint import package_versions
from mcinterp.studies.matrix_completion.config import TaskConfig, matrix_task
from mcinterp.studies.matrix_completion.task.masks import observed_mask
from mcinterp.studies.matrix_completion.task.structured import viewer_masks

MAX_STEPS = 8
"""Checkpoints that are taken where none are named."""
MAX_BYTES = 300_000_000
"""Weights of all checkpoints together; a browser reads no text of twice this size."""
MEAN_OVER, MEAN_SEED = 512, 0
"""Matrices that heads' outputs are averaged over, and their seed: as `ablation` has them unless told otherwise."""
MAX_POINTS = 300
"""Of the curve."""


def explorable(run: Run, steps: Sequence[int] | None = None) -> Result:
    """Gather a run's weights and task, and its heads' mean outputs, for a page in which the model runs.

    Args:
        run: of an encoder that completes matrices.
        steps: checkpoints; None for at most `MAX_STEPS`, those before, in and after the drop among them.

    Returns:
        array `weights` (step, parameter), float32, the parameters of `facts["parameters"]`, pairs of a name and a
        shape, one after the other; `means` (step, layer, position, head × d_head), float32, what mean ablation puts in
        the place of z, averaged over as many matrices as `facts["means"]` says; for each size of matrices
        `masks_ROWSxCOLS` (mask, row, column), True where observed, named in `facts["masks"]`; facts with the
        configuration, the checkpoints' own errors and the curve.

    Raises:
        InputError: for another task or model, or weights that no page can hold.
        CheckpointError: if a checkpoint is missing or damaged.
    """
    task = _supported(run.config)
    steps = run.spread_steps(MAX_STEPS) if steps is None else sorted(set(steps))
    first = dict(sorted(run.checkpoint(steps[0]).weights.items()))
    _refuse_large(sum(weight.nbytes for weight in first.values()), len(steps))
    checkpoints = [run.checkpoint(step) for step in steps]
    weights = np.stack([_flat(checkpoint.weights, list(first)) for checkpoint in checkpoints])
    means = np.stack([_means(checkpoint) for checkpoint in checkpoints])
    sizes = task.sizes or ((task.rows, task.cols),)
    names = {f"{rows}x{cols}": ["none", *viewer_masks(rows, cols)] for rows, cols in sizes}
    return Result(
        "explorer",
        "Live explorer",
        {"steps": steps},
        {
            "run": run.name,
            "config_hash": run.config.hash,
            "task": task.model_dump(mode="json"),
            "model": transformer(run.config).model_dump(mode="json"),
            "parameters": [[name, list(weight.shape)] for name, weight in first.items()],
            "steps": steps,
            "masks": names,
            "statement": run.transition.statement,
            "curve": _curve(run),
            "means": {"n": MEAN_OVER, "seed": MEAN_SEED},
            "axes": _AXES | {f"masks_{size}": ["mask", "row", "col"] for size in names},
        },
        arrays={"weights": weights, "means": means}
        | {f"masks_{size}": _masks(size, own) for size, own in names.items()},
        provenance={"run": run.name, "steps": steps, "versions": package_versions()},
    )


_AXES = {"weights": ["step", "parameter"], "means": ["step", "layer", "position", "head × d_head"]}


def _means(checkpoint: Checkpoint) -> np.ndarray:
    """The heads' mean outputs before W_O, (layer, position, head × d_head)."""
    inputs = checkpoint.sample(MEAN_OVER, MEAN_SEED).inputs
    means = HeadSweep(checkpoint.model).mean_z(inputs)
    return np.stack([z[0].flatten(1).cpu().numpy() for z in means])


def _supported(config: RunConfig) -> TaskConfig:
    kind, architecture = config.task.kind, config.model.architecture
    if (kind, architecture) != ("matrix-completion", "encoder"):
        raise InputError(
            "the explorer runs encoders that complete matrices (task.kind matrix-completion, model.architecture "
            f"encoder); this run has task.kind {kind}, model.architecture {architecture}"
        )
    return matrix_task(config)


def _refuse_large(size: int, n_steps: int) -> None:
    if size * n_steps > MAX_BYTES:
        raise InputError(
            f"the weights of {n_steps} checkpoints take {size * n_steps / 1e6:,.0f} MB, and a page holds at most "
            f"{MAX_BYTES / 1e6:,.0f}: name fewer with `mcinterp explore RUN --steps`, or explore a smaller model"
        )


def _flat(weights: Mapping[str, Tensor], names: Sequence[str]) -> np.ndarray:
    return np.concatenate([weights[name].numpy().ravel() for name in names])


def _masks(size: str, names: Sequence[str]) -> np.ndarray:
    rows, cols = map(int, size.split("x"))
    return np.stack([observed_mask(name, rows, cols).numpy() for name in names])


def _curve(run: Run) -> dict[str, list[float]]:
    """L_mask averaged over at most `MAX_POINTS` stretches of training, those without a masked entry left out."""
    metrics = run.metrics[["step", "masked_mse"]].dropna()
    stretch = np.arange(len(metrics)) * min(MAX_POINTS, len(metrics)) // max(1, len(metrics))
    averaged = metrics.groupby(stretch).mean()
    return {"step": averaged["step"].tolist(), "masked_mse": averaged["masked_mse"].tolist()}
