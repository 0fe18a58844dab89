"""Position sensitivity: what the errors become when positions carry the embeddings of other positions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from mcinterp.analysis.statistics import Estimate, Floats, crossed_estimate, interval_columns, pooled_estimate
from mcinterp.errors import InputError
from mcinterp.model.blocks import Blocks
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint
from mcinterp.studies.matrix_completion.entry_errors import EntryErrors
from mcinterp.studies.matrix_completion.passes import permutations
from mcinterp.studies.matrix_completion.passes.permutations import Order
from mcinterp.studies.matrix_completion.task.batch import MatrixBatch

NULL = {
    "transposition": "on average",
    "rows": "on average",
    "columns": "on average",
    "data too": "exactly",
    "none": "exactly",
}
"""Kinds whose change of the mean errors is 0 whatever the model, and in which sense."""
CONTROLS = 2
"""Permutations of the kind that changes nothing at all, and needs no average."""
SAMPLED = ("all positions", "row membership", "column membership", "rows", "columns")
"""Kinds of which the permutations are drawn from many, so that they are a sample."""

_ENTRIES = ("observed", "masked")
COLUMNS = {
    "kind": "which positional embeddings were exchanged. all positions: any with any; row membership: within each "
    "column on its own, so that the column stays but which entries share a row is broken; column membership: within "
    "each row on its own; rows, columns: whole rows or columns with each other, so that both memberships stay; "
    "transposition: row with column; data too: all positions, and entries, masks and targets with them; none",
    "null": "whether the change of the mean errors is 0 whatever the model: exactly, on average (matrices and masks "
    "with exchanged rows or columns are as likely as before) or no",
    "n_permutations": "random permutations, averaged over",
    "n": "matrices, the same under every permutation",
    "seed": "seed of matrices, masks and permutations",
    **interval_columns("observed_mse_clean", "L_obs of the model as it is"),
    **interval_columns("observed_mse", "L_obs with permuted positions"),
    **interval_columns(
        "observed_delta",
        "observed_mse − observed_mse_clean, paired over matrices; its interval, as all of permuted positions, is for "
        "the mean over all matrices and all permutations of the kind, of which those here are a sample",
    ),
    "observed_spread": "standard deviation of observed_mse over the permutations",
    **interval_columns("masked_mse_clean", "L_mask of the model as it is"),
    **interval_columns("masked_mse", "L_mask with permuted positions"),
    "masked_ratio": "masked_mse / masked_mse_clean",
    **interval_columns("masked_delta", "masked_mse − masked_mse_clean, paired over matrices"),
    "masked_spread": "standard deviation of masked_mse over the permutations",
    **interval_columns("zero_mse", "L_mask of answering 0"),
    **interval_columns("observed_moved", "mean square by which the output moves at observed entries"),
    **interval_columns(
        "masked_moved",
        "mean square by which the output moves at masked entries (data too: beyond moving with its entry): 0 for a "
        "model that does not tell the exchanged positions apart",
    ),
}
EACH_COLUMNS = {
    "kind": "as in the positions table",
    "permutation": "number of the permutation, from 0; its order is in the array of the kind",
    "n": "matrices",
    "seed": "seed of matrices, masks and permutations",
    **interval_columns("observed_delta", "change of L_obs, paired over matrices"),
    **interval_columns("masked_delta", "change of L_mask, paired over matrices"),
}


def position_sensitivity(checkpoint: Checkpoint, n_permutations: int = 8, samples: int = 256, seed: int = 0) -> Result:
    """Permute the positional embeddings, and compare the errors, matrix by matrix, with those of the whole model.

    The encoder treats positions alike but for their embeddings, so that running it with permuted embeddings is running
    it on a matrix permuted the other way and putting its answers back. Two things follow. Permuting entries, masks and
    targets together with the embeddings changes nothing at all: the control *data too*, beside the empty permutation.
    And exchanging whole rows or whole columns of the embeddings, or transposing a square, leaves the *mean* errors of
    every model as they are, because such a matrix and mask are as likely as before: these are controls for the errors,
    null up to sampling. What they do ask is whether the model uses a row's identity beyond which entries share the row:
    if so, single outputs move, which `masked_moved` measures. Which membership the errors hang on is asked by breaking
    the one and keeping the other.

    Args:
        checkpoint: what to look at.
        n_permutations: random permutations of each kind, at least 1; fewer where there are not as many.
        samples: matrices, at least 2.
        seed: of matrices, masks and permutations.

    Returns:
        tables `positions`, a row for each kind, and `each`, a row for each permutation; an array of each kind's
        permutations. Source: Sec. 3.2.1 of arXiv 2410.22244.
    """
    if samples < 2 or n_permutations < 1:
        needs = "needs at least 2 samples and 1 permutation of a kind"
        raise InputError(f"position_sensitivity: {needs}, got {samples} and {n_permutations}")
    batch = checkpoint.sample(samples, seed)
    blocks = Blocks(checkpoint.encoder)
    clean = blocks.complete(batch.inputs)
    n_rows, n_cols = batch.shape
    orders = _orders(n_rows, n_cols, n_permutations, seed)
    # Fewer than were asked for are all there are, and no sample.
    sampled = [name for name in SAMPLED if len(orders[name]) == n_permutations]
    kinds = [_Kind.of(blocks, batch, clean, name, own, name in sampled) for name, own in orders.items() if own]
    clean_errors = EntryErrors.of(clean, batch.targets, batch)
    zero = EntryErrors.of(torch.zeros_like(clean), batch.targets, batch)
    about = {"n": samples, "seed": seed}
    rows = [about | kind.row(clean_errors, zero) for kind in kinds]
    each = [about | row for kind in kinds for row in kind.each(clean_errors)]
    arrays = {f"order {kind.name}": np.stack(orders[kind.name]) for kind in kinds}
    return Result(
        "positions",
        "Position sensitivity",
        {"n_permutations": n_permutations, "samples": samples, "seed": seed},
        {"kinds": [kind.name for kind in kinds], "axes": {key: ["permutation", "position"] for key in arrays}},
        {
            "positions": Table.of(COLUMNS, [{name: row[name] for name in COLUMNS} for row in rows]),
            "each": Table.of(EACH_COLUMNS, each),
        },
        arrays,
    )


def _orders(rows: int, cols: int, count: int, seed: int) -> dict[str, list[Order]]:
    """The permutations of each kind; a kind that the matrix is too small for has none."""
    generator = np.random.default_rng(seed)
    size = (rows, cols, count, generator)
    everything = permutations.everything(*size)
    return {
        "all positions": everything,
        "row membership": permutations.within_columns(*size),
        "column membership": permutations.within_rows(*size),
        "rows": permutations.whole_rows(*size),
        "columns": permutations.whole_columns(*size),
        "transposition": permutations.transposition(rows, cols),
        "data too": everything[:CONTROLS],
        "none": permutations.identity(rows, cols),
    }


@dataclass(frozen=True)
class _Kind:
    """A kind of permutation, with the errors under each of its permutations and how far the outputs moved.

    Attributes:
        sampled: whether the permutations are a sample of many.
    """

    name: str
    errors: list[EntryErrors]
    moved: list[EntryErrors]
    sampled: bool

    @classmethod
    def of(
        cls,
        blocks: Blocks,
        batch: MatrixBatch,
        clean: torch.Tensor,
        name: str,
        orders: Sequence[Order],
        sampled: bool,
    ) -> _Kind:
        errors, moved = [], []
        for order in orders:
            given = _permuted(batch, order) if name == "data too" else batch
            expected = clean[:, order] if name == "data too" else clean
            output = blocks.with_positions(order.tolist()).complete(given.inputs)
            errors.append(EntryErrors.of(output, given.targets, given))
            moved.append(EntryErrors.of(output, expected, given))
        return cls(name, errors, moved, sampled)

    def row(self, clean: EntryErrors, zero: EntryErrors) -> dict[str, Any]:
        mse = {entries: [float(errors.mse(entries).value) for errors in self.errors] for entries in _ENTRIES}
        row: dict[str, Any] = {
            "kind": self.name,
            "null": NULL.get(self.name, "no"),
            "n_permutations": len(self.errors),
            **zero.mse("masked").columns("zero_mse"),
        }
        for entries in _ENTRIES:
            row |= {
                **clean.mse(entries).columns(f"{entries}_mse_clean"),
                **self._average(self.errors, entries).columns(f"{entries}_mse"),
                f"{entries}_spread": float(np.std(mse[entries], ddof=1)) if len(self.errors) > 1 else float("nan"),
                **self._average(self.errors, entries, clean).columns(f"{entries}_delta"),
                **self._average(self.moved, entries).columns(f"{entries}_moved"),
            }
        ratio = row["masked_mse"] / row["masked_mse_clean"] if row["masked_mse_clean"] else float("nan")
        return row | {"masked_ratio": ratio}

    def each(self, clean: EntryErrors) -> list[dict[str, Any]]:
        deltas = [
            {
                column: value
                for entries in _ENTRIES
                for column, value in errors.minus(clean, entries).columns(f"{entries}_delta").items()
            }
            for errors in self.errors
        ]
        return [{"kind": self.name, "permutation": index, **delta} for index, delta in enumerate(deltas)]

    def _average(self, errors: Sequence[EntryErrors], entries: str, clean: EntryErrors | None = None) -> Estimate:
        """The mean error over permutations, or its change, with an interval over matrices and permutations."""
        sums: Floats = np.stack([part.sums[entries] for part in errors], axis=1)
        if clean:
            sums = sums - clean.sums[entries][:, None]
        counts = errors[0].counts[entries]
        return crossed_estimate(sums, counts) if self.sampled else pooled_estimate(sums.mean(1), counts)


def _permuted(batch: MatrixBatch, order: Order) -> MatrixBatch:
    """The batch with its entries in another order: position p holds what `order[p]` held."""
    return replace(
        batch,
        inputs=batch.inputs[:, order],
        targets=batch.targets[:, order],
        observed=batch.observed[:, order],
    )
