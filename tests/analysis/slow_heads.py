"""Ablated and patched heads, written from their definitions, matrix by matrix and head by head."""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy import stats
from slow_attention import Pair, Rows, heads_of, name_of, traces, uniform_map
from slow_encoder import Edit, Trace, run_slowly
from slow_statistics import Columns, Errors, columns, estimate, mean, ratio

from mcinterp.analysis.passes.ablation_controls import Controls
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
    return frozenset(
        (int(name[1 : name.index("H")]), int(name.split("H")[1])) for name in heads.split(",") if name != "no heads"
    )


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
    sets = result.table("ablation").query("method == 'uniform'")[["group", "heads"]]
    shape = checkpoint.config.model
    for method, (group, heads) in product(("uniform", "zero", "mean", "resample"), sets.itertuples(index=False)):
        outputs = changed.outputs(method, parsed(heads))
        row: dict[str, object] = {"step": checkpoint.step, "group": group, "heads": heads, "method": method}
        for entries in ("observed", "masked", "total"):
            before, now = changed.errors(clean, entries), changed.errors(outputs, entries)
            row |= before.columns(f"{entries}_mse_clean") | now.columns(f"{entries}_mse")
            row |= now.minus(f"{entries}_delta", before)
        now, before = changed.errors(outputs, "masked"), changed.errors(clean, "masked")
        zero = changed.errors(np.zeros(changed.targets.shape), "masked").mse
        row |= {"n": n, "seed": seed, "masked_ratio": now.mse / before.mse}
        row |= share(now, before)
        rows.append(row | {"masked_mse_zero": zero, "masked_of_zero": (now.mse - before.mse) / zero})
        kind = group if group in ("all", "none") else "head" if group == heads else "class"
        others = Controls.of(
            HeadSet.parse(heads.replace("no heads", "none"), shape.n_layers, shape.n_heads), shape.n_heads, 20, seed
        )
        own = parsed(heads)
        assert all(not parsed(str(other)) & own for other in others.groups)
        beside = [changed.errors(changed.outputs(method, parsed(str(other))), "masked") for other in others.groups]
        controls.append(_control_row(group, heads, method, kind, shape.n_heads, now, before, beside))
    _judge(controls, changed.errors(clean, "masked").mse)
    return {"ablation": rows, "control": controls}


def share(now: Errors, before: Errors) -> Columns:
    """The change as a share of the clean error; none where that is not told from 0."""
    if not mean("sum", before.sums)["sum_low"] > 0:
        return dict.fromkeys(("masked_share", "masked_share_low", "masked_share_high"), np.nan)
    return columns("masked_share", ratio(now.sums - before.sums, before.sums), np.ones(len(now.sums), bool))


def one_more(value: float, values: list[float]) -> float:
    """Of a sample's regression on which value is the new one: the p-value of its coefficient."""
    x = np.column_stack([np.ones(len(values) + 1), [1.0] + [0.0] * len(values)])
    y, freedom = np.array([value, *values]), len(values) - 1
    fit = np.linalg.lstsq(x, y)[0]
    error = np.sqrt(np.sum((y - x @ fit) ** 2) / freedom * np.linalg.inv(x.T @ x)[1, 1])
    return float(2 * stats.t.sf(abs(fit[1]) / error, freedom))


def chance(heads: frozenset[Pair], n_heads: int, value: float, values: list[float]) -> float:
    """That a set is so far from its controls; no class here has more than one head of a layer and a control."""
    own = [sum(layer == each for each, _ in heads) for layer in {layer for layer, _ in heads}]
    if n_heads < 3 or max(own) >= n_heads - max(own):
        return np.nan
    if len(heads) == 1:
        return one_more(value, values)
    assert set(own) == {1}
    # Each layer adds one of its other heads to a control, all combinations.
    left = n_heads - 1
    assert len(values) == left ** len(own)
    error = np.sqrt(np.var(values) * (left + 1) / (left - 1))
    return float(2 * stats.t.sf(abs(value - np.mean(values)) / error, left - 1))


def _judge(rows: list[dict[str, object]], clean: float) -> None:
    """q-values over all rows that have a p-value, and verdicts from them."""
    for p_name, q_name, counted in (("p_value", "q_value", "heads"), ("excess_p", "excess_q", "n_controls")):
        known = [row for row in rows if row[counted] not in (0, "no heads") and not np.isnan(row[p_name])]
        for row, q_value in zip(known, benjamini_hochberg([row[p_name] for row in known]), strict=True):
            row[q_name] = q_value
    for row in rows:
        row["verdict"] = row["verdict"] or _verdict(row, clean)
        del row["delta"]


def _verdict(row: dict[str, float], clean: float) -> str:
    if np.isnan(row["excess_q"]):
        return "no verdict: too few other heads"
    over, under = row["delta"] > row["control_delta_max"], row["delta"] < row["control_delta_min"]
    others = "random groups" if "," in str(row["heads"]) else "its layer's other heads"
    if not (over or under):
        return f"within the range of {others}"
    words = ""
    if row["excess_q"] < 0.05 and over:
        words = "helps less than every control" if row["control_delta_max"] < 0 else ""
        words = "hurts more than every control" if row["delta"] > 0 and row["q_value"] < 0.05 else words
    if row["excess_q"] < 0.05 and under:
        words = "hurts less than every control" if row["control_delta_min"] > 0 else ""
        words = "helps more than every control" if row["delta"] < 0 and row["q_value"] < 0.05 else words
    small = -0.01 * clean <= row["excess_low"] and row["excess_high"] <= 0.01 * clean
    return words + ", by less than 1 %" * small if words else f"beyond the range of {others}, undecided"


def _control_row(
    group: str, heads: str, method: str, kind: str, n_heads: int, now: Errors, before: Errors, beside: list[Errors]
) -> dict[str, object]:
    delta, _, _, p_value = estimate(ratio(now.sums - before.sums, now.counts), now.counts > 0)
    deltas = [other.mse - before.mse for other in beside]
    excess: Columns = dict.fromkeys(("excess", "excess_low", "excess_high"), np.nan)
    own, excess_p = parsed(heads), np.nan
    verdict = "" if own else "null control"
    if beside:
        mean = Errors.averaged(beside)
        excess = now.minus("excess", mean)
        of_samples = estimate(ratio(now.sums - mean.sums, now.counts), now.counts > 0)[3]
        unit = (excess["excess_high"] - excess["excess_low"]) / 2
        logs = [float(np.arcsinh(change / unit)) for change in (delta, *deltas)]
        of_heads = [chance(own, n_heads, delta, deltas), chance(own, n_heads, logs[0], logs[1:])]
        excess_p = float(np.max([of_samples, *of_heads]))
    elif own:
        filled = len(own) == n_heads * len({layer for layer, _ in own})
        verdict = "no other group of that size" if filled else "every group of that size shares heads with it"
        verdict = f"no control: {verdict}"
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
        "excess_p": excess_p,
        "excess_q": np.nan,
        "verdict": verdict,
        "delta": delta,
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
