"""What is answered while the loss stands still, written from its definitions, matrix by matrix and head by head."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
from slow_answers import outputs_of
from slow_attention import Rows, heads_of, name_of
from slow_encoder import Trace, run_slowly
from slow_heads import Changed
from slow_statistics import Columns, columns, estimate, mean, ratio

from mcinterp.results import Result
from mcinterp.runs import Checkpoint, Run
from mcinterp.studies.matrix_completion.passes.shelf_answers import TIMES, permuted_inputs
from mcinterp.studies.matrix_completion.task.batch import MatrixBatch

DEGREES = {"best symmetric, degree 3": 3, "best symmetric, degree 5": 5}
PRODUCTS = {1: [(1,)], 3: [(3,), (2, 1), (1, 1, 1)], 5: [(5,), (4, 1), (3, 2), (3, 1, 1), (2, 2, 1)]}
PRODUCTS[5] += [(2, 1, 1, 1), (1, 1, 1, 1, 1)]
"""Products of elementary symmetric polynomials, another basis than that of the power sums."""


def elementary(values: np.ndarray) -> list[float]:
    """Sums of the products of k different values, k from 0 to 5, one value after the other."""
    sums = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    for value in values:
        for k in range(5, 0, -1):
            sums[k] += value * sums[k - 1]
    return sums


def shown_values(batch: MatrixBatch) -> list[np.ndarray]:
    """The observed entries of every matrix."""
    return [own[seen] for own, seen in zip(batch.targets.double().numpy(), batch.observed.numpy(), strict=True)]


def terms(batch: MatrixBatch, degree: int) -> np.ndarray:
    """(n, term)."""
    wanted = [own for size in range(1, degree + 1, 2) for own in PRODUCTS[size]]
    sums = [elementary(values) for values in shown_values(batch)]
    return np.array([[np.prod([each[k] for k in own]) for own in wanted] for each in sums])


def best_symmetric(batch: MatrixBatch, others: MatrixBatch, degree: int) -> np.ndarray:
    """Fitted on every masked entry of others; (n,)."""
    known, targets, observed = terms(others, degree), others.targets.double().numpy(), others.observed.numpy()
    rows = [(known[i], targets[i, e]) for i in range(len(known)) for e in np.flatnonzero(~observed[i])]
    design, wanted = np.array([row for row, _ in rows]), np.array([target for _, target in rows])
    size = np.sqrt((design**2).mean(0))
    return terms(batch, degree) / size @ np.linalg.lstsq(design / size, wanted)[0]


def product_of(matrix: np.ndarray) -> np.ndarray:
    """Of every entry the sum of X_ik X_lk X_lj."""
    rows, cols = matrix.shape
    return np.array(
        [
            sum(matrix[i, k] * matrix[a, k] * matrix[a, j] for a in range(rows) for k in range(cols))
            for i in range(rows)
            for j in range(cols)
        ]
    )


class Masked:
    """Statistics of answers over the masked entries of a batch."""

    def __init__(self, batch: MatrixBatch) -> None:
        self.where = (~batch.observed.numpy()).astype(float)
        self.used = self.where.sum(1) > 0

    def pearson(self, x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> float:
        at = self.where * weights[:, None]
        a, b = (values - (at * values).sum() / at.sum() for values in (x, y))
        return float((at * a * b).sum() / np.sqrt((at * a**2).sum() * (at * b**2).sum()))

    def correlation(self, name: str, x: np.ndarray, y: np.ndarray) -> Columns:
        value, low, high, _ = estimate(lambda weights: self.pearson(x, y, weights), self.used)
        return {name: value, f"{name}_low": max(low, -1.0), f"{name}_high": min(high, 1.0)}

    def behind(self, x: np.ndarray, nearest: np.ndarray, y: np.ndarray) -> Columns:
        return columns("behind", lambda w: self.pearson(x, nearest, w) - self.pearson(x, y, w), self.used)

    def intraclass(self, name: str, x: np.ndarray) -> Columns:
        """Two answers to a matrix, in every order, beside all answers; a matrix counts by its answers."""
        own = [row[where > 0] for row, where in zip(x, self.where, strict=True) if where.sum() > 1]

        def statistic(weights: np.ndarray) -> float:
            total = sum(w * len(values) for w, values in zip(weights, own, strict=True))
            centre = sum(w * values.sum() for w, values in zip(weights, own, strict=True)) / total
            spread = sum(w * ((values - centre) ** 2).sum() for w, values in zip(weights, own, strict=True))
            together = 0.0
            for w, values in zip(weights, own, strict=True):
                products = [first * second for first, second in combinations(values - centre, 2)]
                together += w * len(values) * float(np.mean(products))
            return float(together / spread)

        return columns(name, statistic, np.ones(len(own), bool))

    def over(self, name: str, parts: np.ndarray, whole: np.ndarray) -> Columns:
        """Of sums over masked entries; none where the whole is not told from 0."""
        above, below = (self.where * parts).sum(1), (self.where * whole).sum(1)
        about = mean("sum", below)
        if about["sum_low"] <= 0 <= about["sum_high"]:
            return dict.fromkeys((name, f"{name}_low", f"{name}_high"), np.nan)
        return columns(name, ratio(above, below), np.ones(len(above), bool))


def place_means(answers: np.ndarray, where: np.ndarray) -> np.ndarray:
    """At each place the mean answer to the other half's matrices that are masked there; else to all their entries."""
    n, found = len(answers), np.empty_like(answers)
    for i, place in product(range(n), range(answers.shape[1])):
        other = range(n // 2, n) if i < n // 2 else range(n // 2)
        there = [answers[k, place] for k in other if where[k, place]]
        everywhere = [answers[k, e] for k in other for e in np.flatnonzero(where[k])]
        found[i, place] = np.mean(there or everywhere)
    return found


def dealt(answers: np.ndarray, where: np.ndarray) -> np.ndarray:
    """The answers at a place, each given to the matrix so many further on, of those that are masked there."""
    found = np.zeros_like(answers)
    for place in range(answers.shape[1]):
        masked = np.flatnonzero(where[:, place])
        for at, matrix in enumerate(masked):
            found[matrix, place] = answers[masked[(at - place - 1) % len(masked)], place]
    return found


def judged(row: Columns, best: Columns) -> str:
    """The verdict; correlations are estimates of their own, whose difference has an interval of both."""
    apart = best["correlation"] - best["control"]
    low = apart - np.hypot(best["correlation"] - best["correlation_low"], best["control_high"] - best["control"])
    high = apart + np.hypot(best["correlation_high"] - best["correlation"], best["control"] - best["control_low"])
    little = low >= -0.1 and high <= 0.1
    if row["between_low"] > 0.5 and low > 0 and not little and row["gain_high"] < 0.05:
        return "shelf"
    none = row["between_high"] < 0.5 or high < 0 or little or row["gain_low"] > 0.05
    return "none" if none else "undecided"


def slow_shelf(run: Run, result: Result, n: int, seed: int) -> dict[str, Rows]:
    last = run.checkpoint("last")
    batch, others = last.sample(n, seed), last.sample(TIMES * n, seed + 1)
    masked, targets, half = Masked(batch), batch.targets.double().numpy(), n // 2
    numbers: dict[str, np.ndarray] = {
        "sum": np.array([values.sum() for values in shown_values(batch)]),
        "triples": np.array([sum(a * b * c for a, b, c in combinations(own, 3)) for own in shown_values(batch)]),
    }
    numbers["sum cubed"] = numbers["sum"] ** 3
    numbers |= {name: best_symmetric(batch, others, degree) for name, degree in DEGREES.items()}
    wide = {name: np.tile(own[:, None], (1, targets.shape[1])) for name, own in numbers.items()}
    shown = (targets * batch.observed.numpy()).reshape(-1, *batch.shape)
    wide |= {"X Xᵀ X": np.array([product_of(matrix) for matrix in shown]), "truth": targets}
    best = wide["best symmetric, degree 5"]
    floor = masked.intraclass("x", outputs_of(Checkpoint.untrained(run.config, seed + 1), batch.inputs))["x"]
    tables: dict[str, Rows] = {"answers": [], "candidates": []}
    for step in run.steps:
        checkpoint, about = run.checkpoint(step), {"step": step, "n": n, "seed": seed}
        own, again = (outputs_of(checkpoint, inputs) for inputs in (batch.inputs, permuted_inputs(batch, seed)))
        far = np.array([again[i - half] for i in range(n)])
        worth, possible = (targets**2 - (answers - targets) ** 2 for answers in (own, best))
        row: dict[str, object] = {
            **about,
            **masked.over("size", own**2, targets**2),
            **masked.intraclass("between", own),
            **masked.intraclass("dealt_between", dealt(own, masked.where)),
            "untrained_between": floor,
            **masked.correlation("symmetry", own, again),
            **masked.correlation("other_symmetry", own, far),
            **masked.over("gain", worth, targets**2),
            **masked.over("possible", possible, targets**2),
            **masked.over("short", possible - worth, targets**2),
        }
        followed = {"place": place_means(own, masked.where), **wide}
        ones = np.ones(n)
        nearest = max(
            (name for name in followed if name != "truth"), key=lambda name: masked.pearson(own, followed[name], ones)
        )
        for name in result.facts["kinds"]:
            other = np.array([followed[name][i - half] for i in range(n)])
            null = masked.correlation("control", own, other)
            tables["candidates"].append(
                {
                    **about,
                    "candidate": name,
                    **masked.correlation("correlation", own, followed[name]),
                    **(dict.fromkeys(null, np.nan) if name == "place" else null),
                    **masked.behind(own, followed[nearest], followed[name]),
                }
            )
        five = next(each for each in tables["candidates"][::-1] if each["candidate"] == "best symmetric, degree 5")
        tables["answers"].append({**row, "verdict": judged(row, five)})  # type: ignore[arg-type]
    return {**tables, "heads": head_rows(run.checkpoint(result.facts["looked_at"]), batch, best, seed)}


def head_rows(checkpoint: Checkpoint, batch: MatrixBatch, best: np.ndarray, seed: int) -> Rows:
    """What goes with all heads, none, each layer and each head, by every method."""
    masked, changed, n = Masked(batch), Changed(checkpoint, batch), len(batch)
    other = np.array([best[i - n // 2] for i in range(n)])
    clean = np.array([trace.output for trace in changed.clean])
    negated = checkpoint.task.counterpart(batch).inputs.numpy()
    base, heads = outputs_of(checkpoint, negated), heads_of(checkpoint)
    layers = sorted({layer for layer, _ in heads})
    sets = {"all": heads, "none": [], **{f"layer:{own}": [h for h in heads if h[0] == own] for own in layers}}
    sets |= {name_of(head): [head] for head in heads}
    rows: Rows = []
    for method, (group, own) in product(("uniform", "zero", "mean", "patch"), sets.items()):
        if method == "patch":
            answers = np.array(
                [patched(checkpoint, *each, own).output for each in zip(negated, changed.clean, strict=True)]
            )
            moved, way = answers - base, clean - base
        else:
            answers = np.array(changed.outputs(method, frozenset(own)))
            moved, way = clean - answers, clean
        rows.append(
            {
                "step": checkpoint.step,
                "group": group,
                "heads": ",".join(map(name_of, own)) or "no heads",
                "method": method,
                "n": n,
                "seed": seed,
                **masked.over("share", moved * best, way * best),
                **masked.over("other_share", moved * other, way * best),
                **masked.intraclass("between", answers),
            }
        )
    return rows


def patched(checkpoint: Checkpoint, tokens: np.ndarray, source: Trace, heads: list[tuple[int, int]]) -> Trace:
    """A run with the z of heads from another."""

    def z(layer: int, head: int, value: np.ndarray) -> np.ndarray:
        return source.z[layer, head] if (layer, head) in heads else value

    return run_slowly(checkpoint, tokens, edit_z=z)
