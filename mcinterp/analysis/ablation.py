"""Group ablations: what the masked and observed errors become when a set of heads is taken out."""

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

from mcinterp.analysis.errors_by_entry import EntryErrors
from mcinterp.analysis.head_scores import CLASSES
from mcinterp.analysis.sections import transformer
from mcinterp.analysis.statistics import Estimate, false_discovery, interval_columns, pooled_estimate
from mcinterp.analysis.taxonomy import class_members, head_taxonomy
from mcinterp.errors import InputError, nearest_name
from mcinterp.model import Head, HeadSet
from mcinterp.model.head_sweep import HeadChange, HeadSweep
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint

Method = Literal["uniform", "zero", "mean", "resample"]
METHODS: tuple[Method, ...] = get_args(Method)

COLUMNS = {
    "step": "checkpoint",
    "group": "name of the set of heads",
    "heads": "its heads, layer and head from 0",
    "method": "uniform: equal attention at every key that a query may see; zero, mean, resample: z, the head's output "
    "before W_O, replaced by 0, by its mean over the batch, by that of another matrix",
    "n": "matrices",
    "seed": "seed of the batch",
    "observed_mse_clean": "L_obs of the model as it is",
    "observed_mse": "L_obs with the heads ablated",
    "masked_mse_clean": "L_mask of the model as it is",
    "masked_mse": "L_mask with the heads ablated",
    "total_mse_clean": "MSE over all entries of the model as it is",
    "total_mse": "MSE over all entries with the heads ablated",
    "masked_ratio": "masked_mse / masked_mse_clean",
    "masked_delta": "masked_mse − masked_mse_clean",
    "masked_delta_low": "masked_delta: lower end of the 95 % interval, paired over matrices",
    "masked_delta_high": "… upper end",
}
CONTROL_COLUMNS = {
    "group": "name of the set of heads",
    "heads": "its heads",
    "method": "as in the ablation table",
    "kind": "all, none (the null control), class, head or custom",
    "p_value": "of the paired t test that masked_delta is 0",
    "q_value": "the same with the false-discovery rate controlled over the single heads of a method",
    "n_controls": "random groups of the same size in the same layers that were ablated",
    "control_delta": "masked_delta of those groups, mean",
    "control_delta_min": "… smallest",
    "control_delta_max": "… largest",
    **interval_columns("excess", "masked_delta minus control_delta, paired over matrices"),
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
    """Ablate sets of heads and compare the errors, matrix by matrix, with those of the whole model.

    Every set is compared with random groups of as many heads in the same layers (for a single head: other heads of its
    layer); sets that fill their layers have none.

    Args:
        checkpoint: what to look at.
        heads: sets, as `HeadSet.parse` reads them: `all`, `none`, `layer:1`, a class of the taxonomy, `L1H0,L2H3`. None
            for all heads, none, every class that has members (of an encoder), and every single head.
        methods: some of uniform, zero, mean, resample.
        samples: matrices, at least 2.
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
    sets = _head_sets(checkpoint, heads, taxonomy, samples, seed)
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
        {"methods": list(methods)},
        {"ablation": Table.of(COLUMNS, rows), "control": Table.of(CONTROL_COLUMNS, control_rows)},
    )


_Key = tuple[str, tuple[Head, ...]]
_Z = Sequence[Tensor] | None


@dataclass(frozen=True)
class _Bench:
    """The errors of one batch, clean and under every method on every set of heads, each computed once."""

    samples: int
    seed: int
    clean_errors: EntryErrors
    ablated: dict[_Key, EntryErrors]

    @classmethod
    def of(
        cls, checkpoint: Checkpoint, samples: int, seed: int, methods: Iterable[str], sets: Sequence[HeadSet]
    ) -> _Bench:
        batch, sweep = checkpoint.sample(samples, seed), HeadSweep(checkpoint.model)
        mean = sweep.mean_z(batch.inputs) if "mean" in methods else []
        parts: dict[_Key, list[EntryErrors]] = defaultdict(list)
        clean_parts = []
        for part in sweep.parts(batch.inputs):
            own = batch.part(part.samples)
            clean_parts.append(EntryErrors.of(part.run.answers, own.targets, own))
            z: dict[str, _Z] = {
                "uniform": None,
                "zero": [torch.zeros_like(z[:1, :1]) for z in part.run.z],
                "mean": mean,
                "resample": part.neighbours,
            }
            changes = {(name, heads.heads): HeadChange(heads, z[name]) for name, heads in product(methods, sets)}
            for key, answers in sweep.answers(part.run, changes):
                parts[key].append(EntryErrors.of(answers, own.targets, own))
        ablated = {key: EntryErrors.joined(own_parts) for key, own_parts in parts.items()}
        return cls(samples, seed, EntryErrors.joined(clean_parts), ablated)

    def errors(self, heads: HeadSet, method: str) -> EntryErrors:
        return self.ablated[method, heads.heads]


def _head_sets(
    checkpoint: Checkpoint, names: Sequence[str] | None, taxonomy: Result | None, samples: int, seed: int
) -> list[tuple[str, HeadSet]]:
    """The sets to ablate, each with its kind."""
    shape = transformer(checkpoint.config)
    members: dict[str, list[Head]] = {name: [] for name in CLASSES}
    for name in names or ():  # a mistake in the last one is told before heads are classified for the first
        HeadSet.parse(name, shape.n_layers, shape.n_heads, members)
    classified = names is None and shape.architecture == "encoder"  # classes are defined for encoders alone
    named = next((name for name in names or () if name.strip() in CLASSES), None)
    if named is not None and shape.architecture != "encoder":
        raise InputError(f"ablation: {named}: classes of heads are defined for an encoder, not a {shape.architecture}")
    if classified or named is not None:
        members = class_members(taxonomy or head_taxonomy(checkpoint, min(samples, 128), seed))
    if names is None:
        singles = [str(Head(*pair)) for pair in product(range(shape.n_layers), range(shape.n_heads))]
        names = ["all", "none", *(name for name, own in members.items() if own), *singles]
    sets = [HeadSet.parse(name, shape.n_layers, shape.n_heads, members) for name in names]
    return [(_kind(name.strip(), head_set, members), head_set) for name, head_set in zip(names, sets, strict=True)]


def _kind(name: str, heads: HeadSet, members: dict[str, list[Head]]) -> str:
    if name in ("all", "none"):
        return name
    if name in members:
        return "class"
    return "head" if len(heads) == 1 else "custom"


def _ablation_row(bench: _Bench, step: int, heads: HeadSet, method: str) -> dict[str, Any]:
    clean, ablated = bench.clean_errors, bench.errors(heads, method)
    mse = {
        f"{entries}_mse{suffix}": float(errors.mse(entries).value)
        for entries in ("observed", "masked", "total")
        for suffix, errors in (("_clean", clean), ("", ablated))
    }
    return {
        "step": step,
        "group": heads.name,
        "heads": str(heads),
        "method": method,
        "n": bench.samples,
        "seed": bench.seed,
        **mse,
        "masked_ratio": mse["masked_mse"] / mse["masked_mse_clean"],
        **ablated.minus(clean, "masked").columns("masked_delta"),
    }


def _control_row(
    bench: _Bench, heads: HeadSet, kind: str, method: str, control_sets: Sequence[HeadSet]
) -> dict[str, Any]:
    ablated = bench.errors(heads, method)
    delta = ablated.minus(bench.clean_errors, "masked")
    control_errors = [bench.errors(control, method) for control in control_sets]
    deltas = [float(errors.minus(bench.clean_errors, "masked").value) for errors in control_errors]
    excess = _excess(ablated, control_errors)
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


def _excess(ablated: EntryErrors, controls: list[EntryErrors]) -> Estimate:
    if not controls:
        nan = np.asarray(np.nan)
        return Estimate(nan, nan, nan, nan)
    average = np.mean([errors.sums["masked"] for errors in controls], axis=0)
    return pooled_estimate(ablated.sums["masked"] - average, ablated.counts["masked"])


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
