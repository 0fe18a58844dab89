"""Group ablations: what the scores become when a set of heads is taken out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from mcinterp.analysis.conditions import Condition
from mcinterp.analysis.passes.ablation_columns import columns, control_columns, unanswered
from mcinterp.analysis.passes.ablation_controls import Beside, Controls
from mcinterp.analysis.passes.ablation_verdicts import Verdict, verdicts
from mcinterp.analysis.passes.taxonomy import class_members, head_taxonomy
from mcinterp.analysis.registry import PASSES, check_offered, missing
from mcinterp.analysis.sample_scores import SampleScores, main_score, score_facts, side_by_side
from mcinterp.analysis.sections import transformer
from mcinterp.analysis.statistics import Floats, ratio_estimate
from mcinterp.errors import InputError, nearest_name
from mcinterp.model import Head, HeadSet
from mcinterp.model.head_sweep import HeadChange, HeadSweep
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint

Method = Literal["uniform", "zero", "mean", "resample"]
METHODS: tuple[Method, ...] = get_args(Method)


def ablation(
    checkpoint: Checkpoint,
    heads: Sequence[str] | None = None,
    methods: Sequence[str] = METHODS,
    samples: int = 512,
    seed: int = 0,
    taxonomy: Result | None = None,
    controls: int = 20,
    **inputs: Any,
) -> Result:
    """Ablate sets of heads and compare the scores, sample by sample, with those of the whole model.

    A single head is compared with all other heads of its layer, a set with groups of as many heads in the same layers
    that share none with it. A set of more than half of a layer has no such group, and no verdict.

    Args:
        checkpoint: what to look at.
        heads: sets, as `HeadSet.parse` reads them: `all`, `none`, `layer:1`, a class of the taxonomy, `L1H0,L2H3`. None
            for all heads, none, every class that has members (where heads have classes), and every single head.
        methods: some of uniform, zero, mean, resample.
        samples: at least 2.
        seed: of the batch and of the random groups.
        taxonomy: result of `head_taxonomy` on the same checkpoint; computed when a class is named and it is not given.
        controls: groups for each set of several heads; all where there are no more, else a random draw.
        inputs: what to look at in place of the inputs that the task draws, by the name that the task has for such an
            argument, such as `family`.

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
    task = checkpoint.task
    condition = Condition.of("ablation", task, inputs)
    batch = checkpoint.sample(samples, seed, **condition.choice)
    sets = _head_sets(checkpoint, heads, taxonomy, samples, seed)
    n_heads = transformer(checkpoint.config).n_heads
    beside = [(kind, own, Controls.of(own, n_heads, controls, seed)) for kind, own in sets]
    bench = _Bench.of(checkpoint, batch, seed, methods, [each for _, own, of in beside for each in (own, *of.groups)])
    cases = [_Case(method, *one) for method, one in product(methods, beside)]
    compared = [bench.beside(case) for case in cases]
    judged = verdicts([(case.controls, each) for case, each in zip(cases, compared, strict=True)], bench.clean_score)
    rows = [_ablation_row(bench, checkpoint.step, case) for case in cases]
    control_rows = [_control_row(*row) for row in zip(cases, compared, judged, strict=True)]
    result = Result(
        "ablation",
        "Group ablations",
        {"heads": heads, "methods": list(methods), "samples": samples, "seed": seed, "controls": controls},
        {"methods": list(methods), "kinds": _classes(checkpoint), **score_facts(task)},
        {"ablation": Table.of(columns(task), rows), "control": Table.of(control_columns(task), control_rows)},
    )
    return condition.stated(result, checkpoint)


_Key = tuple[str, tuple[Head, ...]]
_Z = Sequence[Tensor] | None


@dataclass(frozen=True)
class _Case:
    """What is done, to which set of heads, and what that is compared with."""

    method: str
    kind: str
    heads: HeadSet
    controls: Controls

    @property
    def of_nothing(self) -> bool:
        """Whether it is of a class that has no heads; the null control is of none on purpose."""
        return self.kind == "class" and not self.heads.heads


@dataclass(frozen=True)
class _Bench:
    """The scores of one batch, clean and under every method on every set of heads, each computed once."""

    task: Any
    samples: int
    seed: int
    clean: SampleScores
    zero: SampleScores
    ablated: dict[_Key, SampleScores]

    @classmethod
    def of(
        cls, checkpoint: Checkpoint, batch: Any, seed: int, methods: Iterable[str], sets: Sequence[HeadSet]
    ) -> _Bench:
        task, sweep = checkpoint.task, HeadSweep(checkpoint.model)
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
        zero = SampleScores.told(task, task.zero_answers(batch), batch)
        return cls(task, len(batch), seed, SampleScores.joined(clean_parts), zero, ablated)

    @property
    def clean_score(self) -> float:
        return float(self.clean.mean(main_score(self.task)).value)

    def changes(self, heads: HeadSet, method: str) -> Floats:
        """By how much the main score's sum over each sample changes, (n,)."""
        main = main_score(self.task)
        return self.ablated[method, heads.heads].sums[main] - self.clean.sums[main]

    def beside(self, case: _Case) -> Beside:
        """A set beside its controls."""
        own, counts = self.changes(case.heads, case.method), self.clean.counts[main_score(self.task)]
        others = [self.changes(group, case.method) for group in case.controls.groups]
        return Beside.of(case.controls, own, others, counts)


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


def _ablation_row(bench: _Bench, step: int, case: _Case) -> dict[str, Any]:
    clean, ablated, unit = bench.clean, bench.ablated[case.method, case.heads.heads], bench.task.score_unit
    main = main_score(bench.task)
    values: dict[str, float] = {}
    for name in side_by_side(bench.task):
        for suffix, scores in (("_clean", clean), ("", ablated)):
            values |= scores.mean(name).columns(f"{name}_{unit}{suffix}")
    deltas = {name: ablated.minus(clean, name) for name in side_by_side(bench.task)}
    zero = float(bench.zero.mean(main).value)
    share = ratio_estimate(bench.changes(case.heads, case.method), clean.sums[main])
    row = {
        "step": step,
        "group": case.heads.name,
        "heads": str(case.heads),
        "method": case.method,
        "n": bench.samples,
        "seed": bench.seed,
        **values,
        f"{main}_ratio": values[f"{main}_{unit}"] / values[f"{main}_{unit}_clean"],
        **{key: value for name, delta in deltas.items() for key, value in delta.columns(f"{name}_delta").items()},
        **share.columns(f"{main}_share"),
        f"{main}_{unit}_zero": zero,
        f"{main}_of_zero": float(deltas[main].value) / zero,
    }
    return unanswered(row) if case.of_nothing else row


def _control_row(case: _Case, beside: Beside, verdict: Verdict) -> dict[str, Any]:
    deltas = beside.controls
    return {
        "group": case.heads.name,
        "heads": str(case.heads),
        "method": case.method,
        "kind": case.kind,
        "p_value": np.nan if case.of_nothing else float(beside.delta.p_value),
        "q_value": verdict.q_value,
        "n_controls": len(deltas),
        "control_delta": float(deltas.mean()) if len(deltas) else np.nan,
        "control_delta_min": float(deltas.min()) if len(deltas) else np.nan,
        "control_delta_max": float(deltas.max()) if len(deltas) else np.nan,
        **beside.excess.columns("excess"),
        "excess_p": beside.p_value,
        "excess_q": verdict.excess_q,
        "verdict": verdict.words,
    }
