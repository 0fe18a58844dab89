"""Head taxonomy: which class each head belongs to, by how well its attention fits, with margins and controls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mcinterp.analysis.head_scores import (
    CLASSES,
    FAMILIES,
    GROUPS,
    LONGEST_RUN,
    MaskedPatterns,
    average_pattern,
    family_scores,
    group_scores_by_run,
    of_worst_run,
)
from mcinterp.analysis.sections import matrix_task, transformer
from mcinterp.analysis.statistics import Estimate, Floats, interval_columns, mean_estimate
from mcinterp.analysis.structured import column_run_masks, masked_row_masks
from mcinterp.config import TaskConfig
from mcinterp.errors import InputError
from mcinterp.model import Head
from mcinterp.model.blocks import Blocks
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint
from mcinterp.task.masks import observed_mask

THRESHOLD = 0.3
"""A class fits when its score's interval lies above this and above every head of an untrained model."""
NONE = "none"
_KINDS = {"family": FAMILIES, "group": GROUPS}
PatternsOf = Callable[[slice], Iterator[Sequence[Tensor]]]
"""From some of the matrices to their patterns, layer by layer, under each mask: (sample, head, query, key)."""
BYTES = 2**30
"""Memory meant for the patterns of a layer under all masks. Where it is not enough, the model runs twice, part by part:
for the average pattern, and for the scores."""

HEAD_COLUMNS = {
    "head": "layer and head, from 0",
    "family": "best-fitting of row, column, identity under random masks, or none",
    "family_runner_up": "the next best",
    "family_margin": "score of the best minus that of the next best",
    "group": "best-fitting of the five groups under structured masks, or none",
    "group_runner_up": "the next best",
    "group_margin": "score of the best minus that of the next best",
    "n": "matrices a mask",
    "seed": "seed of the batches",
}
SCORE_COLUMNS = {
    "head": "layer and head, from 0",
    "kind": "family or group",
    "class": "the class",
    **interval_columns("score", "0 for uniform attention, 1 for a perfect member"),
    "uniform": "control: score of a head that attends uniformly",
    "untrained": "control: mean score of an untrained model's heads",
    "untrained_max": "… the largest of them",
    "threshold": "what the interval must lie above for the class to fit",
    "fits": "whether it does",
}


def head_taxonomy(checkpoint: Checkpoint, samples: int = 128, seed: int = 0) -> Result:
    """Score every head against every class and name the best that fits.

    The scores are defined in `mcinterp.analysis.head_scores`. A class fits when the lower end of its score's interval
    is above the threshold: the larger of `THRESHOLD` and the best score of any head of an untrained model.

    Returns:
        tables `heads` (label, runner-up, margin, for family and group) and `scores` (every class, with controls).
    """
    if samples < 2:
        raise InputError(f"head_taxonomy: samples must be at least 2, got {samples}")
    task, shape = matrix_task(checkpoint.config), transformer(checkpoint.config)
    heads = [Head(*pair) for pair in product(range(shape.n_layers), range(shape.n_heads))]
    untrained = Checkpoint.untrained(checkpoint.config, seed=seed + 1)
    rows = _score_rows(
        heads,
        _scores_of(checkpoint, samples, seed),
        uniform=_scores_of_uniform_head(task),
        untrained=_scores_of(untrained, samples, seed),
    )
    return Result(
        "taxonomy",
        "Head taxonomy",
        {"samples": samples, "seed": seed},
        {
            "families": list(FAMILIES),
            "groups": list(GROUPS),
            "masks": [mask or "random" for mask in _masks(task)],
        },
        {
            "heads": Table.of(HEAD_COLUMNS, [_head_row(head, rows, samples, seed) for head in heads]),
            "scores": Table.of(SCORE_COLUMNS, rows),
        },
    )


def class_members(taxonomy: Result) -> dict[str, list[Head]]:
    """Heads of each family and group, `none` left out; classes without any head have an empty list."""
    table = taxonomy.table("heads")
    members: dict[str, list[Head]] = {name: [] for name in CLASSES}
    for kind in _KINDS:
        for head, label in zip(table["head"], table[kind], strict=True):
            if label != NONE:
                members[label].append(Head.parse(head))
    return members


def _scores(task: TaskConfig, patterns_of: PatternsOf, parts: Sequence[slice]) -> dict[str, Floats]:
    """Every class's scores, each (sample, head)."""
    averages = _averages(patterns_of, parts) if len(parts) > 1 else None
    by_part = [_part_scores(task, patterns_of(part), averages) for part in parts]
    scores = {name: torch.cat([part[name] for part in by_part]) for name in by_part[0]}
    scores[LONGEST_RUN] = of_worst_run(scores[LONGEST_RUN])
    return {name: score.double().cpu().numpy() for name, score in scores.items()}


def _averages(patterns_of: PatternsOf, parts: Sequence[slice]) -> list[Tensor]:
    """Each layer's average pattern over all matrices and masks, (head, query, key)."""
    n = parts[-1].stop
    shares = [
        [average_pattern(list(layer)) * ((part.stop - part.start) / n) for layer in patterns_of(part)] for part in parts
    ]
    return [torch.stack(layer).sum(0) for layer in zip(*shares, strict=True)]


def _part_scores(
    task: TaskConfig, layers: Iterator[Sequence[Tensor]], averages: Sequence[Tensor] | None
) -> dict[str, Tensor]:
    """The scores of some of the matrices, heads of all layers in one axis; averages as `_averages` gives them."""
    by_layer = [
        _layer_scores(task, layer, averages[index] if averages else average_pattern(list(layer)))
        for index, layer in enumerate(layers)
    ]
    return {name: torch.cat([scores[name] for scores in by_layer], dim=1) for name in by_layer[0]}


def _layer_scores(task: TaskConfig, patterns: Sequence[Tensor], average: Tensor) -> dict[str, Tensor]:
    """One layer's scores, from its patterns under each of `_masks`."""
    random = patterns[0]
    under = {
        mask: MaskedPatterns(own, observed_mask(mask, task.rows, task.cols))
        for mask, own in zip(_masks(task), patterns, strict=True)
        if mask is not None
    }
    masked_rows = [under[mask] for mask in masked_row_masks(task.rows, task.cols)]
    runs = {
        int(mask.removeprefix("column-run:").partition("@")[0]): under[mask]
        for mask in column_run_masks(task.rows, task.cols)
    }
    return family_scores(random, task.rows, task.cols) | group_scores_by_run(masked_rows, runs, random, average)


def _masks(task: TaskConfig) -> list[str | None]:
    """Random masks, which have no name, and the structured ones."""
    return [None, *masked_row_masks(task.rows, task.cols), *column_run_masks(task.rows, task.cols)]


def _scores_of(checkpoint: Checkpoint, samples: int, seed: int) -> dict[str, Floats]:
    """`_scores` of the checkpoint's attention on the same matrices under all masks."""
    task, shape = matrix_task(checkpoint.config), transformer(checkpoint.config)
    blocks = Blocks(checkpoint.encoder)
    inputs = [checkpoint.sample(samples, seed, mask).inputs for mask in _masks(task)]
    # Two layers' patterns, as one layer's are given up when the next one's are there, and the residual stream.
    one_mask = 4 * task.n_positions * (2 * shape.n_heads * task.n_positions + shape.d_model)
    size = max(1, BYTES // (len(inputs) * one_mask))
    parts = [slice(start, min(start + size, samples)) for start in range(0, samples, size)]
    # All masks side by side, so that all patterns of a layer are there together.
    return _scores(task, lambda part: zip(*(blocks.patterns(each[part]) for each in inputs), strict=True), parts)


def _scores_of_uniform_head(task: TaskConfig) -> dict[str, Floats]:
    """`_scores` of one head that attends uniformly, whatever the mask."""
    patterns = torch.full((1, 1, task.n_positions, task.n_positions), 1 / task.n_positions)
    return _scores(task, lambda part: iter([[patterns] * len(_masks(task))]), [slice(0, 1)])


def _score_rows(
    heads: list[Head],
    scores: Mapping[str, Floats],
    uniform: Mapping[str, Floats],
    untrained: Mapping[str, Floats],
) -> list[dict[str, Any]]:
    estimates = {name: mean_estimate(score) for name, score in scores.items()}
    controls = {name: (float(uniform[name].mean()), untrained[name].mean(0)) for name in scores}
    return [
        _score_row(index, head, kind, name, estimates[name], *controls[name])
        for index, head in enumerate(heads)
        for kind, classes in _KINDS.items()
        for name in classes
    ]


def _score_row(
    index: int, head: Head, kind: str, name: str, estimate: Estimate, uniform: float, untrained: Floats
) -> dict[str, Any]:
    threshold = max(THRESHOLD, float(untrained.max()))
    return {
        "head": str(head),
        "kind": kind,
        "class": name,
        **estimate.columns("score", index),
        "uniform": uniform,
        "untrained": float(untrained.mean()),
        "untrained_max": float(untrained.max()),
        "threshold": threshold,
        "fits": bool(estimate.low[index] > threshold),
    }


def _head_row(head: Head, rows: Iterable[Mapping[str, Any]], samples: int, seed: int) -> dict[str, Any]:
    row: dict[str, Any] = {"head": str(head)}
    own = [entry for entry in rows if entry["head"] == str(head)]
    for kind in _KINDS:
        label, runner_up, margin = _label([entry for entry in own if entry["kind"] == kind])
        row |= {kind: label, f"{kind}_runner_up": runner_up, f"{kind}_margin": margin}
    return {**row, "n": samples, "seed": seed}


def _label(entries: list[Mapping[str, Any]]) -> tuple[str, str, float]:
    """Best class that fits, the next best class, and by how much; `none` and the nearest class where none fits."""
    ranked = sorted(entries, key=lambda entry: (entry["fits"], entry["score"]), reverse=True)
    best, second = ranked[0], ranked[1]
    if not best["fits"]:
        return NONE, best["class"], float(np.nan)
    return best["class"], second["class"], best["score"] - second["score"]
