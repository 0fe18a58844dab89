"""Activation patching: heads' outputs of one input put into the run on its counterpart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from mcinterp.analysis.conditions import Condition
from mcinterp.analysis.registry import check_offered
from mcinterp.analysis.sample_scores import SampleScores, parts_of, score_facts
from mcinterp.analysis.sections import transformer
from mcinterp.analysis.statistics import interval_columns
from mcinterp.errors import InputError
from mcinterp.model import Head, HeadSet
from mcinterp.model.head_sweep import HeadChange, HeadSweep
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint

_SOURCE, _BASE, _OTHER = "source", "base", "another source"


def columns(task: Any) -> dict[str, str]:
    """Columns of the table `patching`, for a task."""
    unit, said = task.score_unit, task.unit_words[0]
    parts = ", ".join(parts_of(task))
    return {
        "direction": "whose z goes into whose run",
        "group": "name of the set of heads, or of the control",
        "heads": "its heads, layer and head from 0",
        "kind": "all, layer, head, custom or control",
        "entries": parts,
        "n": task.sample_names[1],
        "seed": "seed of the batch",
        **interval_columns(
            f"{unit}_to_source", f"{said} of the patched answers, scored as answers to the input that z came from"
        ),
        **interval_columns(
            f"{unit}_to_base",
            f"{said} of the patched answers, scored as answers to the input that the model was run on",
        ),
        **interval_columns("nearer", f"{unit}_to_base − {unit}_to_source, paired: positive is nearer to the source"),
    }


def patching(
    checkpoint: Checkpoint, heads: Sequence[str] | None = None, samples: int = 256, seed: int = 0, **inputs: Any
) -> Result:
    """Run the model on an input's counterpart while z, the output before W_O, of chosen heads is that of the input.

    And the other way. Two controls patch all heads: with the base run's own z (the output must not change, so that its
    score as an answer to the base stays the clean one) and with z of another sample (which carries nothing of the
    source, so that the output must not come nearer to it).

    Args:
        checkpoint: what to look at.
        heads: sets, as `HeadSet.parse` reads them; None for all heads, each layer and each head.
        samples: at least 2.
        seed: of the batch.
        inputs: what to look at in place of the inputs that the task draws, by the name that the task has for such an
            argument, such as `family`.

    Returns:
        table `patching`. Source: Sec. 3.2.2 and App. F of arXiv 2410.22244.
    """
    if samples < 2:
        raise InputError(f"patching: samples must be at least 2, got {samples}")
    check_offered("patching", checkpoint.config)
    shape, task = transformer(checkpoint.config), checkpoint.task
    condition = Condition.of("patching", task, inputs)
    everything = HeadSet.parse("all", shape.n_layers, shape.n_heads).heads
    patches = [
        *(_Patch(kind, own, _SOURCE) for kind, own in _head_sets(heads, shape.n_layers, shape.n_heads)),
        _Patch("control", HeadSet("self", everything), _BASE),
        _Patch("control", HeadSet(f"other {task.sample_names[0]}", everything), _OTHER),
    ]
    found = _scores(checkpoint, patches, checkpoint.sample(samples, seed, **condition.choice))
    about = {"n": samples, "seed": seed}
    rows = [row for key, parts in found.items() for row in _rows(task, *key, parts, about)]
    result = Result(
        "patching",
        "Activation patching",
        {"heads": heads, "samples": samples, "seed": seed},
        {"directions": list(_directions(task)), "counterparts": list(task.counterpart_names), **score_facts(task)},
        {"patching": Table.of(columns(task), rows)},
    )
    return condition.stated(result, checkpoint)


@dataclass(frozen=True)
class _Patch:
    """A set of heads, and whose z it is given."""

    kind: str
    heads: HeadSet
    giver: str


@dataclass(frozen=True)
class _Scores:
    """Of the patched answers: as those to the inputs that z came from, and to those that the model was run on."""

    to_source: SampleScores
    to_base: SampleScores


def _directions(task: Any) -> tuple[str, str]:
    one, other = task.counterpart_names
    return f"{one} into {other}", f"{other} into {one}"


def _scores(checkpoint: Checkpoint, patches: Sequence[_Patch], one: Any) -> dict[tuple[str, _Patch], list[_Scores]]:
    """The scores in both directions under each patch, in parts of the batch."""
    task = checkpoint.task
    other = task.to(task.counterpart(one), one.inputs.device)
    sweep, directions = HeadSweep(checkpoint.model), _directions(task)
    found: dict[tuple[str, _Patch], list[_Scores]] = {key: [] for key in product(directions, patches)}
    for of_one, of_other in zip(sweep.parts(one.inputs), sweep.parts(other.inputs), strict=True):
        ways = (((one, of_one), (other, of_other)), ((other, of_other), (one, of_one)))
        for direction, ((source, given), (base, own)) in zip(directions, ways, strict=True):
            z = {_SOURCE: given.run.z, _BASE: own.run.z, _OTHER: given.neighbours}
            batches = source.part(given.samples), base.part(own.samples)
            changes = {patch: HeadChange(patch.heads, z[patch.giver]) for patch in patches}
            for patch, answers in sweep.answers(own.run, changes):
                told = (SampleScores.told(task, answers, batch) for batch in batches)
                found[direction, patch].append(_Scores(*told))
    return found


def _rows(
    task: Any, direction: str, patch: _Patch, parts: Sequence[_Scores], about: Mapping[str, int]
) -> list[dict[str, Any]]:
    to_source = SampleScores.joined([part.to_source for part in parts])
    to_base = SampleScores.joined([part.to_base for part in parts])
    return [
        {
            "direction": direction,
            "group": patch.heads.name,
            "heads": str(patch.heads),
            "kind": patch.kind,
            "entries": name,
            **about,
            **to_source.mean(name).columns(f"{task.score_unit}_to_source"),
            **to_base.mean(name).columns(f"{task.score_unit}_to_base"),
            **to_base.minus(to_source, name).columns("nearer"),
        }
        for name in parts_of(task)
    ]


def _head_sets(names: Sequence[str] | None, n_layers: int, n_heads: int) -> list[tuple[str, HeadSet]]:
    if names is not None:
        return [("custom", HeadSet.parse(name, n_layers, n_heads)) for name in names]
    layers = [f"layer:{layer}" for layer in range(n_layers)]
    singles = [str(Head(*pair)) for pair in product(range(n_layers), range(n_heads))]
    named = [("all", "all"), *(("layer", name) for name in layers), *(("head", name) for name in singles)]
    return [(kind, HeadSet.parse(name, n_layers, n_heads)) for kind, name in named]
