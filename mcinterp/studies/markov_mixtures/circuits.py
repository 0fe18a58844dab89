"""What attention and order do for a network over training: heads, shuffled contexts, the drop on unseen chains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mcinterp.analysis.statistics import Floats, interval_columns, mean_estimate
from mcinterp.model.blocks import Blocks
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint
from mcinterp.studies.markov_mixtures.networks import ABOUT_COLUMNS
from mcinterp.studies.markov_mixtures.phases import BATCH
from mcinterp.studies.markov_mixtures.readings import Reading, predictions_of
from mcinterp.task.token_heads import token_head_scores
from mcinterp.training.transition import find_transition

CIRCUITS = "circuits"
PREVIOUS, SUCCESSOR = "previous", "induction"
LAYERS = {PREVIOUS: 0, SUCCESSOR: 1}
"""Of whose heads the best is looked at: the first looks back, the next at what followed the same token before."""
SEQUENCES = 128
"""Of the OOD ones, so many are looked at."""

HEAD_COLUMNS = {
    **ABOUT_COLUMNS,
    "step": "checkpoint",
    "layer": "counted from 0",
    "head": "counted from 0",
    **BATCH,
    **interval_columns(
        PREVIOUS, "attention on the token before, on OOD sequences: 0 as of uniform attention, 1 all of it"
    ),
    **interval_columns(SUCCESSOR, "attention on what came after earlier ones of the same token, likewise"),
}
ORDER_COLUMNS = {
    **ABOUT_COLUMNS,
    "step": "checkpoint",
    **BATCH,
    **interval_columns(
        "order",
        "KL(model ‖ model after all tokens but the last are shuffled), nats, at the last place of OOD sequences",
    ),
}
DROP_COLUMNS = {
    **ABOUT_COLUMNS,
    "found": "whether the detector finds a drop in KL(truth ‖ model) on OOD sequences over the logarithm of the step, "
    "by which checkpoints are spaced",
    "start": "step at which the plateau is left; empty without a drop, as the next",
    "steepest": "step of the steepest fall",
    "end": "step at which it has ended",
    "successor": "first step from which on the best head of layer 1 has at least half of the successor attention that "
    "it has in the end; empty where it has none",
    "apart": "log2 of the drop's end over that step; empty without a drop",
    "on_steps": "whether it finds one over the step itself",
    "statement": "what the detector says of the logarithm",
}
COLUMNS = {"heads": HEAD_COLUMNS, "order": ORDER_COLUMNS, "drops": DROP_COLUMNS}


def circuit_rows(reading: Reading) -> dict[str, list[dict[str, Any]]]:
    """Rows of the tables, of one network."""
    tokens = reading.unseen.bench.batch.inputs[:SEQUENCES]
    scores = [head_scores(checkpoint, tokens) for checkpoint in reading.checkpoints]
    return {
        "heads": [row for at, step in enumerate(reading.steps) for row in _head_rows(reading, step, scores[at])],
        "order": list(_order_rows(reading, tokens)),
        "drops": [_drop(reading, best_of(scores, SUCCESSOR))],
    }


def circuits(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> Result:
    """Heads, order and drops, of the rows of all networks."""
    tables = {name: Table.of(columns, rows[name]) for name, columns in COLUMNS.items()}
    return Result(CIRCUITS, "Attention, order and the drop on unseen chains", {}, {}, tables)


@torch.no_grad()
def head_scores(checkpoint: Checkpoint, tokens: Tensor) -> list[dict[str, Floats]]:
    """Of each layer the scores of its heads, (n, head)."""
    layers = Blocks(checkpoint.model).patterns(tokens)
    found = [token_head_scores(patterns, tokens, (PREVIOUS, SUCCESSOR)) for patterns in layers]
    return [{name: score.double().cpu().numpy() for name, score in layer.items()} for layer in found]


def best_of(scores: Sequence[Sequence[Mapping[str, Floats]]], name: str) -> Floats:
    """The score of the layer's best head at every step, (step,)."""
    return np.array([of_step[min(LAYERS[name], len(of_step) - 1)][name].mean(0).max() for of_step in scores])


def use_of_order(checkpoint: Checkpoint, tokens: Tensor, seed: int) -> Floats:
    """KL(model ‖ model after a shuffle) at the last place of each sequence, whose last token stays, (n,)."""
    order = torch.rand(tokens[:, :-1].shape, generator=torch.Generator().manual_seed(seed)).argsort(-1)
    shuffled = torch.cat([tokens[:, :-1].gather(1, order.to(tokens.device)), tokens[:, -1:]], 1)
    own, other = (predictions_of(checkpoint, each)[:, -1] for each in (tokens, shuffled))
    return np.asarray(checkpoint.task.divergence(own, other).numpy())


def _head_rows(reading: Reading, step: int, layers: Sequence[Mapping[str, Floats]]) -> Iterator[dict[str, Any]]:
    for layer, scores in enumerate(layers):
        estimates = {name: mean_estimate(score) for name, score in scores.items()}
        for head in range(scores[PREVIOUS].shape[1]):
            columns = [estimate.columns(name, head) for name, estimate in estimates.items()]
            about = {**reading.about(step=step, layer=layer, head=head), "n": len(scores[PREVIOUS])}
            yield {**about, **columns[0], **columns[1]}


def _order_rows(reading: Reading, tokens: Tensor) -> Iterator[dict[str, Any]]:
    for step, checkpoint in zip(reading.steps, reading.checkpoints, strict=True):
        estimate = mean_estimate(use_of_order(checkpoint, tokens, reading.seed))
        yield {**reading.about(step=step), "n": len(tokens), **estimate.columns("order")}


def _drop(reading: Reading, successor: Floats) -> dict[str, Any]:
    after = np.array(reading.steps) > 0
    steps, kl = np.array(reading.steps)[after], reading.unseen.from_truth.mean(1)[after]
    quantity = "KL(truth ‖ model) on unseen chains"
    on_steps = find_transition(steps, kl, quantity=quantity)
    found = find_transition(np.log2(steps), kl, axis="log2 step", quantity=quantity)
    half = half_reached(reading.steps, successor)
    return {
        **reading.network.about,
        "found": found.found,
        **{name: float(2 ** getattr(found, name)) for name in ("start", "steepest", "end")},
        "successor": half,
        "apart": float(found.end - np.log2(half)),
        "on_steps": on_steps.found,
        "statement": found.statement,
    }


def half_reached(steps: Sequence[int], score: Floats) -> float:
    """The first of the steps from which on a score is at least half of its last; NaN where that is not positive."""
    if not score[-1] > 0:
        return np.nan
    below = np.flatnonzero(score < score[-1] / 2)
    return float(max(1, steps[below[-1] + 1 if len(below) else 0]))
