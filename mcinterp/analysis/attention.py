"""Attention maps: softmax probabilities of every head, averaged over samples, under random and structured masks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from mcinterp.analysis.statistics import interval_columns, mean_estimate
from mcinterp.analysis.structured import viewer_masks
from mcinterp.config import TaskConfig
from mcinterp.errors import InputError
from mcinterp.model import Head, Model
from mcinterp.model.interventions import uniform_attention
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint
from mcinterp.task import MatrixBatch
from mcinterp.task.tokens import MASK_TOKEN

RANDOM = "random"
_MAP_AXES = ["mask", "layer", "head", "query", "key"]
COLUMNS = {
    "mask": "mask of the batch; random means fresh masks with probability p_mask",
    "head": "layer and head, from 0",
    "n": "matrices",
    "seed": "seed of the batch",
    **interval_columns("entropy", "entropy of the attention of a query, averaged over queries, nats"),
    **interval_columns("self_mass", "attention of a query on its own position"),
    **interval_columns("masked_mass", "attention on masked keys (in a sequence, those of its first part)"),
    "distance_from_uniform": "total variation between the averaged map and uniform attention (to the keys that a query "
    "may see), 0 to 1",
    "split_half_distance": "control: the same between the maps of two halves of the batch, near 0",
}


def attention_maps(
    checkpoint: Checkpoint, masks: Sequence[str] | None = None, samples: int = 256, seed: int = 0
) -> Result:
    """Average every head's attention over `samples` matrices, under each mask.

    The same matrices are used under every mask.

    Args:
        checkpoint: what to look at.
        masks: `random` or names of `mcinterp.task.masks`; None for random and the default structured ones.
        samples: matrices a mask, at least 2.
        seed: of the batch.

    Returns:
        table `heads`; arrays `maps` (mask, layer, head, query, key) with `half_widths`, half the length of each cell's
        95 % interval, and `observed` (mask, row, col), the fraction of samples in which an entry is observed; facts
        with the name of every position, and what uniform attention would have. Source: Fig. 4 and 5 of arXiv
        2410.22244.
    """
    if samples < 2:
        raise InputError(f"attention_maps: samples must be at least 2, got {samples}")
    task = checkpoint.config.task
    masks = [RANDOM, *viewer_masks(task.rows, task.cols)] if masks is None else list(masks)
    uniform = uniform_attention(task.n_positions, checkpoint.config.model.causal)
    maps, half_widths, observed, masked_mass, rows = [], [], [], [], []
    for mask in masks:
        batch = checkpoint.sample(samples, seed, None if mask == RANDOM else mask)
        patterns = attention_patterns(checkpoint.model, batch.inputs)
        # Layer by layer: in float64 all cells of all samples at once would take gigabytes of a deep model.
        cells = [mean_estimate(layer.cpu().numpy()) for layer in patterns.unbind(1)]
        maps.append([layer.value for layer in cells])
        half_widths.append([layer.high - layer.value for layer in cells])
        observed.append(batch.observed.float().mean(0).view(task.rows, task.cols).cpu().numpy())
        masked_mass.append(float((uniform @ _masked_keys(batch).mean(0).cpu()).mean()))
        rows += _head_rows(mask, patterns, uniform, batch, seed)
    n_layers, n_heads = checkpoint.config.model.n_layers, checkpoint.config.model.n_heads
    return Result(
        "attention",
        "Attention maps",
        {"masks": masks, "samples": samples, "seed": seed},
        {
            "masks": masks,
            "rows": task.rows,
            "cols": task.cols,
            "positions": position_names(task),
            "uniform_entropy": float(torch.special.entr(uniform).sum(-1).mean()),
            "uniform_masked_mass": masked_mass,
            "n_layers": n_layers,
            "n_heads": n_heads,
            "axes": {"maps": _MAP_AXES, "half_widths": _MAP_AXES, "observed": ["mask", "row", "col"]},
        },
        {"heads": Table.of(COLUMNS, rows)},
        {
            "maps": np.stack(maps).astype(np.float32),
            "half_widths": np.stack(half_widths).astype(np.float32),
            "observed": np.stack(observed),
        },
    )


def position_names(task: TaskConfig) -> list[str]:
    """A name for every position: `row,col`; in a sequence `?row,col` in its first part, `sep`, then `=row,col`."""
    entries = [f"{row},{col}" for row in range(task.rows) for col in range(task.cols)]
    if task.kind == "matrix-completion":
        return entries
    return [*(f"?{entry}" for entry in entries), "sep", *(f"={entry}" for entry in entries)]


@torch.no_grad()
def attention_patterns(model: Model, tokens: Tensor) -> Tensor:
    """Softmax probabilities of every head: (batch, layer, head, query, key)."""
    names = [f"blocks.{layer}.attn.hook_pattern" for layer in range(model.cfg.n_layers)]
    wanted = set(names)
    _, cache = model.run_with_cache(tokens, names_filter=lambda name: name in wanted, return_cache_object=False)
    return torch.stack([cache[name] for name in names], dim=1)


def _masked_keys(batch: MatrixBatch) -> Tensor:
    """1 at every position that holds MASK, (n, pos), float32."""
    return (batch.inputs == MASK_TOKEN).float()


def _head_rows(mask: str, patterns: Tensor, uniform: Tensor, batch: MatrixBatch, seed: int) -> list[dict[str, object]]:
    n_samples, n_layers, n_heads = patterns.shape[:3]
    entropy = mean_estimate(torch.special.entr(patterns).sum(-1).mean(-1).double().cpu().numpy())
    self_mass = mean_estimate(patterns.diagonal(dim1=-2, dim2=-1).mean(-1).double().cpu().numpy())
    masked = _masked_keys(batch)
    masked_mass = mean_estimate(torch.einsum("slhqk,sk->slhq", patterns, masked).mean(-1).double().cpu().numpy())
    average = patterns.mean(0)
    from_uniform = _total_variation(average, uniform.to(average))
    halves = _total_variation(patterns[: n_samples // 2].mean(0), patterns[n_samples // 2 :].mean(0))
    return [
        {
            "mask": mask,
            "head": str(Head(layer, head)),
            "n": n_samples,
            "seed": seed,
            **entropy.columns("entropy", (layer, head)),
            **self_mass.columns("self_mass", (layer, head)),
            **masked_mass.columns("masked_mass", (layer, head)),
            "distance_from_uniform": float(from_uniform[layer, head]),
            "split_half_distance": float(halves[layer, head]),
        }
        for layer in range(n_layers)
        for head in range(n_heads)
    ]


def _total_variation(p: Tensor, q: Tensor) -> Tensor:
    """Half the L1 distance of two maps, averaged over queries: (…, query, key) to (…)."""
    return (p - q).abs().sum(-1).mean(-1) / 2
