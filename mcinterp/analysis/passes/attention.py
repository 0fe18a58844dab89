"""Attention maps: softmax probabilities of every head, averaged over samples, under random and structured masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mcinterp.analysis.sections import matrix_task, transformer
from mcinterp.analysis.statistics import Floats, RunningMean, interval_columns, mean_estimate
from mcinterp.analysis.structured import viewer_masks
from mcinterp.config import TaskConfig
from mcinterp.errors import InputError
from mcinterp.model import Head
from mcinterp.model.blocks import Blocks
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
    task = matrix_task(checkpoint.config)
    blocks = Blocks(checkpoint.model)
    masks = [RANDOM, *viewer_masks(task.rows, task.cols)] if masks is None else list(masks)
    uniform = uniform_attention(task.n_positions, transformer(checkpoint.config).causal)
    maps, half_widths, observed, masked_mass, rows = [], [], [], [], []
    for mask in masks:
        batch = checkpoint.sample(samples, seed, None if mask == RANDOM else mask)
        layers = _attention(blocks, batch)
        cells = [layer.cells.estimate() for layer in layers]
        maps.append([layer.value for layer in cells])
        half_widths.append([layer.high - layer.value for layer in cells])
        observed.append(batch.observed.float().mean(0).view(task.rows, task.cols).cpu().numpy())
        masked_mass.append(float((uniform @ _masked_keys(batch).mean(0).cpu()).mean()))
        about = {"n": samples, "seed": seed}
        rows += [row for number, layer in enumerate(layers) for row in layer.rows(mask, number, uniform, about)]
    n_layers, n_heads = transformer(checkpoint.config).n_layers, transformer(checkpoint.config).n_heads
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


@dataclass
class _Layer:
    """What is kept of the attention of a layer's heads while the batch goes by.

    Attributes:
        cells: of every cell of the maps.
        first_half: the maps of the first half of the batch, summed.
        entropy: for each part of the batch, (n, head).
        self_mass: the same.
        masked_mass: the same.
    """

    cells: RunningMean = field(default_factory=RunningMean)
    first_half: Floats = field(default_factory=lambda: np.zeros(()))
    entropy: list[Floats] = field(default_factory=list)
    self_mass: list[Floats] = field(default_factory=list)
    masked_mass: list[Floats] = field(default_factory=list)

    def add(self, patterns: Tensor, masked: Tensor, n_first: int) -> None:
        """Take in patterns (n, head, query, key) with masked keys (n, key); `n_first` belong to the first half."""
        each = patterns.double().cpu().numpy()
        self.cells.add(each)
        self.first_half = self.first_half + each[:n_first].sum(0)
        self.entropy.append(_double(torch.special.entr(patterns).sum(-1).mean(-1)))
        self.self_mass.append(_double(patterns.diagonal(dim1=-2, dim2=-1).mean(-1)))
        self.masked_mass.append(_double((patterns.mean(2) @ masked[:, :, None])[..., 0]))

    def rows(self, mask: str, layer: int, uniform: Tensor, about: dict[str, int]) -> list[dict[str, Any]]:
        """A row of the table for each head."""
        average, n = self.cells.estimate().value, about["n"]
        first = self.first_half / (n // 2)
        second = (average * n - self.first_half) / (n - n // 2)
        from_uniform, halves = _total_variation(average, uniform.double().numpy()), _total_variation(first, second)
        measures = {name: mean_estimate(np.concatenate(getattr(self, name))) for name in _MEASURES}
        return [
            {
                "mask": mask,
                "head": str(Head(layer, head)),
                **about,
                **{key: value for name in _MEASURES for key, value in measures[name].columns(name, head).items()},
                "distance_from_uniform": float(from_uniform[head]),
                "split_half_distance": float(halves[head]),
            }
            for head in range(len(average))
        ]


_MEASURES = ("entropy", "self_mass", "masked_mass")


def _attention(blocks: Blocks, batch: MatrixBatch) -> list[_Layer]:
    """Every layer's attention, part by part of the batch."""
    layers = [_Layer() for _ in blocks.blocks]
    masked, half = _masked_keys(batch), len(batch) // 2
    n_heads, n_pos = blocks.blocks[0].n_heads, batch.inputs.shape[1]
    # One layer's patterns in float64, and their distances from the mean.
    for matrices in blocks.parts(len(batch), kept=4 * n_heads * n_pos):
        n_first = min(max(half - matrices.start, 0), matrices.stop - matrices.start)
        for layer, patterns in zip(layers, blocks.patterns(batch.inputs[matrices]), strict=True):
            layer.add(patterns, masked[matrices], n_first)
    return layers


def _masked_keys(batch: MatrixBatch) -> Tensor:
    """1 at every position that holds MASK, (n, pos), float32."""
    return (batch.inputs == MASK_TOKEN).float()


def _double(values: Tensor) -> Floats:
    return values.double().cpu().numpy()


def _total_variation(p: Floats, q: Floats) -> Floats:
    """Half the L1 distance of two maps, averaged over queries: (…, query, key) to (…)."""
    return np.asarray(np.abs(p - q).sum(-1).mean(-1) / 2)
