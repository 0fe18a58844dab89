"""Attention, written from their definitions, matrix by matrix and head by head."""

from __future__ import annotations

from itertools import product

import numpy as np
from slow_encoder import Trace, run_slowly
from slow_statistics import interval, mean

from mcinterp.results import Result
from mcinterp.runs import Checkpoint
from mcinterp.studies.matrix_completion.task.batch import MatrixBatch

Rows = list[dict[str, object]]
Pair = tuple[int, int]


def heads_of(checkpoint: Checkpoint) -> list[Pair]:
    shape = checkpoint.config.model
    return list(product(range(shape.n_layers), range(shape.n_heads)))


def name_of(pair: Pair) -> str:
    return f"L{pair[0]}H{pair[1]}"


def traces(checkpoint: Checkpoint, batch: MatrixBatch) -> list[Trace]:
    return [run_slowly(checkpoint, tokens) for tokens in batch.inputs.numpy()]


def uniform_map(checkpoint: Checkpoint) -> np.ndarray:
    """Equal attention to every key that a query may see."""
    n_pos = checkpoint.config.task.n_positions
    seen = np.ones((n_pos, n_pos))
    if checkpoint.config.model.architecture == "gpt":
        seen = np.tril(seen)
    return seen / seen.sum(1, keepdims=True)


def slow_attention(checkpoint: Checkpoint, result: Result, n: int, seed: int) -> dict[str, Rows]:
    rows: Rows = []
    uniform = uniform_map(checkpoint)
    for mask in result.facts["masks"]:
        batch = checkpoint.sample(n, seed, None if mask == "random" else mask)
        run, tokens = traces(checkpoint, batch), batch.inputs.numpy()
        for pair in heads_of(checkpoint):
            maps = np.array([trace.patterns[pair] for trace in run])
            logs = np.log(np.where(maps > 0, maps, 1.0))
            on_masked = [own[:, where == 0].sum(1).mean() for own, where in zip(maps, tokens, strict=True)]
            first, second = maps[: n // 2].mean(0), maps[n // 2 :].mean(0)
            rows.append(
                {
                    "mask": mask,
                    "head": name_of(pair),
                    "n": n,
                    "seed": seed,
                    **mean("entropy", -(maps * logs).sum(2).mean(1)),
                    **mean("self_mass", np.array([np.diag(own).mean() for own in maps])),
                    **mean("masked_mass", on_masked),
                    "distance_from_uniform": np.abs(maps.mean(0) - uniform).sum(1).mean() / 2,
                    "split_half_distance": np.abs(first - second).sum(1).mean() / 2,
                }
            )
    return {"heads": rows}


def slow_maps(checkpoint: Checkpoint, result: Result, n: int, seed: int) -> dict[str, np.ndarray]:
    """The arrays of the attention pass."""
    shape = checkpoint.config.model
    maps, lows, highs, observed = [], [], [], []
    for mask in result.facts["masks"]:
        batch = checkpoint.sample(n, seed, None if mask == "random" else mask)
        run = traces(checkpoint, batch)
        each = np.array([[trace.patterns[pair] for pair in heads_of(checkpoint)] for trace in run])
        each = each.reshape(n, shape.n_layers, shape.n_heads, *each.shape[2:])
        maps.append(each.mean(0))
        ends = np.apply_along_axis(lambda cell: interval(cell.mean(), cell - cell.mean()), 0, each)
        lows.append(np.maximum(ends[0], 0))
        highs.append(np.minimum(ends[1], 1))
        observed.append(batch.observed.numpy().mean(0).reshape(batch.shape))
    found = {"maps": maps, "lows": lows, "highs": highs, "observed": observed}
    return {name: np.array(arrays) for name, arrays in found.items()}
