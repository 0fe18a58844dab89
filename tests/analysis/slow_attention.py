"""Attention and its classes, written from their definitions, matrix by matrix and head by head."""

from __future__ import annotations

from collections.abc import Callable, Iterable
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


def scored(pattern: np.ndarray, queries: Iterable[int], target: Callable[[int], set[int]]) -> float:
    """Attention on target keys above what a uniform head gives them, of what it could be; averaged over queries."""
    found, n_pos = [], len(pattern)
    for query in queries:
        keys = sorted(target(query))
        share = len(keys) / n_pos
        if 0 < share < 1:
            found.append((pattern[query, keys].sum() - share) / (1 - share))
    return float(np.mean(found)) if found else 0.0


class Grid:
    """Positions of a matrix, with the observed ones of a mask."""

    def __init__(self, observed: np.ndarray) -> None:
        rows, cols = observed.shape
        self.places = range(rows * cols)
        self.row = [place // cols for place in self.places]
        self.col = [place % cols for place in self.places]
        self.seen = {place for place in self.places if observed.flat[place]}
        alone = {row for row in range(rows) if observed[row].sum() == 1}
        self.in_masked_row = {place for place in self.places if self.row[place] in alone}

    def row_of(self, place: int) -> set[int]:
        return {other for other in self.places if self.row[other] == self.row[place]}

    def col_of(self, place: int) -> set[int]:
        return {other for other in self.places if self.col[other] == self.col[place]}


def slow_families(pattern: np.ndarray, grid: Grid) -> dict[str, float]:
    return {
        "row": scored(pattern, grid.places, lambda q: grid.row_of(q) - {q}),
        "column": scored(pattern, grid.places, lambda q: grid.col_of(q) - {q}),
        "identity": scored(pattern, grid.places, lambda q: {q}),
    }


def slow_masked_row_groups(pattern: np.ndarray, grid: Grid) -> dict[str, float]:
    elsewhere = [place for place in grid.places if place not in grid.in_masked_row]
    hit = scored(pattern, sorted(grid.in_masked_row - grid.seen), lambda q: grid.row_of(q) & grid.seen)
    busy = max(
        scored(pattern, elsewhere, lambda q: grid.row_of(q) - {q}), scored(pattern, elsewhere, lambda q: {q}), 0.0
    )
    copy = scored(pattern, sorted(grid.seen), lambda q: {q})
    pairs = [(q, key) for q in grid.places for key in grid.col_of(q) - {q}]
    on_seen = [pattern[pair] for pair in pairs if pair[1] in grid.seen]
    on_masked = [pattern[pair] for pair in pairs if pair[1] not in grid.seen]
    told_apart = 1 - min(1.0, np.mean(on_masked) / np.mean(on_seen))
    off = scored(pattern, grid.places, lambda q: (grid.col_of(q) - {q}) & grid.seen)
    collecting = scored(pattern, elsewhere, lambda q: grid.in_masked_row & grid.seen)
    return {
        "masked-row": max(hit, 0.0) * (1 - min(busy, 1.0)),
        "observed-copy": max(0.0, min(hit, copy)),
        "mask-ignore": max(0.0, max(off, 0.0) * told_apart, collecting),
    }


FAMILIES = ("row", "column", "identity")
GROUPS = ("masked-row", "observed-copy", "mask-ignore", "longest-contiguous-column", "input-processing")
Under = dict[str, list[np.ndarray]]
"""By mask, the patterns of one head, a sample each."""


def slow_scores(patterns: Under, grids: dict[str, Grid]) -> dict[str, list[float]]:
    """Every class's score of one head, a sample each."""
    n, plain = len(patterns["random"]), grids["random"]
    families = [slow_families(pattern, plain) for pattern in patterns["random"]]
    found = {name: [own[name] for own in families] for name in FAMILIES}
    masked_rows = [mask for mask in grids if mask.startswith("masked-rows")]
    rows = [[slow_masked_row_groups(own, grids[mask]) for own in patterns[mask]] for mask in masked_rows]
    found |= {name: [float(np.mean([own[i][name] for own in rows])) for i in range(n)] for name in GROUPS[:3]}
    runs = []
    for mask in (m for m in grids if m.startswith("column-run")):
        column = int(mask.split(":")[1].split("@")[0])
        inside = {place for place in plain.places if plain.col[place] == column}
        outside = [place for place in plain.places if place not in inside]
        runs.append([scored(own, outside, lambda q, inside=inside: inside) for own in patterns[mask]])
    found[GROUPS[3]] = [max(0.0, score) for score in min(runs, key=np.mean)] if runs else [0.0] * n
    average = np.mean([np.mean(own, axis=0) for own in patterns.values()], axis=0)
    n_pos = len(average)
    structure = np.abs(average - 1 / n_pos).sum(1).mean() / 2
    moves = [[np.abs(own - average).sum(1).mean() / 2 for own in under] for under in patterns.values()]
    found[GROUPS[4]] = [max(0.0, (structure - move) / (1 - 1 / n_pos)) for move in np.mean(moves, axis=0)]
    return found


def slow_taxonomy(checkpoint: Checkpoint, result: Result, n: int, seed: int) -> dict[str, Rows]:
    masks = result.facts["masks"]
    batches = {mask: checkpoint.sample(n, seed, None if mask == "random" else mask) for mask in masks}
    grids = {mask: Grid(batch.observed[0].numpy().reshape(batch.shape)) for mask, batch in batches.items()}

    def of(model: Checkpoint) -> dict[Pair, dict[str, list[float]]]:
        runs = {mask: traces(model, batch) for mask, batch in batches.items()}
        return {
            pair: slow_scores({mask: [trace.patterns[pair] for trace in run] for mask, run in runs.items()}, grids)
            for pair in heads_of(model)
        }

    own, untrained = of(checkpoint), of(Checkpoint.untrained(checkpoint.config, seed=seed + 1))
    kinds = {"family": FAMILIES, "group": GROUPS}
    scores: Rows = []
    heads: Rows = []
    for pair, found in own.items():
        row: dict[str, object] = {"head": name_of(pair), "n": n, "seed": seed}
        for kind, classes in kinds.items():
            entries = []
            for name in classes:
                controls = [float(np.mean(other[name])) for other in untrained.values()]
                value = mean("score", found[name])
                threshold = max(0.3, max(controls))
                entries.append(
                    {
                        "head": name_of(pair),
                        "kind": kind,
                        "class": name,
                        **value,
                        "uniform": 0.0,
                        "untrained": float(np.mean(controls)),
                        "untrained_max": max(controls),
                        "threshold": threshold,
                        "fits": bool(value["score_low"] > threshold),
                    }
                )
            scores += entries
            best, second, *_ = sorted(entries, key=lambda entry: (entry["fits"], entry["score"]), reverse=True)
            row[kind] = best["class"] if best["fits"] else "none"
            row[f"{kind}_runner_up"] = second["class"] if best["fits"] else best["class"]
            row[f"{kind}_margin"] = best["score"] - second["score"] if best["fits"] else np.nan
        heads.append(row)
    return {"heads": heads, "scores": scores}
