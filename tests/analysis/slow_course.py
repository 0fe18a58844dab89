"""The course of a run, written from its definitions: matrix by matrix, head by head."""

from __future__ import annotations

import numpy as np
from slow_answers import parts
from slow_attention import Rows, heads_of, traces
from slow_heads import Changed
from slow_statistics import Columns, Errors, columns, mean, ratio

from mcinterp.results import Result
from mcinterp.runs import Checkpoint, Run
from mcinterp.studies.matrix_completion.task.batch import MatrixBatch


def over(name: str, own: Errors, other: Errors) -> Columns:
    """One error over another on the same samples; none where the other is not told from 0."""
    if not mean("sum", other.sums)["sum_low"] > 0:
        return dict.fromkeys((name, f"{name}_low", f"{name}_high"), np.nan)
    return columns(name, ratio(own.sums, other.sums), np.ones(len(own.sums), bool))


def slow_course(run: Run, result: Result, n: int, seed: int) -> dict[str, Rows]:
    last = run.checkpoint("last")
    batch = last.sample(n, seed)
    targets, where = parts(batch)
    known = {name: other.targets.double().numpy() for name, other in last.task.known_answers(batch).items()}
    untrained = outputs(Checkpoint.untrained(run.config, seed + 1), batch)
    tables: dict[str, Rows] = {"scores": [], "uniform": [], "known": []}
    about = {"n": n, "seed": seed}
    for step in run.steps:
        checkpoint = run.checkpoint(step)
        own = outputs(checkpoint, batch)
        for entries in ("observed", "masked", "total"):
            at = where[entries] if entries in where else where["masked"] | where["observed"]
            now, zero = Errors.of(own, targets, at), Errors.of(0 * targets, targets, at)
            told = {**now.columns("value"), "zero": zero.mse, **zero.minus("gained", now), **over("of_zero", now, zero)}
            tables["scores"].append({"step": step, "score": entries, **about, **told})
        masked = where["masked"]
        even = Changed(checkpoint, batch).outputs("uniform", frozenset(heads_of(checkpoint)))
        clean, uniform = (Errors.of(answers, targets, masked) for answers in (own, even))
        both = {**clean.columns("clean"), **uniform.columns("uniform"), **uniform.minus("change", clean)}
        tables["uniform"].append({"step": step, **about, **both, **over("ratio", uniform, clean)})
        apart = {name: Errors.of(own, answers, masked) for name, answers in known.items()}
        nearest = min(apart.values(), key=lambda each: each.mse)
        others = [own[index - 1] for index in range(n)]
        for name, errors in apart.items():
            row = {**errors.columns("distance"), **errors.minus("behind", nearest)}
            row |= Errors.of(others, known[name], masked).columns("control")
            row["untrained"] = Errors.of(untrained, known[name], masked).mse
            tables["known"].append({"step": step, "answers": name, **about, **row})
    return tables


def outputs(checkpoint: Checkpoint, batch: MatrixBatch) -> list[np.ndarray]:
    return [trace.output for trace in traces(checkpoint, batch)]
