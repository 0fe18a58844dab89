"""Examples of inputs, chosen and answered as their definition says, matrix by matrix."""

from __future__ import annotations

import numpy as np
from slow_attention import Rows, heads_of, name_of, traces
from slow_heads import Changed
from slow_statistics import Errors

from mcinterp.results import Result
from mcinterp.runs import Checkpoint, Run
from mcinterp.studies.matrix_completion.task.batch import MatrixBatch
from mcinterp.studies.matrix_completion.task.structured import masked_row_masks

HOW = {
    "typical": "the error is the median (the lower one of two)",
    "best": "the smallest error",
    "worst": "the largest error",
    "structured": "the median error among structured inputs",
}


def masked_error(output: np.ndarray, batch: MatrixBatch, at: int) -> float:
    """Mean squared error over the masked entries of one matrix; none where none is masked."""
    hidden = ~batch.observed[at].numpy()
    gaps = (output - batch.targets[at].double().numpy())[hidden]
    return float((gaps**2).mean()) if len(gaps) else np.nan


def masked_errors(checkpoint: Checkpoint, batch: MatrixBatch) -> list[float]:
    return [masked_error(trace.output, batch, at) for at, trace in enumerate(traces(checkpoint, batch))]


def in_order(errors: list[float]) -> list[int]:
    """Matrices from the smallest error to the largest, without those that have none."""
    return sorted((at for at, error in enumerate(errors) if error == error), key=lambda at: (errors[at], at))


def places(batch: MatrixBatch, at: int) -> Rows:
    cols = batch.shape[1]
    return [
        {
            "place": f"{entry // cols},{entry % cols}",
            "given": float(value) if batch.observed[at, entry] else np.nan,
            "truth": float(value),
        }
        for entry, value in enumerate(batch.targets[at].double())
    ]


def answers(output: np.ndarray, batch: MatrixBatch, at: int) -> Rows:
    told = zip(places(batch, at), output, strict=True)
    return [
        {"place": row["place"], "answer": value, "error": value - float(row["truth"]), "probability": np.nan}
        for row, value in told
    ]


def slow_examples(run: Run, result: Result, n: int, seed: int) -> dict[str, Rows]:
    last = run.checkpoint(run.steps[-1])
    mask = masked_row_masks(run.config.task.rows, run.config.task.cols)[0]
    drawn, structured = last.sample(n, seed), last.sample(n, seed, mask)
    errors, others = masked_errors(last, drawn), masked_errors(last, structured)
    order, ranked = in_order(errors), in_order(others)
    picked = {"typical": order[(len(order) - 1) // 2], "best": order[0], "worst": order[-1]}
    chosen = {name: (drawn, at, "as in training", errors, len(order)) for name, at in picked.items()}
    chosen["structured"] = (structured, ranked[(len(ranked) - 1) // 2], mask, others, len(ranked))
    found: dict[str, Rows] = {"chosen": [], "inputs": [], "answers": [], "scores": []}
    for name, (batch, at, family, own, scored) in chosen.items():
        about = {"how": HOW[name], "inputs": family, "sample": at, "n": scored, "seed": seed, "score": own[at]}
        found["chosen"].append({"example": name, **about})
        found["inputs"] += [{"example": name, **row} for row in places(batch, at)]
    for step in run.steps:
        checkpoint = run.checkpoint(step)
        for name, (batch, at, *_) in chosen.items():
            output = traces(checkpoint, batch)[at].output
            about = {"step": step, "example": name}
            found["answers"] += [{**about, **row} for row in answers(output, batch, at)]
            found["scores"].append({**about, "score": masked_error(output, batch, at)})
    return {**found, **slow_head_examples(last, drawn, errors, seed)}


def slow_head_examples(checkpoint: Checkpoint, batch: MatrixBatch, clean: list[float], seed: int) -> dict[str, Rows]:
    changed = Changed(checkpoint, batch)
    outputs = {pair: changed.outputs("uniform", frozenset({pair})) for pair in heads_of(checkpoint)}
    without = {pair: [masked_error(one, batch, at) for at, one in enumerate(each)] for pair, each in outputs.items()}
    rises = {pair: [now - before for now, before in zip(each, clean, strict=True)] for pair, each in without.items()}
    found: dict[str, Rows] = {"heads": [], "head_inputs": [], "head_answers": []}
    shown = set()
    before = Errors.of([trace.output for trace in changed.clean], changed.targets, ~changed.seen)
    for pair, rise in rises.items():
        scored = [at for at, value in enumerate(rise) if value == value]
        mean = Errors.of(outputs[pair], changed.targets, ~changed.seen).minus("mean_rise", before)
        for rank, at in enumerate(sorted(scored, key=lambda at: (-rise[at], at))[:3], 1):
            beside = [other[at] for name, other in rises.items() if name[0] == pair[0] and name != pair]
            about = {"head": name_of(pair), "rank": rank}
            row = {"sample": at, "n": len(scored), "seed": seed, "clean": clean[at], "ablated": without[pair][at]}
            row |= {"rise": rise[at], "other_rise": float(np.median(beside)) if beside else np.nan}
            found["heads"].append({**about, **row, **mean})
            told = zip(answers(outputs[pair][at], batch, at), changed.clean[at].output, strict=True)
            found["head_answers"] += [{**about, **each, "clean_answer": whole} for each, whole in told]
            shown.add(at)
    found["head_inputs"] = [{"sample": at, **row} for at in sorted(shown) for row in places(batch, at)]
    return found
