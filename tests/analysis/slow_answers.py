"""Passes that look at a model's answers and hidden states, written from their definitions, matrix by matrix."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from slow_attention import Rows, traces
from slow_encoder import run_slowly
from slow_statistics import Columns, Errors, columns, ends, mean, pooled, ratio, shape

from mcinterp.results import Result
from mcinterp.runs import Checkpoint
from mcinterp.studies.matrix_completion.config import TaskConfig
from mcinterp.studies.matrix_completion.passes.distribution_shift import FRESH, _batch
from mcinterp.studies.matrix_completion.passes.token_intervention import _inputs
from mcinterp.studies.matrix_completion.task.batch import MatrixBatch

W_POS = "embed.pos_embed.W_pos"


def outputs_of(checkpoint: Checkpoint, tokens: torch.Tensor | np.ndarray) -> np.ndarray:
    return np.array([run_slowly(checkpoint, sample).output for sample in np.asarray(tokens)])


def parts(batch: MatrixBatch) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Targets, and which entries are masked, observed or any: (n, pos) each."""
    seen = batch.observed.numpy()
    return batch.targets.double().numpy(), {"masked": ~seen, "observed": seen, "total": seen | True}


def probe_targets(batch: MatrixBatch) -> dict[str, np.ndarray]:
    """What is read at every position, (n, pos, k)."""
    rows, cols = batch.shape
    matrices = batch.targets.double().numpy().reshape(-1, rows, cols)
    shown = matrices * batch.observed.numpy().reshape(-1, rows, cols)
    tops = [np.linalg.svd(matrix)[0][:, 0] for matrix in matrices]
    tops = [top * np.sign(top[np.abs(top).argmax()]) for top in tops]
    places = range(rows * cols)
    return {
        "masked row": np.array([[matrix[place // cols] for place in places] for matrix in shown]),
        "entry": matrices.reshape(len(matrices), -1, 1),
        "singular vector": np.array([[top for _ in places] for top in tops]),
    }


def cosines(prediction: np.ndarray, target: np.ndarray) -> list[float]:
    """Of each matrix the mean |cosine| over the positions that have a target; NaN where none has."""
    found = []
    for own, truth in zip(prediction, target, strict=True):
        norms = np.linalg.norm(own, axis=1) * np.linalg.norm(truth, axis=1)
        there = norms > 0
        found.append(float((np.abs((own * truth).sum(1))[there] / norms[there]).mean()) if there.any() else np.nan)
    return found


def slow_probes(checkpoint: Checkpoint, result: Result, n: int, seed: int) -> dict[str, Rows]:
    n_test = result.settings["test_samples"]
    train, test = checkpoint.sample(n, seed), checkpoint.sample(n_test, seed + 1)
    resids = [[trace.resid for trace in traces(checkpoint, batch)] for batch in (train, test)]
    targets, order = [probe_targets(batch) for batch in (train, test)], np.random.default_rng(seed).permutation(n)
    rows: Rows = []
    first: dict[tuple[str, str], np.ndarray] = {}
    for layer in range(checkpoint.config.model.n_layers + 1):
        x, x_test = (np.array([own[layer] for own in run]) for run in resids)
        for target, y in targets[0].items():
            truth = targets[1][target]

            def read(given: np.ndarray, at: np.ndarray, x: np.ndarray = x) -> np.ndarray:
                # LayerNorm leaves one direction of the stream at 0 up to rounding, which is not to be fitted.
                flat = given.reshape(-1, given.shape[2])
                return at @ np.linalg.lstsq(x.reshape(-1, x.shape[2]), flat, rcond=1e-6)[0]

            fit, tested, control = read(y, x), read(y, x_test), read(y[order], x_test)
            for entries in ("observed", "masked") if target == "entry" else ("all",):
                where = [parts(batch)[1]["total" if entries == "all" else entries] for batch in (train, test)]

                def errors(name: str, answers: np.ndarray, of: int, wanted: np.ndarray, where: Any = where) -> Columns:
                    squares = ((answers - wanted) ** 2).mean(2) * where[of]
                    return pooled(name, squares.sum(1), where[of].sum(1))

                def summed(answers: np.ndarray, wanted: np.ndarray = truth, where: Any = where) -> np.ndarray:
                    return (((answers - wanted) ** 2).mean(2) * where[1]).sum(1)

                if layer == 0:
                    first[target, entries] = summed(tested)

                vector = y.shape[2] > 1
                nothing = mean("test_cosine", []) | mean("cosine_gain", [])
                angles = [np.array(cosines(answers, truth)) for answers in (tested, control)] if vector else []
                used = where[1].sum(1) > 0
                rows.append(
                    {
                        "layer": layer,
                        "target": target,
                        "entries": entries,
                        "n_train": n,
                        "n_test": n_test,
                        "seed": seed,
                        "train_mse": errors("x", fit, 0, y)["x"],
                        **errors("test_mse", tested, 1, truth),
                        "train_cosine": float(np.nanmean(cosines(fit, y))) if vector else np.nan,
                        **(mean("test_cosine", angles[0]) if vector else nothing),
                        **errors("control_mse", control, 1, truth),
                        "control_cosine": float(np.nanmean(cosines(control, truth))) if vector else np.nan,
                        "constant_mse": errors("x", np.broadcast_to(y.mean((0, 1)), truth.shape), 1, truth)["x"],
                        **pooled("gain", summed(control) - summed(tested), where[1].sum(1)),
                        **(mean("cosine_gain", angles[0] - angles[1]) if vector else {}),
                        **columns("control_ratio", ratio(summed(tested), summed(control)), used),
                        **columns("first_ratio", ratio(summed(tested), first[target, entries]), used),
                    }
                )
    return {"probes": rows}


def slow_tokens(checkpoint: Checkpoint, result: Result, n: int, seed: int) -> dict[str, Rows]:
    task, rows = checkpoint.config.task, []
    for name, batch in _inputs(checkpoint, n, seed).items():
        targets, where = parts(batch)
        tokens, masked, seen = batch.inputs.numpy(), where["masked"], where["observed"]
        clean = outputs_of(checkpoint, tokens)
        for value in (None, 0.44, -0.24):
            token = 0 if value is None else 1 + round((value - task.v_min) * 10**task.decimals)
            output = outputs_of(checkpoint, np.where(seen, tokens, token))
            constant = np.full_like(targets, value or 0.0)
            to_value, control = Errors.of(output, constant, masked), Errors.of(clean, constant, masked)
            to_truth, zero = Errors.of(output, targets, masked), Errors.of(0 * targets, targets, masked)
            kept, before = Errors.of(output, targets, seen), Errors.of(clean, targets, seen)
            rows.append(
                {
                    "input": name,
                    "token": "MASK" if value is None else f"value {value:g}".replace("-", "−"),
                    "value": value or 0.0,
                    "n": n,
                    "seed": seed,
                    "n_clipped": int((seen & ((targets > task.v_max + 1e-9) | (targets < task.v_min - 1e-9))).sum()),
                    **kept.columns("observed_mse"),
                    **to_value.columns("value_mse"),
                    **control.columns("control_mse"),
                    **control.minus("copied", to_value),
                    **to_truth.columns("masked_mse"),
                    **zero.columns("zero_mse"),
                    **zero.minus("gained", to_truth),
                    **kept.minus("observed_change", before),
                }
            )
    return {"tokens": rows}


def _crossed(name: str, under: list[Errors]) -> Columns:
    """The columns of a mean over samples and permutations, from the variances of a two-way table without repeats."""
    value, sums = Errors.averaged(under).mse, np.array([one.sums for one in under]).T
    counts, (n, k) = under[0].counts, sums.shape
    effects = (sums - value * counts[:, None]) / counts.mean()  # of mean 0: their mean's error is wanted
    samples, orders = effects.mean(1), effects.mean(0)
    both = ((effects - samples[:, None] - orders) ** 2).sum() / ((n - 1) * (k - 1)) / (n * k)
    (error, a, freedom), (own, b, second) = shape(samples), shape(orders)
    variances = error**2, max(own**2 - both, 0.0)
    total = sum(variances)
    skewness = (a * error**3 + b * variances[1] ** 1.5) / total**1.5 if total else 0.0
    freedom = total**2 / (variances[0] ** 2 / freedom + variances[1] ** 2 / second) if total else freedom
    low, high = ends(value, total**0.5, skewness, freedom)
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def slow_positions(checkpoint: Checkpoint, result: Result, n: int, seed: int) -> dict[str, Rows]:
    batch = checkpoint.sample(n, seed)
    targets, where = parts(batch)
    tokens, clean = batch.inputs.numpy(), outputs_of(checkpoint, batch.inputs)
    nulls = {"rows": "on average", "columns": "on average", "transposition": "on average"}
    nulls |= {"data too": "exactly", "none": "exactly"}
    rows, each = [], []
    for kind in result.facts["kinds"]:
        errors: dict[str, list[Errors]] = {name: [] for name in ("observed", "masked", "moved o", "moved m")}
        before = {name: Errors.of(clean, targets, where[name]) for name in ("observed", "masked")}
        for number, order in enumerate(result.arrays[f"order {kind}"]):
            changed = replace(checkpoint, weights={**checkpoint.weights, W_POS: checkpoint.weights[W_POS][order]})
            there = order if kind == "data too" else np.arange(len(order))
            output = outputs_of(changed, tokens[:, there])
            for name in ("observed", "masked"):
                own = where[name][:, there]
                errors[name].append(Errors.of(output, targets[:, there], own))
                errors[f"moved {name[0]}"].append(Errors.of(output, clean[:, there], own))
            deltas = {name: errors[name][-1].minus(f"{name}_delta", before[name]) for name in before}
            each.append(
                {"kind": kind, "permutation": number, "n": n, "seed": seed, **deltas["observed"], **deltas["masked"]}
            )
        row: dict[str, object] = {"kind": kind, "null": nulls.get(kind, "no"), "n": n, "seed": seed}
        row |= {"n_permutations": len(errors["masked"])}
        row |= Errors.of(0 * targets, targets, where["masked"]).columns("zero_mse")
        for name in before:
            own = [one.mse for one in errors[name]]
            row |= before[name].columns(f"{name}_mse_clean")
            row |= {f"{name}_spread": float(np.std(own, ddof=1)) if len(own) > 1 else np.nan}
            sampled = nulls.get(kind) != "exactly" and len(own) == len(result.arrays["order all positions"])
            changes = [Errors(one.sums - before[name].sums, one.counts) for one in errors[name]]
            measured = {"mse": errors[name], "delta": changes, "moved": errors[f"moved {name[0]}"]}
            for column, under in ((f"{name}_{measure}", under) for measure, under in measured.items()):
                average = Errors.averaged(under)
                row |= _crossed(column, under) if sampled else average.columns(column)
        rows.append(row | {"masked_ratio": row["masked_mse"] / before["masked"].mse})
    return {"positions": rows, "each": each}


def slow_shift(checkpoint: Checkpoint, result: Result, n: int, seed: int) -> dict[str, Rows]:
    trained, frame = checkpoint.config.task, result.table("shift")
    rows: Rows = []
    bases: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    for given in frame.itertuples():
        full, size = given.factors == "full-rank", n if given.sweep == "law" else n // 2
        law = {"factors": given.factors, "factor_scale": given.factor_scale, "p_mask": given.p_mask}
        changes = {**law, "rank": trained.rank if full else given.rank, "out_of_range": "clip"}
        task = TaskConfig(**{**trained.model_dump(), **changes})
        batch = _batch(task, given.condition == FRESH, n, seed, size)
        targets, where = parts(batch)
        errors = Errors.of(outputs_of(checkpoint, batch.inputs), targets, where["masked"])
        zero = Errors.of(0 * targets, targets, where["masked"])
        # The base of rows with fewer matrices is the trained law with as many of them.
        if size not in bases:
            base = _batch(TaskConfig(**{**trained.model_dump(), "out_of_range": "clip"}), False, n, seed, size)
            base_targets, base_where = parts(base)
            made = outputs_of(checkpoint, base.inputs), 0 * base_targets
            bases[size] = tuple(Errors.of(answers, base_targets, base_where["masked"]).sums for answers in made)
        over, under = bases[size]

        def change(weights: np.ndarray, here: Any = (errors.sums, zero.sums), base: Any = (over, under)) -> float:
            below, other = weights @ here[1], weights @ base[1]
            return weights @ here[0] / below - weights @ base[0] / other if below and other else np.nan

        observed, bound = np.abs(targets[where["observed"]]), trained.rank * trained.factor_scale**2
        rows.append(
            {
                "sweep": given.sweep,
                "condition": given.condition,
                **law,
                "rank": min(task.rows, task.cols) if full else given.rank,
                "trained": all(getattr(task, name) == getattr(trained, name) for name in (*law, "rank")),
                "n": size,
                "seed": seed,
                "n_clipped": int((observed > task.v_max + 1e-6).sum()),
                "unseen": float((observed > round(bound, 2) + 0.005).mean()),
                **Errors.of(outputs_of(checkpoint, batch.inputs), targets, where["observed"]).columns("observed_mse"),
                **errors.columns("masked_mse"),
                **zero.columns("zero_mse"),
                **pooled("masked_ratio", errors.sums, zero.sums),
                **columns("ratio_change", change, (zero.sums > 0) | (under > 0)),
            }
        )
    return {"shift": rows}


def slow_sizes(checkpoint: Checkpoint, result: Result, n: int, seed: int) -> dict[str, Rows]:
    """Every size on its entries alone, without padding: the positions cut to those that there are."""
    task, rows = checkpoint.config.task, []
    whole = checkpoint.sample(n, seed)
    for size in task.sizes or [(task.rows, task.cols)]:
        places = [row * task.cols + col for row in range(size[0]) for col in range(size[1])]
        own = replace(checkpoint, weights={**checkpoint.weights, W_POS: checkpoint.weights[W_POS][places]})
        output = outputs_of(own, whole.inputs[:, places])
        targets, where = parts(whole)
        for entries in ("masked", "observed"):
            errors = Errors.of(output, targets[:, places], where[entries][:, places])
            zero = Errors.of(0 * output, targets[:, places], where[entries][:, places])
            rows.append(
                {
                    "size": f"{size[0]} × {size[1]}",
                    "trained": True,
                    "entries": entries,
                    "n": n,
                    "seed": seed,
                    **errors.columns("mse"),
                    **zero.columns("zero_mse"),
                    **zero.minus("gain", errors),
                    "padding_difference": np.nan if len(places) == task.n_positions else 0.0,
                }
            )
    return {"sizes": rows}
