"""Activation patching: heads' outputs of one input put into the run on its negative."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from mcinterp.analysis.errors_by_entry import EntryErrors
from mcinterp.analysis.sections import transformer
from mcinterp.analysis.statistics import interval_columns
from mcinterp.errors import InputError
from mcinterp.model import Head, HeadSet
from mcinterp.model.head_sweep import HeadChange, HeadSweep
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint

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
_SOURCE, _BASE, _OTHER = "source", "base", "another source"


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
    shape = transformer(checkpoint.config)
    everything = HeadSet.parse("all", shape.n_layers, shape.n_heads).heads
    patches = [
        *(_Patch(kind, own, _SOURCE) for kind, own in _head_sets(heads, shape.n_layers, shape.n_heads)),
        _Patch("control", HeadSet("self", everything), _BASE),
        _Patch("control", HeadSet("other matrix", everything), _OTHER),
    ]
    errors = _errors(checkpoint, patches, samples, seed)
    rows = [row for key, parts in errors.items() for row in _rows(*key, parts, samples, seed)]
    return Result(
        "patching",
        "Activation patching",
        {"heads": heads, "samples": samples, "seed": seed},
        {"directions": list(_DIRECTIONS)},
        {"patching": Table.of(COLUMNS, rows)},
    )


@dataclass(frozen=True)
class _Patch:
    """A set of heads, and whose z it is given."""

    kind: str
    heads: HeadSet
    giver: str


@dataclass(frozen=True)
class _Errors:
    """Of the patched answers: to the matrices that z came from, and to those that the model was run on."""

    to_source: EntryErrors
    to_base: EntryErrors


def _errors(
    checkpoint: Checkpoint, patches: Sequence[_Patch], samples: int, seed: int
) -> dict[tuple[str, _Patch], list[_Errors]]:
    """The errors in both directions under each patch, in parts of the batch."""
    positive = checkpoint.sample(samples, seed)
    negative = checkpoint.task.to(checkpoint.task.negated(positive), positive.inputs.device)
    sweep = HeadSweep(checkpoint.model)
    found: dict[tuple[str, _Patch], list[_Errors]] = {key: [] for key in product(_DIRECTIONS, patches)}
    for plus, minus in zip(sweep.parts(positive.inputs), sweep.parts(negative.inputs), strict=True):
        ways = (((positive, plus), (negative, minus)), ((negative, minus), (positive, plus)))
        for direction, ((source, given), (base, own)) in zip(_DIRECTIONS, ways, strict=True):
            z = {_SOURCE: given.run.z, _BASE: own.run.z, _OTHER: given.neighbours}
            to_source, to_base = source.part(given.samples), base.part(own.samples)
            changes = {patch: HeadChange(patch.heads, z[patch.giver]) for patch in patches}
            for patch, answers in sweep.answers(own.run, changes):
                errors = (EntryErrors.of(answers, batch.targets, to_base) for batch in (to_source, to_base))
                found[direction, patch].append(_Errors(*errors))
    return found


def _rows(direction: str, patch: _Patch, parts: Sequence[_Errors], samples: int, seed: int) -> list[dict[str, Any]]:
    to_source = EntryErrors.joined([part.to_source for part in parts])
    to_base = EntryErrors.joined([part.to_base for part in parts])
    return [
        {
            "direction": direction,
            "group": patch.heads.name,
            "heads": str(patch.heads),
            "kind": patch.kind,
            "entries": entries,
            "n": samples,
            "seed": seed,
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
