"""Ablated and patched heads, written from their definitions, matrix by matrix and head by head."""

from __future__ import annotations

from itertools import product

import numpy as np
from slow_attention import Pair, Rows, heads_of, name_of, traces, uniform_map
from slow_encoder import Edit, Trace, run_slowly
from slow_statistics import Columns, Errors, estimate, ratio

from mcinterp.analysis.passes.ablation import random_groups
from mcinterp.model import HeadSet
from mcinterp.results import Result
from mcinterp.runs import Checkpoint
from mcinterp.studies.matrix_completion.task.batch import MatrixBatch


class Changed:
    """The errors of a model whose heads are changed, on one batch; every change is run once."""

    def __init__(self, checkpoint: Checkpoint, batch: MatrixBatch) -> None:
        self.checkpoint, self.tokens = checkpoint, batch.inputs.numpy()
        self.targets, self.seen = batch.targets.double().numpy(), batch.observed.numpy()
        self.clean = traces(checkpoint, batch)
        self.uniform = uniform_map(checkpoint)
        self.known: dict[tuple[str, frozenset[Pair]], list[np.ndarray]] = {}

    def outputs(self, method: str, heads: frozenset[Pair]) -> list[np.ndarray]:
        if (method, heads) not in self.known:
            self.known[method, heads] = [self._output(i, method, heads) for i in range(len(self.tokens))]
        return self.known[method, heads]

    def _output(self, index: int, method: str, heads: frozenset[Pair]) -> np.ndarray:
        def pattern(layer: int, head: int, value: np.ndarray) -> np.ndarray:
            return self.uniform if method == "uniform" and (layer, head) in heads else value

        def z(layer: int, head: int, value: np.ndarray) -> np.ndarray:
            if (layer, head) not in heads or method == "uniform":
                return value
            if method == "mean":
                return np.mean([trace.z[layer, head] for trace in self.clean], axis=0)
            return 0 * value if method == "zero" else self.clean[index - 1].z[layer, head]

        return run_slowly(self.checkpoint, self.tokens[index], pattern, z).output

    def errors(self, outputs: list[np.ndarray], entries: str) -> Errors:
        where = {"masked": ~self.seen, "observed": self.seen, "total": self.seen | True}[entries]
        return Errors.of(outputs, self.targets, where)


def parsed(heads: str) -> frozenset[Pair]:
    return frozenset((int(name[1 : name.index("H")]), int(name.split("H")[1])) for name in heads.split(",") if name)


def benjamini_hochberg(p_values: list[float]) -> list[float]:
    """For each, the least share of false discoveries at which it would be one."""
    order, m = np.argsort(p_values), len(p_values)
    found = np.ones(m)
    for rank, index in enumerate(order):
        found[index] = min(1.0, min(p_values[order[k]] * m / (k + 1) for k in range(rank, m)))
    return found.tolist()


def slow_ablation(checkpoint: Checkpoint, result: Result, n: int, seed: int) -> dict[str, Rows]:
    changed = Changed(checkpoint, checkpoint.sample(n, seed))
    clean = [trace.output for trace in changed.clean]
    rows, controls = [], []
    # What is ablated by default: all, none, classes with members, and every head.
    sets = result.table("ablation").query("method == 'uniform'")[["group", "heads"]].fillna("")
    shape = checkpoint.config.model
    for method, (group, heads) in product(("uniform", "zero", "mean", "resample"), sets.itertuples(index=False)):
        outputs = changed.outputs(method, parsed(heads))
        row: dict[str, object] = {"step": checkpoint.step, "group": group, "heads": heads, "method": method}
        for entries in ("observed", "masked", "total"):
            row[f"{entries}_mse_clean"] = changed.errors(clean, entries).mse
            row[f"{entries}_mse"] = changed.errors(outputs, entries).mse
        now, before = changed.errors(outputs, "masked"), changed.errors(clean, "masked")
        rows.append(
            {**row, "n": n, "seed": seed, "masked_ratio": now.mse / before.mse, **now.minus("masked_delta", before)}
        )
        kind = group if group in ("all", "none") else "head" if group == heads else "class"
        others = random_groups(HeadSet.parse(heads or "none", shape.n_layers, shape.n_heads), shape.n_heads, 5, seed)
        beside = [changed.errors(changed.outputs(method, parsed(str(other))), "masked") for other in others]
        controls.append(_control_row(group, heads, method, kind, now, before, beside))
    for method in ("uniform", "zero", "mean", "resample"):
        single = [row for row in controls if row["method"] == method and row["kind"] == "head"]
        for row, q_value in zip(single, benjamini_hochberg([row["p_value"] for row in single]), strict=True):
            row["q_value"] = q_value
    return {"ablation": rows, "control": controls}


def _control_row(
    group: str, heads: str, method: str, kind: str, now: Errors, before: Errors, beside: list[Errors]
) -> dict[str, object]:
    delta, _, _, p_value = estimate(ratio(now.sums - before.sums, now.counts), now.counts > 0)
    deltas = [other.mse - before.mse for other in beside]
    excess: Columns = dict.fromkeys(("excess", "excess_low", "excess_high"), np.nan)
    if beside:
        excess = now.minus("excess", Errors.averaged(beside))
    verdict = "not distinguishable from control"
    if excess["excess_low"] > 0 and delta > max(deltas):
        verdict = "hurts more than control"
    if excess["excess_high"] < 0 and delta < min(deltas):
        verdict = "hurts less than control"
    if not beside:
        verdict = "no control of this size"
    return {
        "group": group,
        "heads": heads,
        "method": method,
        "kind": kind,
        "p_value": p_value,
        "q_value": np.nan,
        "n_controls": len(beside),
        "control_delta": float(np.mean(deltas)) if deltas else np.nan,
        "control_delta_min": min(deltas, default=np.nan),
        "control_delta_max": max(deltas, default=np.nan),
        **excess,
        "verdict": verdict if heads else "null control",
    }


def given(giver: Trace, heads: list[Pair]) -> Edit:
    """Chosen heads have the z of another run."""
    return lambda layer, head, value: giver.z[layer, head] if (layer, head) in heads else value


def slow_patching(checkpoint: Checkpoint, result: Result, n: int, seed: int) -> dict[str, Rows]:
    positive = checkpoint.sample(n, seed)
    batches = {"X": positive, "−X": checkpoint.task.negated(positive)}
    runs = {which: traces(checkpoint, batch) for which, batch in batches.items()}
    every, rows = heads_of(checkpoint), []
    layers = range(checkpoint.config.model.n_layers)
    patches = [("all", "all", every)]
    patches += [("layer", f"layer:{layer}", [pair for pair in every if pair[0] == layer]) for layer in layers]
    patches += [("head", name_of(pair), [pair]) for pair in every]
    patches += [("control", "self", every), ("control", "other matrix", every)]
    for (source, base), (kind, group, heads) in product((("X", "−X"), ("−X", "X")), patches):
        outputs = []
        for index, tokens in enumerate(batches[base].inputs.numpy()):
            giver = runs[source][index]
            giver = {"self": runs[base][index], "other matrix": runs[source][index - 1]}.get(group, giver)

            outputs.append(run_slowly(checkpoint, tokens, edit_z=given(giver, heads)).output)
        seen = positive.observed.numpy()
        for entries, where in (("masked", ~seen), ("observed", seen)):
            to_source, to_base = (
                Errors.of(outputs, batches[which].targets.double().numpy(), where) for which in (source, base)
            )
            rows.append(
                {
                    "direction": f"{source} into {base}",
                    "group": group,
                    "heads": ",".join(map(name_of, heads)),
                    "kind": kind,
                    "entries": entries,
                    "n": n,
                    "seed": seed,
                    **to_source.columns("mse_to_source"),
                    **to_base.columns("mse_to_base"),
                    **to_base.minus("nearer", to_source),
                }
            )
    return {"patching": rows}
