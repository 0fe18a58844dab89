"""Components switched along training: between neighbouring checkpoints, and from each into the last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mcinterp.analysis.errors_by_entry import EntryErrors
from mcinterp.analysis.statistics import interval_columns
from mcinterp.analysis.weight_bench import WeightBench
from mcinterp.model.components import Component
from mcinterp.runs import Checkpoint, Run

INTO_LAST, BACK, FORTH = "into the last", "later → earlier", "earlier → later"
EVERYTHING = "everything"
TOLERANCE = 0.05
"""A component counts as exchangeable while it raises the masked error by less than this share of the plateau."""

EXCHANGE_COLUMNS = {
    "comparison": f"{INTO_LAST}: from each checkpoint into the last; {BACK}, {FORTH}: between neighbours",
    "component": "what is switched; everything is the donor itself, as table pre_post confirms",
    "donor_step": "checkpoint that the component comes from",
    "recipient_step": "checkpoint that it goes into",
    "n": "matrices",
    "seed": "seed of the batch",
    **interval_columns("recipient_mse", "L_mask of the recipient as it is"),
    **interval_columns("donor_mse", "L_mask of the donor as it is"),
    **interval_columns("change", "change of the recipient's L_mask, paired over matrices"),
}
EXCHANGEABLE_COLUMNS = {
    "component": "what is switched into the last checkpoint",
    "n": "matrices",
    "seed": "seed of the batch",
    "plateau": "masked error that the tolerance is a share of",
    "tolerance": "largest increase of L_mask of the last checkpoint that counts as none",
    "from_step": "first checkpoint from which on the upper end of the increase's 95 % interval stays below the "
    "tolerance; empty if only the last does",
    "failing_step": "last checkpoint whose component is not exchangeable; empty if every one is",
    **interval_columns("failing_change", "increase of L_mask with that component, paired over matrices"),
    "checkpoints": "checkpoints before the last that were looked at",
}


def exchange_rows(
    run: Run, steps: Sequence[int], components: Sequence[str], bench: WeightBench, neighbours: WeightBench
) -> list[dict[str, Any]]:
    """Every switch along training; three checkpoints' weights are held at a time.

    Args:
        run: the run.
        steps: its checkpoints to compare, in order.
        components: what to switch; everything is added, as the reference: it is the donor itself.
        bench: the matrices of the switches into the last checkpoint.
        neighbours: those of the switches between neighbours.
    """
    final = run.checkpoint(steps[-1])
    last = _Model.of(final, bench)
    chosen = [Component.parse(name, final.weights) for name in (*components, EVERYTHING)]
    earlier: _Model | None = None
    rows = []
    for step in steps:
        checkpoint = final if step == final.step else run.checkpoint(step)
        rows += _rows(bench, INTO_LAST, _Model.of(checkpoint, bench), last, chosen)
        current = _Model.of(checkpoint, neighbours)
        if earlier:
            rows += _rows(neighbours, BACK, current, earlier, chosen)
            rows += _rows(neighbours, FORTH, earlier, current, chosen)
        earlier = current
    return rows


def exchangeable_rows(exchange: Sequence[dict[str, Any]], plateau: float) -> list[dict[str, Any]]:
    """For each component, from when on it is as good in the last checkpoint as the last one's own."""
    into_last = [
        row for row in exchange if row["comparison"] == INTO_LAST and row["donor_step"] != row["recipient_step"]
    ]
    names = dict.fromkeys(row["component"] for row in into_last)
    return [_exchangeable([row for row in into_last if row["component"] == name], plateau) for name in names]


class _Model:
    """A checkpoint's weights with its own errors."""

    def __init__(self, checkpoint: Checkpoint, errors: EntryErrors) -> None:
        self.step, self.weights, self.errors = checkpoint.step, checkpoint.weights, errors

    @classmethod
    def of(cls, checkpoint: Checkpoint, bench: WeightBench) -> _Model:
        return cls(checkpoint, bench.errors(checkpoint.weights))


def _rows(
    bench: WeightBench, comparison: str, donor: _Model, recipient: _Model, components: Sequence[Component]
) -> list[dict[str, Any]]:
    return [_row(bench, comparison, donor, recipient, component) for component in components]


def _row(bench: WeightBench, comparison: str, donor: _Model, recipient: _Model, component: Component) -> dict[str, Any]:
    everything = component.name == EVERYTHING
    switched = donor.errors if everything else bench.switched(donor.weights, recipient.weights, component)
    return {
        "comparison": comparison,
        "component": component.name,
        "donor_step": donor.step,
        "recipient_step": recipient.step,
        **bench.sizes(),
        **recipient.errors.mse("masked").columns("recipient_mse"),
        **donor.errors.mse("masked").columns("donor_mse"),
        **switched.minus(recipient.errors, "masked").columns("change"),
    }


def _exchangeable(rows: Sequence[dict[str, Any]], plateau: float) -> dict[str, Any]:
    """One component's row, from its switches into the last checkpoint in the order of steps."""
    tolerance = TOLERANCE * plateau
    failing = [row for row in rows if not row["change_high"] < tolerance]
    after = [row["donor_step"] for row in rows if not failing or row["donor_step"] > failing[-1]["donor_step"]]
    worst = failing[-1] if failing else {}
    return {
        "component": rows[0]["component"],
        "n": rows[0]["n"],
        "seed": rows[0]["seed"],
        "plateau": plateau,
        "tolerance": tolerance,
        "from_step": after[0] if after else np.nan,
        "failing_step": worst.get("donor_step", np.nan),
        **{f"failing_change{end}": worst.get(f"change{end}", np.nan) for end in ("", "_low", "_high")},
        "checkpoints": len(rows),
    }
