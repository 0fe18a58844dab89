"""Activation patching: heads' outputs of one input put into the run on its negative."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

from mcinterp.analysis.errors_by_entry import EntryErrors
from mcinterp.analysis.statistics import interval_columns
from mcinterp.errors import InputError
from mcinterp.model import Head, HeadSet
from mcinterp.model.interventions import CleanRun, clean_run, complete_with, replaced_z
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint
from mcinterp.task import MatrixBatch

COLUMNS = {
    "direction": "whose z goes into whose run",
    "group": "name of the set of heads, or of the control",
    "heads": "its heads, layer and head from 0",
    "kind": "all, layer, head, custom or control",
    "entries": "masked or observed",
    "n": "matrices",
    "seed": "seed of the batch",
    **interval_columns("mse_to_source", "MSE between the patched output and the matrix that z came from"),
    **interval_columns("mse_to_base", "MSE between the patched output and the matrix the model was run on"),
    **interval_columns("nearer", "mse_to_base − mse_to_source, paired: positive means nearer to the source"),
}
_DIRECTIONS = ("X into −X", "−X into X")


def patching(checkpoint: Checkpoint, heads: Sequence[str] | None = None, samples: int = 256, seed: int = 0) -> Result:
    """Run the model on −X while z, the heads' outputs before W_O, of chosen heads is that of X; and the other way.

    X and −X have the same mask. Two controls patch all heads: with the base run's own z (the output must not change,
    so that its error to the base stays the clean one) and with z of another matrix under its own mask (which carries
    nothing of X, so that the output must not come nearer to it).

    Args:
        checkpoint: what to look at.
        heads: sets, as `HeadSet.parse` reads them; None for all heads, each layer and each head.
        samples: matrices, at least 2.
        seed: of the batch.

    Returns:
        table `patching`. Source: Sec. 3.2.2 and App. F of arXiv 2410.22244.
    """
    if samples < 2:
        raise InputError(f"patching: samples must be at least 2, got {samples}")
    shape = checkpoint.config.model
    positive = checkpoint.sample(samples, seed)
    negative = checkpoint.task.to(checkpoint.task.negated(positive), positive.inputs.device)
    runs = {id(batch): clean_run(checkpoint.model, batch.inputs) for batch in (positive, negative)}
    rows = []
    for direction, (source, base) in zip(_DIRECTIONS, ((positive, negative), (negative, positive)), strict=True):
        pair = _Pair(checkpoint, source, base, runs[id(source)], runs[id(base)], seed)
        for kind, head_set in _head_sets(heads, shape.n_layers, shape.n_heads):
            rows += pair.rows(direction, kind, head_set, pair.source_run.z)
        everything = HeadSet.parse("all", shape.n_layers, shape.n_heads)
        rows += pair.rows(direction, "control", HeadSet("self", everything.heads), pair.base_run.z)
        shifted = [z.roll(1, dims=0) for z in pair.source_run.z]
        rows += pair.rows(direction, "control", HeadSet("other matrix", everything.heads), shifted)
    return Result(
        "patching",
        "Activation patching",
        {"heads": heads, "samples": samples, "seed": seed},
        {"directions": list(_DIRECTIONS)},
        {"patching": Table.of(COLUMNS, rows)},
    )


class _Pair:
    """A source batch and a base batch, with their clean runs."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        source: MatrixBatch,
        base: MatrixBatch,
        source_run: CleanRun,
        base_run: CleanRun,
        seed: int,
    ) -> None:
        self.checkpoint, self.source, self.base = checkpoint, source, base
        self.source_run, self.base_run, self.seed = source_run, base_run, seed

    def rows(self, direction: str, kind: str, heads: HeadSet, z: Sequence[Any]) -> list[dict[str, Any]]:
        output = complete_with(self.checkpoint.model, self.base_run, heads, replaced_z(heads, z))
        to_source = EntryErrors.of(output, self.source.targets, self.base)
        to_base = EntryErrors.of(output, self.base.targets, self.base)
        return [
            {
                "direction": direction,
                "group": heads.name,
                "heads": str(heads),
                "kind": kind,
                "entries": entries,
                "n": len(self.base),
                "seed": self.seed,
                **to_source.mse(entries).columns("mse_to_source"),
                **to_base.mse(entries).columns("mse_to_base"),
                **to_base.minus(to_source, entries).columns("nearer"),
            }
            for entries in ("masked", "observed")
        ]


def _head_sets(names: Sequence[str] | None, n_layers: int, n_heads: int) -> list[tuple[str, HeadSet]]:
    if names is not None:
        return [("custom", HeadSet.parse(name, n_layers, n_heads)) for name in names]
    layers = [f"layer:{layer}" for layer in range(n_layers)]
    singles = [str(Head(*pair)) for pair in product(range(n_layers), range(n_heads))]
    named = [("all", "all"), *(("layer", name) for name in layers), *(("head", name) for name in singles)]
    return [(kind, HeadSet.parse(name, n_layers, n_heads)) for kind, name in named]
