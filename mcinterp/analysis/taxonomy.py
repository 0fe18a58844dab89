"""Head taxonomy: which class each head belongs to, by how well its attention fits, with margins and controls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mcinterp.analysis.head_scores import CLASSES, FAMILIES, GROUPS, MaskedPatterns, family_scores, group_scores
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
PatternsUnder = Callable[[str | None], Iterator[Tensor]]
"""From the name of a mask (None for random masks) to the attention patterns under it, layer by layer, each (sample,
head, query, key)."""

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
        _scores(task, _patterns_of(checkpoint, samples, seed)),
        uniform=_scores(task, _uniform_head(task)),
        untrained=_scores(task, _patterns_of(untrained, samples, seed)),
    )
    return Result(
        "taxonomy",
        "Head taxonomy",
        {"samples": samples, "seed": seed},
        {
            "families": list(FAMILIES),
            "groups": list(GROUPS),
            "masks": ["random", *masked_row_masks(task.rows, task.cols), *column_run_masks(task.rows, task.cols)],
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


def _scores(task: TaskConfig, patterns_under: PatternsUnder) -> dict[str, Floats]:
    """Every class's scores, each (sample, head)."""
    masks = [*masked_row_masks(task.rows, task.cols), *column_run_masks(task.rows, task.cols)]
    # All masks' passes side by side, so that the patterns of one layer are held at a time.
    layers = zip(*(patterns_under(mask) for mask in (None, *masks)), strict=True)
    by_layer = [_layer_scores(task, random, dict(zip(masks, masked, strict=True))) for random, *masked in layers]
    return {name: np.concatenate([scores[name] for scores in by_layer], axis=1) for name in by_layer[0]}


def _layer_scores(task: TaskConfig, random: Tensor, patterns: Mapping[str, Tensor]) -> dict[str, Floats]:
    """One layer's scores, from its patterns under random masks and under each structured one."""
    under = {mask: MaskedPatterns(own, observed_mask(mask, task.rows, task.cols)) for mask, own in patterns.items()}
    masked_rows = [under[mask] for mask in masked_row_masks(task.rows, task.cols)]
    runs = {
        int(mask.removeprefix("column-run:").partition("@")[0]): under[mask]
        for mask in column_run_masks(task.rows, task.cols)
    }
    scores = family_scores(random, task.rows, task.cols) | group_scores(masked_rows, runs, random)
    return {name: score.double().cpu().numpy() for name, score in scores.items()}


def _patterns_of(checkpoint: Checkpoint, samples: int, seed: int) -> PatternsUnder:
    """The checkpoint's attention on the same matrices under any mask."""
    blocks = Blocks(checkpoint.encoder)
    return lambda mask: blocks.patterns(checkpoint.sample(samples, seed, mask).inputs)


def _uniform_head(task: TaskConfig) -> PatternsUnder:
    """One head that attends uniformly, whatever the mask."""
    patterns = torch.full((1, 1, task.n_positions, task.n_positions), 1 / task.n_positions)
    return lambda mask: iter([patterns])


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
