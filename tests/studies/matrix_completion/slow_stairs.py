"""Which entries are right first, written from its definitions, matrix by matrix, entry by entry."""

from __future__ import annotations

import numpy as np
from slow_answers import outputs_of
from slow_attention import Rows, heads_of, name_of
from slow_heads import Changed
from slow_statistics import Columns, columns, mean, ratio

from mcinterp.results import Result
from mcinterp.runs import Checkpoint, Run
from mcinterp.studies.matrix_completion.passes.stairs_bins import Labels, binned
from mcinterp.studies.matrix_completion.task.batch import MatrixBatch

PLACED = ("row", "column")


def value_of(kind: str, matrix: np.ndarray, seen: np.ndarray, row: int, col: int) -> float:
    """What a masked entry is binned by; the rank is 1."""
    if kind in PLACED:
        return float(row if kind == "row" else col)
    if kind == "observed":
        return float(seen[row].sum() + seen[:, col].sum())
    rows, cols = seen.shape
    pivots = [
        abs(matrix[k, j])
        for k in range(rows)
        for j in range(cols)
        if k != row and j != col and seen[k, j] and seen[row, j] and seen[k, col]
    ]
    return max(pivots, default=0.0)


def values_of(kind: str, batch: MatrixBatch) -> list[list[tuple[int, float]]]:
    """Of each matrix its masked entries, with what they are binned by."""
    shape = batch.shape
    matrices = batch.targets.double().numpy().reshape(-1, *shape)
    return [
        [(at, value_of(kind, matrix, seen.reshape(shape), *divmod(at, shape[1]))) for at in np.flatnonzero(~seen)]
        for matrix, seen in zip(matrices, batch.observed.numpy(), strict=True)
    ]


def chosen(values: list[list[tuple[int, float]]], low: float, high: float, shape: tuple[int, int]) -> np.ndarray:
    """Which entries are in a bin: those whose value is between its ends, but for rounding."""
    where = np.zeros(shape, bool)
    for matrix, own in enumerate(values):
        for entry, value in own:
            where[matrix, entry] = low - 1e-9 <= value <= high + 1e-9
    return where


def compared(parts: np.ndarray, zero: np.ndarray, inside: np.ndarray, outside: np.ndarray, name: str) -> Columns:
    """A ratio of sums over some entries minus that over others."""
    above, below, far_above, far_below = (
        (part * where).sum(1) for where in (inside, outside) for part in (parts, zero)
    )
    used = (below > 0) | (far_below > 0)
    return columns(name, lambda w: ratio(above, below)(w) - ratio(far_above, far_below)(w), used)


def over(name: str, parts: np.ndarray, zero: np.ndarray, where: np.ndarray) -> Columns:
    above, below = (parts * where).sum(1), (zero * where).sum(1)
    if not mean("sum", below)["sum_low"] > 0:
        return dict.fromkeys((name, f"{name}_low", f"{name}_high"), np.nan)
    return columns(name, ratio(above, below), np.ones(len(above), bool))


def binned_rows(
    kinds: dict[str, Labels],
    names: tuple[str, ...],
    batch: MatrixBatch,
    parts: np.ndarray,
    first: str,
    about: dict[str, object],
) -> Rows:
    """Rows of bins of any sums over entries."""
    zero, rows = batch.targets.double().numpy() ** 2, []
    for kind in names:
        values, own = values_of(kind, batch), kinds[kind]
        masked = ~batch.observed.numpy()
        for index, (name, low, high) in enumerate(own.bins):
            where, mixed = chosen(values, low, high, masked.shape), own.shuffled == index
            assert mixed.sum() == where.sum()
            rows.append(
                {
                    **about,
                    "by": kind,
                    "bin": name,
                    "low": low,
                    "high": high,
                    "entries": int(where.sum()),
                    **over(first, parts, zero, where),
                    **compared(parts, zero, where, masked & ~where, "apart"),
                    **compared(parts, zero, mixed, masked & ~mixed, "shuffled_apart"),
                }
            )
    return rows


def slow_stairs(run: Run, result: Result, n: int, seed: int) -> dict[str, Rows]:
    last = run.checkpoint("last")
    batch = last.sample(n, seed)
    # Only which bins there are, and how their labels are dealt out, is taken from there.
    kinds = binned(last, batch, (~batch.observed).double().numpy(), seed)
    targets, about = batch.targets.double().numpy(), {"n": n, "seed": seed}
    bins: Rows = []
    for step in run.steps:
        errors = (outputs_of(run.checkpoint(step), batch.inputs) - targets) ** 2
        bins += binned_rows(kinds, tuple(result.facts["kinds"]), batch, errors, "left", {"step": step, **about})
    spreads = {}
    for step in run.steps:
        here = [row for row in bins if row["step"] == step]
        by_row = [float(row["left"]) for row in here if row["by"] == "row"]
        if np.nanmean(by_row) < 0.95:
            spreads[step] = float(np.nanstd([float(row["apart"]) for row in here if row["by"] in PLACED]))
    looked = max(spreads, key=lambda step: spreads[step]) if spreads else run.steps[-1]
    return {"bins": bins, "heads": head_rows(run.checkpoint(looked), batch, kinds, about)}


def head_rows(checkpoint: Checkpoint, batch: MatrixBatch, kinds: dict[str, Labels], about: dict[str, object]) -> Rows:
    changed, targets = Changed(checkpoint, batch), batch.targets.double().numpy()
    clean = (np.array([trace.output for trace in changed.clean]) - targets) ** 2
    rows: Rows = []
    for head in heads_of(checkpoint):
        harm = (np.array(changed.outputs("mean", frozenset([head]))) - targets) ** 2 - clean
        start = {"step": checkpoint.step, "head": name_of(head), **about}
        rows += binned_rows(kinds, PLACED, batch, harm, "harm", start)
    return rows
