"""Group ablations: what the scores become when a set of heads is taken out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from math import comb
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from mcinterp.analysis.passes.taxonomy import class_members, head_taxonomy
from mcinterp.analysis.registry import PASSES, check_offered, missing
from mcinterp.analysis.sample_scores import SampleScores, main_score, score_facts, side_by_side
from mcinterp.analysis.sections import transformer
from mcinterp.analysis.statistics import Estimate, false_discovery, interval_columns, pooled_estimate
from mcinterp.errors import InputError, nearest_name
from mcinterp.model import Head, HeadSet
from mcinterp.model.head_sweep import HeadChange, HeadSweep
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint

Method = Literal["uniform", "zero", "mean", "resample"]
METHODS: tuple[Method, ...] = get_args(Method)


def columns(task: Any) -> dict[str, str]:
    """Columns of the table `ablation`, for a task."""
    unit, main, kinds = task.score_unit, main_score(task), task.sample_score_kinds
    scores = {
        f"{name}_{unit}{suffix}": f"{kinds[name].meaning} {how}"
        for name in side_by_side(task)
        for suffix, how in (("_clean", "of the model as it is"), ("", "with the heads ablated"))
    }
    return {
        "step": "checkpoint",
        "group": "name of the set of heads",
        "heads": "its heads, layer and head from 0",
        "method": "uniform: equal attention at every key that a query may see; zero, mean, resample: z, the head's "
        "output before W_O, replaced by 0, by its mean over the batch, by that of another sample",
        "n": task.sample_names[1],
        "seed": "seed of the batch",
        **scores,
        f"{main}_ratio": f"{main}_{unit} / {main}_{unit}_clean",
        f"{main}_delta": f"{main}_{unit} − {main}_{unit}_clean",
        f"{main}_delta_low": f"{main}_delta: lower end of the 95 % interval, paired over {task.sample_names[1]}",
        f"{main}_delta_high": "… upper end",
    }


def control_columns(task: Any) -> dict[str, str]:
    """Columns of the table `control`, for a task."""
    delta = f"{main_score(task)}_delta"
    return {
        "group": "name of the set of heads",
        "heads": "its heads",
        "method": "as in the ablation table",
        "kind": "all, none (the null control), class, head or custom",
        "p_value": f"of the paired t test that {delta} is 0",
        "q_value": "the same with the false-discovery rate controlled over the single heads of a method",
        "n_controls": "random groups of the same size in the same layers that were ablated",
        "control_delta": f"{delta} of those groups, mean",
        "control_delta_min": "… smallest",
        "control_delta_max": "… largest",
        **interval_columns("excess", f"{delta} minus control_delta, paired over {task.sample_names[1]}"),
        "verdict": "whether the group hurts more or less than every control, with an excess interval that excludes 0",
    }


def ablation(
    checkpoint: Checkpoint,
    heads: Sequence[str] | None = None,
    methods: Sequence[str] = METHODS,
    samples: int = 512,
    seed: int = 0,
    taxonomy: Result | None = None,
    controls: int = 5,
) -> Result:
    """Ablate sets of heads and compare the scores, sample by sample, with those of the whole model.

    Every set is compared with random groups of as many heads in the same layers (for a single head: other heads of its
    layer); sets that fill their layers have none.

    Args:
        checkpoint: what to look at.
        heads: sets, as `HeadSet.parse` reads them: `all`, `none`, `layer:1`, a class of the taxonomy, `L1H0,L2H3`. None
            for all heads, none, every class that has members (where heads have classes), and every single head.
        methods: some of uniform, zero, mean, resample.
        samples: at least 2.
        seed: of the batch and of the random groups.
        taxonomy: result of `head_taxonomy` on the same checkpoint; computed when a class is named and it is not given.
        controls: random groups for each set.

    Returns:
        tables `ablation` and `control`, row by row the same sets.

    Raises:
        InputError: for an unknown set, head or method.
    """
    for method in methods:
        if method not in METHODS:
            raise InputError(f"no ablation method is called {method!r}{nearest_name(method, METHODS)}")
    if samples < 2:
        raise InputError(f"ablation: samples must be at least 2, got {samples}")
    check_offered("ablation", checkpoint.config)
    sets, task = _head_sets(checkpoint, heads, taxonomy, samples, seed), checkpoint.task
    n_heads = transformer(checkpoint.config).n_heads
    groups = {head_set.heads: random_groups(head_set, n_heads, controls, seed) for _, head_set in sets}
    every = [*(head_set for _, head_set in sets), *(group for own in groups.values() for group in own)]
    bench = _Bench.of(checkpoint, samples, seed, methods, every)
    rows, control_rows = [], []
    for method, (kind, head_set) in product(methods, sets):
        rows.append(_ablation_row(bench, checkpoint.step, head_set, method))
        control_rows.append(_control_row(bench, head_set, kind, method, groups[head_set.heads]))
    _add_q_values(control_rows)
    return Result(
        "ablation",
        "Group ablations",
        {"heads": heads, "methods": list(methods), "samples": samples, "seed": seed, "controls": controls},
        {"methods": list(methods), "kinds": _classes(checkpoint), **score_facts(task)},
        {"ablation": Table.of(columns(task), rows), "control": Table.of(control_columns(task), control_rows)},
    )


_Key = tuple[str, tuple[Head, ...]]
_Z = Sequence[Tensor] | None


@dataclass(frozen=True)
class _Bench:
    """The scores of one batch, clean and under every method on every set of heads, each computed once."""

    task: Any
    samples: int
    seed: int
    clean: SampleScores
    ablated: dict[_Key, SampleScores]

    @classmethod
    def of(
        cls, checkpoint: Checkpoint, samples: int, seed: int, methods: Iterable[str], sets: Sequence[HeadSet]
    ) -> _Bench:
        task, batch, sweep = checkpoint.task, checkpoint.sample(samples, seed), HeadSweep(checkpoint.model)
        mean = sweep.mean_z(batch.inputs) if "mean" in methods else []
        parts: dict[_Key, list[SampleScores]] = defaultdict(list)
        clean_parts = []
        for part in sweep.parts(batch.inputs):
            own = batch.part(part.samples)
            clean_parts.append(SampleScores.told(task, part.run.answers, own))
            z: dict[str, _Z] = {
                "uniform": None,
                "zero": [torch.zeros_like(z[:1, :1]) for z in part.run.z],
                "mean": mean,
                "resample": part.neighbours,
            }
            changes = {(name, heads.heads): HeadChange(heads, z[name]) for name, heads in product(methods, sets)}
            for key, answers in sweep.answers(part.run, changes):
                parts[key].append(SampleScores.told(task, answers, own))
        ablated = {key: SampleScores.joined(own_parts) for key, own_parts in parts.items()}
        return cls(task, samples, seed, SampleScores.joined(clean_parts), ablated)

    def scores(self, heads: HeadSet, method: str) -> SampleScores:
        return self.ablated[method, heads.heads]


def _head_sets(
    checkpoint: Checkpoint, names: Sequence[str] | None, taxonomy: Result | None, samples: int, seed: int
) -> list[tuple[str, HeadSet]]:
    """The sets to ablate, each with its kind."""
    shape, kinds = transformer(checkpoint.config), _classes(checkpoint)
    members: dict[str, list[Head]] = {name: [] for names_of_kind in kinds.values() for name in names_of_kind}
    for name in names or ():  # a mistake in the last one is told before heads are classified for the first
        HeadSet.parse(name, shape.n_layers, shape.n_heads, members)
    if kinds and (names is None or any(name.strip() in members for name in names)):
        members = class_members(taxonomy or head_taxonomy(checkpoint, min(samples, 128), seed))
    if names is None:
        singles = [str(Head(*pair)) for pair in product(range(shape.n_layers), range(shape.n_heads))]
        names = ["all", "none", *(name for name, own in members.items() if own), *singles]
    sets = [HeadSet.parse(name, shape.n_layers, shape.n_heads, members) for name in names]
    return [(_kind(name.strip(), head_set, members), head_set) for name, head_set in zip(names, sets, strict=True)]


def _classes(checkpoint: Checkpoint) -> dict[str, list[str]]:
    """The task's kinds of classes with their classes; none where heads have no classes."""
    if missing(PASSES["taxonomy"].asks, checkpoint.config):
        return {}
    return {kind: list(names) for kind, names in checkpoint.task.head_classes().kinds.items()}


def _kind(name: str, heads: HeadSet, members: dict[str, list[Head]]) -> str:
    if name in ("all", "none"):
        return name
    if name in members:
        return "class"
    return "head" if len(heads) == 1 else "custom"


def _ablation_row(bench: _Bench, step: int, heads: HeadSet, method: str) -> dict[str, Any]:
    clean, ablated, unit, main = bench.clean, bench.scores(heads, method), bench.task.score_unit, main_score(bench.task)
    values = {
        f"{name}_{unit}{suffix}": float(scores.mean(name).value)
        for name in side_by_side(bench.task)
        for suffix, scores in (("_clean", clean), ("", ablated))
    }
    return {
        "step": step,
        "group": heads.name,
        "heads": str(heads),
        "method": method,
        "n": bench.samples,
        "seed": bench.seed,
        **values,
        f"{main}_ratio": values[f"{main}_{unit}"] / values[f"{main}_{unit}_clean"],
        **ablated.minus(clean, main).columns(f"{main}_delta"),
    }


def _control_row(
    bench: _Bench, heads: HeadSet, kind: str, method: str, control_sets: Sequence[HeadSet]
) -> dict[str, Any]:
    ablated, main = bench.scores(heads, method), main_score(bench.task)
    delta = ablated.minus(bench.clean, main)
    controls = [bench.scores(control, method) for control in control_sets]
    deltas = [float(scores.minus(bench.clean, main).value) for scores in controls]
    excess = _excess(ablated, controls, main)
    return {
        "group": heads.name,
        "heads": str(heads),
        "method": method,
        "kind": kind,
        "p_value": float(delta.p_value),
        "q_value": np.nan,
        "n_controls": len(control_sets),
        "control_delta": float(np.mean(deltas)) if deltas else np.nan,
        "control_delta_min": min(deltas, default=np.nan),
        "control_delta_max": max(deltas, default=np.nan),
        **excess.columns("excess"),
        "verdict": _verdict(heads, float(delta.value), deltas, excess),
    }


def random_groups(heads: HeadSet, n_heads: int, count: int, seed: int) -> list[HeadSet]:
    """At most `count` different random groups with as many heads in each layer as `heads`, none equal to it."""
    layers = heads.by_layer()
    possible = 1
    for own in layers.values():
        possible *= comb(n_heads, len(own))
    generator = np.random.default_rng(seed)
    found: list[tuple[Head, ...]] = []
    while len(found) < min(count, possible - 1):
        group = tuple(
            Head(layer, int(head))
            for layer, own in layers.items()
            for head in sorted(generator.choice(n_heads, len(own), replace=False))
        )
        if group != heads.heads and group not in found:
            found.append(group)
    return [HeadSet("random group", group) for group in found]


def _excess(ablated: SampleScores, controls: list[SampleScores], main: str) -> Estimate:
    if not controls:
        nan = np.asarray(np.nan)
        return Estimate(nan, nan, nan, nan)
    average = np.mean([scores.sums[main] for scores in controls], axis=0)
    return pooled_estimate(ablated.sums[main] - average, ablated.counts[main])


def _verdict(heads: HeadSet, delta: float, control_deltas: list[float], excess: Estimate) -> str:
    if not heads.heads:
        return "null control" if heads.name == "none" else "no head in this class"
    if not control_deltas:
        return "no control of this size"
    if excess.low > 0 and delta > max(control_deltas):
        return "hurts more than control"
    if excess.high < 0 and delta < min(control_deltas):
        return "hurts less than control"
    return "not distinguishable from control"


def _add_q_values(rows: list[dict[str, Any]]) -> None:
    for method in {row["method"] for row in rows}:
        single = [row for row in rows if row["method"] == method and row["kind"] == "head"]
        for row, q_value in zip(single, false_discovery(np.array([row["p_value"] for row in single])), strict=True):
            row["q_value"] = float(q_value)
