"""Switched and retrained components, written from their definitions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from slow_answers import outputs_of, parts
from slow_attention import Rows
from slow_statistics import Errors, columns, mean

from mcinterp.results import Result
from mcinterp.runs import Checkpoint, Run
from mcinterp.studies.matrix_completion.task.batch import MatrixBatch

PARAMETERS = {
    "attention-qkv": ("attn.W_Q", "attn.b_Q", "attn.W_K", "attn.b_K", "attn.W_V", "attn.b_V"),
    "attention": (".attn.",),
    "mlp": (".mlp.",),
    "tokens": ("embed.embed.W_E",),
    "positions": ("W_pos",),
    "layer-norms": (".ln.", ".ln1.", ".ln2."),
    "read-out": ("unembed.",),
    "everything-but:attention": ("embed.embed.W_E", "W_pos", ".ln.", ".ln1.", ".ln2.", ".mlp.", "unembed."),
    "none": (),
    "everything": ("embed.embed.W_E", "W_pos", ".ln.", ".ln1.", ".ln2.", ".mlp.", ".attn.", "unembed."),
}


class Switched:
    """Errors of models on one batch, with the parameters of another put into them."""

    def __init__(self, batch: MatrixBatch) -> None:
        self.batch, self.known = batch, {}
        self.targets, self.where = parts(batch)

    def errors(self, recipient: Checkpoint, donor: Checkpoint, component: str, entries: str) -> Errors:
        key = recipient.digest, donor.digest, component
        if key not in self.known:
            weights: dict[str, torch.Tensor] = dict(recipient.weights)
            for name in weights:
                if any(part in name for part in PARAMETERS[component]):
                    weights[name] = donor.weights[name]
            self.known[key] = outputs_of(replace(recipient, weights=weights), self.batch.inputs)
        return Errors.of(self.known[key], self.targets, self.where[entries])

    def of(self, checkpoint: Checkpoint, entries: str) -> Errors:
        return self.errors(checkpoint, checkpoint, "none", entries)


def slow_switching(run: Run, result: Result, n: int, seed: int) -> dict[str, Rows]:
    steps, last = run.steps, run.checkpoint("last")
    checkpoints = {step: run.checkpoint(step) for step in steps}
    before = checkpoints[run.select_steps("auto")[0]]
    untrained = replace(Checkpoint.untrained(run.config, run.config.training.seed + 1), digest="untrained")
    components = [name for name in PARAMETERS if name not in ("none", "everything")]
    bench, few = Switched(last.sample(n, seed)), Switched(last.sample(max(2, n // 2), seed))
    kinds = dict.fromkeys(components, "component") | {"none": "nothing", "everything": "everything"}
    pre_post: Rows = []
    for direction, donor, recipient in (("after → before", last, before), ("before → after", before, last)):
        pre_post += _pair_rows(bench, direction, donor, recipient, kinds, n, seed)
        fresh = f"untrained → {direction.split()[-1]}"
        pre_post += _pair_rows(bench, fresh, untrained, recipient, dict.fromkeys(components, "untrained"), n, seed)

    def row(which: Switched, comparison: str, name: str, donor: int, recipient: int) -> dict[str, object]:
        own = which.of(checkpoints[recipient], "masked")
        switched = which.errors(checkpoints[recipient], checkpoints[donor], name, "masked")
        return {
            "comparison": comparison,
            "component": name,
            "donor_step": donor,
            "recipient_step": recipient,
            "n": len(which.batch),
            "seed": seed,
            **own.columns("recipient_mse"),
            **which.of(checkpoints[donor], "masked").columns("donor_mse"),
            **switched.minus("change", own),
        }

    names = [*components, "everything"]
    exchange: Rows = []
    for earlier, step in zip([None, *steps], steps, strict=False):
        exchange += [row(bench, "into the last", name, step, steps[-1]) for name in names]
        if earlier is not None:
            exchange += [row(few, "later → earlier", name, step, earlier) for name in names]
            exchange += [row(few, "earlier → later", name, earlier, step) for name in names]
    return {"pre_post": pre_post, "exchange": exchange, "exchangeable": _exchangeable(exchange, names, result, n, seed)}


def _pair_rows(
    bench: Switched, direction: str, donor: Checkpoint, recipient: Checkpoint, kinds: dict[str, str], n: int, seed: int
) -> Rows:
    rows: Rows = []
    for name, kind in kinds.items():
        size = sum(w.numel() for key, w in recipient.weights.items() if any(part in key for part in PARAMETERS[name]))
        for entries in ("masked", "observed", "total"):
            own, other = bench.of(recipient, entries), bench.of(donor, entries)
            switched = bench.errors(recipient, donor, name, entries)
            gap = mean("gap", other.sums - own.sums)
            moved = dict.fromkeys(("moved", "moved_low", "moved_high"), np.nan)
            if gap["gap_low"] > 0 or gap["gap_high"] < 0:
                over, under = switched.sums - own.sums, other.sums - own.sums

                def share(weights: np.ndarray, over: np.ndarray = over, under: np.ndarray = under) -> float:
                    return float(weights @ over / (weights @ under))

                moved = columns("moved", share, np.ones(n, bool))
            rows.append(
                {
                    "direction": direction,
                    "component": name,
                    "kind": kind,
                    "donor": donor.run_name,
                    "donor_step": donor.step,
                    "recipient": recipient.run_name,
                    "recipient_step": recipient.step,
                    "parameters": size,
                    "entries": entries,
                    "n": n,
                    "seed": seed,
                    **own.columns("recipient_mse"),
                    **other.columns("donor_mse"),
                    **switched.columns("switched_mse"),
                    **switched.minus("change", own),
                    **moved,
                }
            )
    return rows


def _exchangeable(exchange: Rows, names: Sequence[str], result: Result, n: int, seed: int) -> Rows:
    plateau, rows = result.facts["plateau"], []
    for name in names:
        own = [row for row in exchange if row["comparison"] == "into the last" and row["component"] == name][:-1]
        failing = [row for row in own if not row["change_high"] < 0.05 * plateau]
        good = own[own.index(failing[-1]) + 1 :] if failing else own
        worst = failing[-1] if failing else dict.fromkeys(("donor_step", "change", "change_low", "change_high"), np.nan)
        rows.append(
            {
                "component": name,
                "n": n,
                "seed": seed,
                "plateau": plateau,
                "tolerance": 0.05 * plateau,
                "from_step": float(good[0]["donor_step"]) if good else np.nan,
                "failing_step": float(worst["donor_step"]),
                **{f"failing_change{end}": float(worst[f"change{end}"]) for end in ("", "_low", "_high")},
                "checkpoints": len(own),
            }
        )
    return rows


DETECTED = ("found", "plateau", "plateau_start", "start", "steepest", "end")


def slow_components(run: Run, result: Result, n: int, seed: int) -> dict[str, Rows]:
    """All but the detector's columns, which are those of the run's own transition."""
    folders = [run.path, *sorted((run.path / "retrained").iterdir())]
    runs = [Run(folder) for folder in folders]
    plateau = run.transition.plateau if run.transition.found else np.nan
    about = {each.path: _about(each) for each in runs}
    curves: Rows = []
    transitions: Rows = []
    for each in runs:
        metrics = each.metrics
        for part in np.array_split(np.arange(len(metrics)), min(240, len(metrics))):
            rows = metrics.iloc[part]
            row = {**about[each.path], "step": rows["step"].mean(), "n": len(rows) * each.config.training.batch_size}
            for name in ("loss", "observed_mse", "masked_mse"):
                row |= mean(name, rows[name].to_numpy())
            curves.append(row)
        found, masked = each.transition, metrics["masked_mse"].to_numpy()
        alike = [other for other in about.values() if {**other, "seed": 0} == {**about[each.path], "seed": 0}]
        near = found.found and abs(found.plateau - plateau) <= 0.25 * plateau
        transitions.append(
            {
                **about[each.path],
                "n": len(alike),
                "steps": each.config.training.steps,
                "done": len(metrics),
                "warmup_steps": each.config.training.warmup_steps,
                **{key: getattr(found, key) for key in DETECTED},
                "from_run_plateau": bool(near),
                "half_at": _reached(masked, 0.5 * plateau),
                "fifth_at": _reached(masked, 0.2 * plateau),
                **mean("last_mse", masked[-50:]),
                "statement": found.statement,
            }
        )
    bench = Switched(run.checkpoint("last").sample(n, seed))
    controls = [_control(run, each, about[each.path], bench, n, seed) for each in runs[1:]]
    return {"curves": curves, "transitions": transitions, "times": _times(transitions), "control": controls}


def _about(run: Run) -> dict[str, object]:
    start = run.config.start
    kind = "run" if start is None else "component" if start.reinitialised else "control"
    component = "whole model" if start is None else start.component
    return {"component": component, "kind": kind, "seed": run.config.training.seed}


def _reached(values: np.ndarray, level: float) -> float:
    """The first step (counted from 1) at which the last 50 values average at most `level`."""
    steps = [step for step in range(50, len(values) + 1) if values[step - 50 : step].mean() <= level]
    return float(steps[0]) if steps else np.nan


def _times(transitions: Rows) -> Rows:
    rows = []
    for component, kind in dict.fromkeys((row["component"], row["kind"]) for row in transitions):
        own = [row for row in transitions if (row["component"], row["kind"]) == (component, kind)]
        row: dict[str, object] = {"component": component, "kind": kind, "n": len(own)}
        row["found"] = sum(bool(each["from_run_plateau"]) for each in own)
        row |= mean("start", [each["start"] if each["from_run_plateau"] else np.nan for each in own])
        for name, counted in (("half_at", "reached_half"), ("fifth_at", "reached_fifth")):
            row[counted] = sum(np.isfinite(each[name]) for each in own)
            row |= mean(name, [each[name] for each in own])
        rows.append(row)
    return rows


def _control(run: Run, other: Run, about: dict[str, object], bench: Switched, n: int, seed: int) -> dict[str, object]:
    start = other.config.start
    donor, first, last = run.checkpoint(start.step), other.checkpoint("first"), other.checkpoint("last")
    original = bench.of(donor, "masked")
    restored = bench.errors(last, donor, start.component, "masked")
    return {
        **about,
        "n": n,
        "sample_seed": seed,
        "step": other.steps[-1],
        **original.columns("donor_mse"),
        **bench.of(first, "masked").minus("first_change", original),
        **bench.of(last, "masked").minus("last_change", original),
        **restored.minus("restored_change", original),
    }
