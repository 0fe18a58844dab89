"""Head taxonomy: which class each head belongs to, by how well its attention fits, with margins and controls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mcinterp.analysis.registry import check_offered
from mcinterp.analysis.sections import transformer
from mcinterp.analysis.statistics import Estimate, Floats, interval_columns, mean_estimate
from mcinterp.errors import InputError
from mcinterp.model import Head
from mcinterp.model.blocks import Blocks
from mcinterp.model.interventions import uniform_attention
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint
from mcinterp.task.inside import HeadClasses

THRESHOLD = 0.3
"""A class fits when its score's interval lies above this and above every head of an untrained model."""
NONE = "none"
PatternsOf = Callable[[slice], Iterator[Sequence[Tensor]]]
"""From some of the samples to their patterns, layer by layer, under each condition: (sample, head, query, key)."""
BYTES = 2**30
"""Memory meant for the patterns of a layer under all conditions. Where it is not enough, the model runs twice, part by
part: for the average pattern, and for the scores."""

SCORE_COLUMNS = {
    "head": "layer and head, from 0",
    "kind": "kind of class",
    "class": "the class",
    **interval_columns("score", "0 for uniform attention, 1 for a perfect member"),
    "uniform": "control: score of a head that attends uniformly",
    "untrained": "control: mean score of an untrained model's heads",
    "untrained_max": "… the largest of them",
    "threshold": "what the interval must lie above for the class to fit",
    "fits": "whether it does",
}


def head_columns(kinds: Mapping[str, Sequence[str]], sample_name: str) -> dict[str, str]:
    """Columns of the table `heads`, for a task's kinds of classes."""
    columns = {"head": "layer and head, from 0"}
    for kind, classes in kinds.items():
        columns |= {
            kind: f"best-fitting of {', '.join(classes)}; or none",
            f"{kind}_runner_up": "the next best",
            f"{kind}_margin": "score of the best minus that of the next best",
        }
    return {**columns, "n": f"{sample_name} a family of inputs", "seed": "seed of the batches"}


def head_taxonomy(checkpoint: Checkpoint, samples: int = 128, seed: int = 0) -> Result:
    """Score every head against every class of the task and name the best that fits.

    A class fits when the lower end of its score's interval is above the threshold: the larger of `THRESHOLD` and the
    best score of any head of an untrained model.

    Returns:
        tables `heads` (label, runner-up, margin, for each kind of class) and `scores` (every class, with controls).
    """
    if samples < 2:
        raise InputError(f"head_taxonomy: samples must be at least 2, got {samples}")
    check_offered("taxonomy", checkpoint.config)
    task, shape = checkpoint.task, transformer(checkpoint.config)
    classes = task.head_classes()
    heads = [Head(*pair) for pair in product(range(shape.n_layers), range(shape.n_heads))]
    untrained = Checkpoint.untrained(checkpoint.config, seed=seed + 1)
    rows = _score_rows(
        heads,
        classes.kinds,
        _scores_of(checkpoint, classes, samples, seed),
        uniform=_scores_of_uniform_head(checkpoint, classes),
        untrained=_scores_of(untrained, classes, samples, seed),
    )
    about = {"n": samples, "seed": seed}
    labels = [_head_row(head, classes.kinds, rows, about) for head in heads]
    return Result(
        "taxonomy",
        "Head taxonomy",
        {"samples": samples, "seed": seed},
        {**kind_facts(classes), "masks": list(classes.conditions)},
        {
            "heads": Table.of(head_columns(classes.kinds, task.sample_names[1]), labels),
            "scores": Table.of(SCORE_COLUMNS, rows),
        },
    )


def kind_facts(classes: HeadClasses) -> dict[str, Any]:
    """What a page has to know of a task's kinds of classes."""
    return {
        "kinds": {kind: list(names) for kind, names in classes.kinds.items()},
        "kind_words": {kind: list(words) for kind, words in classes.kind_words.items()},
    }


def class_members(taxonomy: Result) -> dict[str, list[Head]]:
    """Heads of each class, `none` left out; classes without any head have an empty list."""
    table, kinds = taxonomy.table("heads"), taxonomy.facts["kinds"]
    members: dict[str, list[Head]] = {name: [] for classes in kinds.values() for name in classes}
    for kind in kinds:
        for head, label in zip(table["head"], table[kind], strict=True):
            if label != NONE:
                members[label].append(Head.parse(head))
    return members


def _scores(
    classes: HeadClasses, inputs: Sequence[Tensor], patterns_of: PatternsOf, parts: Sequence[slice]
) -> dict[str, Floats]:
    """Every class's scores, each (sample, head)."""
    averages = _averages(patterns_of, parts) if len(parts) > 1 else None
    by_part = [_part_scores(classes, [each[part] for each in inputs], patterns_of(part), averages) for part in parts]
    scores = classes.of_all({name: torch.cat([part[name] for part in by_part]) for name in by_part[0]})
    return {name: score.double().cpu().numpy() for name, score in scores.items()}


def _averages(patterns_of: PatternsOf, parts: Sequence[slice]) -> list[Tensor]:
    """Each layer's average pattern over all samples and conditions, (head, query, key)."""
    n = parts[-1].stop
    shares = [
        [average_pattern(list(layer)) * ((part.stop - part.start) / n) for layer in patterns_of(part)] for part in parts
    ]
    return [torch.stack(layer).sum(0) for layer in zip(*shares, strict=True)]


def average_pattern(under_each: list[Tensor]) -> Tensor:
    """The mean over samples and conditions, (head, query, key), of patterns (sample, head, query, key)."""
    return torch.stack([patterns.mean(0) for patterns in under_each]).mean(0)


def _part_scores(
    classes: HeadClasses,
    inputs: Sequence[Tensor],
    layers: Iterator[Sequence[Tensor]],
    averages: Sequence[Tensor] | None,
) -> dict[str, Tensor]:
    """The scores of some of the samples, heads of all layers in one axis; averages as `_averages` gives them."""
    by_layer = [
        classes.layer_scores(layer, inputs, averages[index] if averages else average_pattern(list(layer)))
        for index, layer in enumerate(layers)
    ]
    return {name: torch.cat([scores[name] for scores in by_layer], dim=1) for name in by_layer[0]}


def _scores_of(checkpoint: Checkpoint, classes: HeadClasses, samples: int, seed: int) -> dict[str, Floats]:
    """`_scores` of the checkpoint's attention on the same samples under all conditions."""
    shape, n_pos = transformer(checkpoint.config), checkpoint.model.n_positions
    blocks = Blocks(checkpoint.model)
    inputs = [checkpoint.sample(samples, seed, **choice).inputs for choice in classes.conditions.values()]
    # Two layers' patterns, as one layer's are given up when the next one's are there, and the residual stream.
    one_condition = 4 * n_pos * (2 * shape.n_heads * n_pos + shape.d_model)
    size = max(1, BYTES // (len(inputs) * one_condition))
    parts = [slice(start, min(start + size, samples)) for start in range(0, samples, size)]

    def patterns_of(part: slice) -> Iterator[Sequence[Tensor]]:
        # All conditions side by side, so that all patterns of a layer are there together.
        return zip(*(blocks.patterns(each[part]) for each in inputs), strict=True)

    return _scores(classes, inputs, patterns_of, parts)


def _scores_of_uniform_head(checkpoint: Checkpoint, classes: HeadClasses) -> dict[str, Floats]:
    """`_scores` of one head that attends uniformly to what it may see, whatever the input."""
    inputs = [checkpoint.sample(2, 0, **choice).inputs[:1].cpu() for choice in classes.conditions.values()]
    uniform = uniform_attention(checkpoint.model.n_positions, transformer(checkpoint.config).causal)[None, None]
    return _scores(classes, inputs, lambda part: iter([[uniform] * len(inputs)]), [slice(0, 1)])


def _score_rows(
    heads: list[Head],
    kinds: Mapping[str, Sequence[str]],
    scores: Mapping[str, Floats],
    uniform: Mapping[str, Floats],
    untrained: Mapping[str, Floats],
) -> list[dict[str, Any]]:
    estimates = {name: mean_estimate(score) for name, score in scores.items()}
    controls = {name: (float(uniform[name].mean()), untrained[name].mean(0)) for name in scores}
    return [
        _score_row(index, head, kind, name, estimates[name], *controls[name])
        for index, head in enumerate(heads)
        for kind, classes in kinds.items()
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


def _head_row(
    head: Head, kinds: Iterable[str], rows: Iterable[Mapping[str, Any]], about: Mapping[str, int]
) -> dict[str, Any]:
    row: dict[str, Any] = {"head": str(head)}
    own = [one for one in rows if one["head"] == str(head)]
    for kind in kinds:
        label, runner_up, margin = _label([one for one in own if one["kind"] == kind])
        row |= {kind: label, f"{kind}_runner_up": runner_up, f"{kind}_margin": margin}
    return {**row, **about}


def _label(scored: list[Mapping[str, Any]]) -> tuple[str, str, float]:
    """Best class that fits, the next best class, and by how much; `none` and the nearest class where none fits."""
    ranked = sorted(scored, key=lambda one: (one["fits"], one["score"]), reverse=True)
    best, second = ranked[0], ranked[1]
    if not best["fits"]:
        return NONE, best["class"], float(np.nan)
    return best["class"], second["class"], best["score"] - second["score"]
