"""Components switched along training: between neighbouring checkpoints, and from each into the last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mcinterp.analysis.passes.weight_bench import WeightBench
from mcinterp.analysis.sample_scores import SampleScores, main_score
from mcinterp.analysis.statistics import interval_columns
from mcinterp.model.components import Component
from mcinterp.runs import Checkpoint, Run

INTO_LAST, BACK, FORTH = "into the last", "later → earlier", "earlier → later"
EVERYTHING = "everything"
TOLERANCE = 0.05
"""A component counts as exchangeable while it raises the main score by less than this share of the plateau."""


def exchange_columns(task: Any) -> dict[str, str]:
    """Columns of the table `exchange`, for a task."""
    unit, main = task.score_unit, task.sample_score_kinds[main_score(task)].meaning
    return {
        "comparison": f"{INTO_LAST}: from each checkpoint into the last; {BACK}, {FORTH}: between neighbours",
        "component": "what is switched; everything is the donor itself, as table pre_post confirms",
        "donor_step": "checkpoint that the component comes from",
        "recipient_step": "checkpoint that it goes into",
        "n": task.sample_names[1],
        "seed": "seed of the batch",
        **interval_columns(f"recipient_{unit}", f"{main} of the recipient as it is"),
        **interval_columns(f"donor_{unit}", f"{main} of the donor as it is"),
        **interval_columns("change", f"change of the recipient's {main}, paired over {task.sample_names[1]}"),
    }


def exchangeable_columns(task: Any) -> dict[str, str]:
    """Columns of the table `exchangeable`, for a task."""
    main, samples = task.sample_score_kinds[main_score(task)].meaning, task.sample_names[1]
    return {
        "component": "what is switched into the last checkpoint",
        "n": samples,
        "seed": "seed of the batch",
        "plateau": f"{main} that the tolerance is a share of",
        "tolerance": f"largest increase of {main} of the last checkpoint that counts as none",
        "from_step": "first checkpoint from which on the upper end of the increase's 95 % interval stays below the "
        "tolerance; empty if only the last does",
        "failing_step": "last checkpoint whose component is not exchangeable; empty if every one is",
        **interval_columns("failing_change", f"increase of {main} with that component, paired over {samples}"),
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
        bench: the samples of the switches into the last checkpoint.
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
    """A checkpoint's weights with its own scores."""

    def __init__(self, checkpoint: Checkpoint, scores: SampleScores) -> None:
        self.step, self.weights, self.scores = checkpoint.step, checkpoint.weights, scores

    @classmethod
    def of(cls, checkpoint: Checkpoint, bench: WeightBench) -> _Model:
        return cls(checkpoint, bench.scores(checkpoint.weights))


def _rows(
    bench: WeightBench, comparison: str, donor: _Model, recipient: _Model, components: Sequence[Component]
) -> list[dict[str, Any]]:
    return [_row(bench, comparison, donor, recipient, component) for component in components]


def _row(bench: WeightBench, comparison: str, donor: _Model, recipient: _Model, component: Component) -> dict[str, Any]:
    unit, main = bench.task.score_unit, main_score(bench.task)
    everything = component.name == EVERYTHING
    switched = donor.scores if everything else bench.switched(donor.weights, recipient.weights, component)
    return {
        "comparison": comparison,
        "component": component.name,
        "donor_step": donor.step,
        "recipient_step": recipient.step,
        **bench.sizes(),
        **recipient.scores.mean(main).columns(f"recipient_{unit}"),
        **donor.scores.mean(main).columns(f"donor_{unit}"),
        **switched.minus(recipient.scores, main).columns("change"),
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
