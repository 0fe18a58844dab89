"""Model switching: one model with a component of another, before and after the drop and along training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mcinterp.analysis.passes.exchange import (
    TOLERANCE,
    exchange_columns,
    exchange_rows,
    exchangeable_columns,
    exchangeable_rows,
)
from mcinterp.analysis.passes.weight_bench import WeightBench
from mcinterp.analysis.sample_scores import SampleScores, main_score, score_facts
from mcinterp.analysis.statistics import interval_columns, ratio_estimate
from mcinterp.errors import InputError
from mcinterp.model.components import Component
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint, Run

COMPONENTS = (
    "attention-qkv",
    "attention",
    "mlp",
    "tokens",
    "positions",
    "layer-norms",
    "read-out",
    "everything-but:attention",
)
CONTROLS = {"none": "nothing", "everything": "everything"}


def columns(task: Any) -> dict[str, str]:
    """Columns of the tables `switching` and `pre_post`, for a task."""
    unit, said = task.score_unit, task.unit_words[0]
    return {
        "direction": "whose component goes into whose model",
        "component": "what is switched",
        "kind": "component, or a control: nothing (must change nothing), everything (must give the donor), untrained "
        "(the component of a fresh model of another seed)",
        "donor": "run that the component comes from",
        "donor_step": "its checkpoint",
        "recipient": "run that it goes into",
        "recipient_step": "its checkpoint",
        "parameters": "how many numbers are switched",
        "entries": ", ".join(task.sample_score_kinds),
        "n": task.sample_names[1],
        "seed": "seed of the batch",
        **interval_columns(f"recipient_{unit}", f"{said} of the recipient as it is"),
        **interval_columns(f"donor_{unit}", f"{said} of the donor as it is"),
        **interval_columns(f"switched_{unit}", f"{said} of the recipient with the donor's component"),
        **interval_columns("change", f"switched_{unit} − recipient_{unit}, paired over {task.sample_names[1]}"),
        **interval_columns(
            "moved",
            f"change / (donor_{unit} − recipient_{unit}), paired: 0 as the recipient, 1 as the donor; empty where the "
            "two do not measurably differ",
        ),
    }


def switch(
    donor: Checkpoint,
    recipient: Checkpoint,
    components: str | Sequence[str] = COMPONENTS,
    samples: int = 512,
    seed: int = 0,
) -> Result:
    """Put components of one checkpoint into another of the same shape, one at a time.

    Two controls stand beside them: switching nothing, which changes nothing, and switching everything, which gives
    the donor (but for the token-type embedding, which is in no component and zero in every model trained here).

    Args:
        donor: where components come from.
        recipient: where they go; its task gives the samples.
        components: one or several, as `mcinterp.model.components` describes them.
        samples: at least 2.
        seed: of the samples.

    Returns:
        table `switching`, a line for each component and score of the task. Source: Sec. 3.1.2 and 3.2.1 of
        arXiv 2410.22244.

    Raises:
        InputError: for an unknown component, or if the two models are not of the same shape.
    """
    names = [components] if isinstance(components, str) else list(components)
    _check_shapes(donor, recipient)
    bench = WeightBench(recipient, samples, seed)
    pair = _Pair(bench, f"step {donor.step} → step {recipient.step}", donor, recipient)
    rows = [row for name in [*names, *CONTROLS] for row in pair.rows(name, CONTROLS.get(name, "component"))]
    return Result(
        "switch",
        "Switched components",
        {"components": names, "samples": samples, "seed": seed},
        {"donor_digest": donor.digest, "recipient_digest": recipient.digest, **score_facts(bench.task)},
        {"switching": Table.of(columns(bench.task), rows)},
    )


def model_switching(
    run: Run,
    steps: Sequence[int] | None = None,
    samples: int = 256,
    seed: int = 0,
    components: Sequence[str] = COMPONENTS,
) -> Result:
    """Switch components between a run's checkpoints.

    Before and after: the checkpoint in the middle of the plateau (the first where none is known) and the last,
    each component from either into the other. Along training: each checkpoint's component into the last checkpoint,
    which shows when it became as good there as the final one, and between neighbouring checkpoints, both ways.

    Args:
        run: the run.
        steps: checkpoints to compare; None for all.
        samples: at least 2, the same for every model; between neighbours, of which there are many, half of them.
        seed: of the samples.
        components: which, as `mcinterp.model.components` describes them.

    Returns:
        tables `pre_post`, `exchange` and `exchangeable`. Source: Sec. 3.1.2 and 3.2.1 of arXiv 2410.22244.
    """
    steps = sorted(steps if steps is not None else run.steps)
    if not steps:
        raise InputError(f"model_switching: run {run.name} has no checkpoint to compare")
    wanted = run.select_steps("auto")[0]
    before, last = (run.checkpoint(step) for step in (min(steps, key=lambda step: abs(step - wanted)), steps[-1]))
    bench = WeightBench(last, samples, seed)
    neighbours = WeightBench(last, max(2, samples // 2), seed)
    exchange = exchange_rows(run, steps, components, bench, neighbours)
    plateau, source = _plateau(run, bench)
    facts = {
        "before": before.step,
        "after": last.step,
        "components": list(components),
        "tolerance_share": TOLERANCE,
        "tolerance": TOLERANCE * plateau,
        "plateau": plateau,
        "plateau_source": source,
        **score_facts(bench.task),
    }
    return Result(
        "switching",
        "Model switching",
        {"samples": samples, "seed": seed, "components": list(components)},
        facts,
        {
            "pre_post": Table.of(columns(bench.task), _before_and_after(bench, before, last, components)),
            "exchangeable": Table.of(exchangeable_columns(bench.task), exchangeable_rows(exchange, plateau)),
            "exchange": Table.of(exchange_columns(bench.task), exchange),
        },
    )


class _Pair:
    """A donor and a recipient on the same samples."""

    def __init__(self, bench: WeightBench, direction: str, donor: Checkpoint, recipient: Checkpoint) -> None:
        self.bench, self.direction, self.donor, self.recipient = bench, direction, donor, recipient
        self.donor_scores, self.recipient_scores = bench.scores(donor.weights), bench.scores(recipient.weights)

    def rows(self, name: str, kind: str) -> list[dict[str, Any]]:
        """The lines of one component, one for each score."""
        donor, recipient = self.donor.weights, self.recipient.weights
        component = Component.parse(name, recipient)
        switched = self.bench.switched(donor, recipient, component)
        size = sum(recipient[parameter].numel() for parameter in component.parameters)
        about = {
            "direction": self.direction,
            "component": component.name,
            "kind": kind,
            "donor": self.donor.run_name,
            "donor_step": self.donor.step,
            "recipient": self.recipient.run_name,
            "recipient_step": self.recipient.step,
            "parameters": size,
        }
        return [
            {**about, "entries": name, **self._columns(switched, name)} for name in self.bench.task.sample_score_kinds
        ]

    def _columns(self, switched: SampleScores, name: str) -> dict[str, Any]:
        donor, recipient, unit = self.donor_scores, self.recipient_scores, self.bench.task.score_unit
        moved = ratio_estimate(switched.sums[name] - recipient.sums[name], donor.sums[name] - recipient.sums[name])
        return {
            **self.bench.sizes(),
            **recipient.mean(name).columns(f"recipient_{unit}"),
            **donor.mean(name).columns(f"donor_{unit}"),
            **switched.mean(name).columns(f"switched_{unit}"),
            **switched.minus(recipient, name).columns("change"),
            **moved.columns("moved"),
        }


def _before_and_after(
    bench: WeightBench, before: Checkpoint, after: Checkpoint, components: Sequence[str]
) -> list[dict[str, Any]]:
    """Both directions, each with its controls."""
    untrained = Checkpoint.untrained(after.config, after.config.training.seed + 1, after.device)
    rows = []
    for direction, donor, recipient in (("after → before", after, before), ("before → after", before, after)):
        pair = _Pair(bench, direction, donor, recipient)
        rows += [row for name in [*components, *CONTROLS] for row in pair.rows(name, CONTROLS.get(name, "component"))]
        control = _Pair(bench, f"untrained → {direction.split()[-1]}", untrained, recipient)
        rows += [row for name in components for row in control.rows(name, "untrained")]
    return rows


def _plateau(run: Run, bench: WeightBench) -> tuple[float, str]:
    """The main score that tolerances are measured by, and where it comes from."""
    transition = run.transition
    if transition.found:
        return transition.plateau, "the run's plateau"
    zero = SampleScores.told(bench.task, bench.task.zero_answers(bench.batch), bench.batch)
    return float(zero.mean(main_score(bench.task)).value), f"{bench.task.zero_sentence}, as no drop of the run is known"


def _check_shapes(donor: Checkpoint, recipient: Checkpoint) -> None:
    for name in {**recipient.weights, **donor.weights}:
        shapes = [
            tuple(checkpoint.weights[name].shape) if name in checkpoint.weights else "absent"
            for checkpoint in (donor, recipient)
        ]
        if shapes[0] != shapes[1]:
            raise InputError(
                f"switch: {donor.run_name} and {recipient.run_name} are models of different shapes: {name} is "
                f"{shapes[0]} in the donor, {shapes[1]} in the recipient"
            )
