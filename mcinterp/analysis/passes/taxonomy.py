"""Head taxonomy: which class each head belongs to, by how well its attention fits, with margins and controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from mcinterp.analysis.conditions import Condition
from mcinterp.analysis.passes.class_labels import AMBIGUOUS, NONE, SCORE_COLUMNS, head_columns, head_row, scored
from mcinterp.analysis.passes.head_patterns import Groups, Measured, Patterns
from mcinterp.analysis.passes.position_blocks import BLOCK_COLUMNS, block_rows
from mcinterp.analysis.registry import check_offered
from mcinterp.analysis.sections import transformer
from mcinterp.analysis.statistics import interval_columns, mean_estimate
from mcinterp.errors import InputError
from mcinterp.model import Head
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint
from mcinterp.task.inside import ClassifiedUnder, HeadClasses


def head_taxonomy(checkpoint: Checkpoint, samples: int = 128, seed: int = 0, **inputs: Any) -> Result:
    """Score every head against every class of the task and name the best that fits.

    A class fits when the lower end of its score's interval is above the threshold (the larger of `THRESHOLD` and the
    best score of any head of an untrained model), and no place is shown to score below uniform attention. Where the
    two best above their thresholds are not told apart, the head is ambiguous.

    Args:
        checkpoint: what to look at.
        samples: of each condition, at least 2.
        seed: of the batches.
        inputs: what to look at in place of the inputs that the task draws, by the name that the task has for such an
            argument, such as `family`; classes that it cannot tell are scored as without it.

    Returns:
        tables `heads` (label, runner-up and margin, for each kind of class), `scores` (every class, with controls) and,
        where the task groups positions, `blocks`; arrays with the attention by block of every grouping and the ends
        of its 95 % interval.
    """
    if samples < 2:
        raise InputError(f"head_taxonomy: samples must be at least 2, got {samples}")
    check_offered("taxonomy", checkpoint.config)
    task, shape = checkpoint.task, transformer(checkpoint.config)
    condition, groups = Condition.of("head_taxonomy", task, inputs), position_groups(task)
    classes = _classes(task, condition)
    untrained = Checkpoint.untrained(checkpoint.config, seed + 1, checkpoint.device)
    patterns = Patterns.of_checkpoint(checkpoint, classes, samples, seed)
    result = taxonomy_result(
        [str(Head(*pair)) for pair in product(range(shape.n_layers), range(shape.n_heads))],
        task,
        classes,
        Measured.of(patterns, classes, groups),
        uniform=Measured.of(Patterns.of_uniform_head(patterns.inputs, shape.causal), classes, groups),
        untrained=Measured.of(Patterns.of_checkpoint(untrained, classes, samples, seed), classes, groups),
        settings={"samples": samples, "seed": seed},
    )
    return condition.stated(result, checkpoint)


def _classes(task: Any, condition: Condition) -> HeadClasses:
    """The task's classes, scored on the inputs of a condition where there is one."""
    if condition.kind and isinstance(task, ClassifiedUnder):
        return task.head_classes_under(condition.name, condition.family)
    if condition.kind:
        raise InputError(f"head_taxonomy: the classes have inputs of their own, which no {condition.kind} replaces")
    return task.head_classes()


def position_groups(task: Any) -> Groups:
    """By what positions are grouped, and the group of each; nothing where they are not."""
    return task.position_groups() if hasattr(task, "position_groups") else {}


def taxonomy_result(
    heads: Sequence[str],
    task: Any,
    classes: HeadClasses,
    own: Measured,
    uniform: Measured,
    untrained: Measured | None,
    settings: Mapping[str, int],
) -> Result:
    """What was measured of heads as a result.

    Args:
        heads: names.
        task: what samples are called.
        classes: of the heads.
        own: of the heads.
        uniform: of a head that attends uniformly.
        untrained: of an untrained model's heads; None where there is no model.
        settings: number of samples and seed.
    """
    about = {"n": settings["samples"], "seed": settings["seed"]}
    found = scored(classes, own, uniform, untrained)
    labels = [head_row(index, head, found, about) for index, head in enumerate(heads)]
    tables = {
        "heads": Table.of(head_columns(classes.kinds, task.sample_names[1]), labels),
        "scores": Table.of(SCORE_COLUMNS, [one.row(index, head) for index, head in enumerate(heads) for one in found]),
    }
    rows = [
        row
        for name, blocks in own.blocks.items()
        for row in block_rows(
            heads, name, blocks, uniform.blocks[name][0, 0], untrained.blocks[name] if untrained else None, about
        )
    ]
    if rows:
        tables["blocks"] = Table.of(BLOCK_COLUMNS, rows)
    told = {"masks": list(classes.conditions), "unscored": dict(classes.unscored)}
    facts = {**kind_facts(classes), **told, **_block_facts(uniform)}
    return Result("taxonomy", "Head taxonomy", settings, facts, tables, _block_arrays(own))


def _block_arrays(own: Measured) -> dict[str, np.ndarray]:
    """Attention by block of every grouping, (head, group of query, group of key), with its interval."""
    arrays = {}
    for name, blocks in own.blocks.items():
        found = mean_estimate(blocks)
        for end, values in (("", found.value), ("_low", found.low), ("_high", found.high)):
            arrays[f"{name}_blocks{end}"] = values.astype(np.float32)
    return arrays


def _block_facts(uniform: Measured) -> dict[str, Any]:
    """What uniform attention has on every block, by grouping, and the axes of the arrays."""
    axes = ["head", "group of query", "group of key"]
    names = [name for grouping in uniform.blocks for name in interval_columns(f"{grouping}_blocks", "")]
    return {
        "uniform_blocks": {name: blocks[0, 0].tolist() for name, blocks in uniform.blocks.items()},
        "axes": dict.fromkeys(names, axes),
    }


def kind_facts(classes: HeadClasses) -> dict[str, Any]:
    """What a page has to know of a task's kinds of classes."""
    return {
        "kinds": {kind: list(names) for kind, names in classes.kinds.items()},
        "kind_words": {kind: list(words) for kind, words in classes.kind_words.items()},
    }


def class_members(taxonomy: Result) -> dict[str, list[Head]]:
    """Heads of each class; those without any, and ambiguous ones, are in none.

    Returns:
        class → heads; classes without any head have an empty list.
    """
    table, kinds = taxonomy.table("heads"), taxonomy.facts["kinds"]
    members: dict[str, list[Head]] = {name: [] for classes in kinds.values() for name in classes}
    for kind in kinds:
        for head, label in zip(table["head"], table[kind], strict=True):
            if label not in (NONE, AMBIGUOUS):
                members[label].append(Head.parse(head))
    return members
