"""On which inputs each attention head matters most: those whose error rises most without it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from mcinterp.analysis.passes.shown_samples import ANSWER, PLACE, answer_rows, input_rows
from mcinterp.analysis.sample_scores import SampleScores
from mcinterp.analysis.sections import transformer
from mcinterp.analysis.statistics import Floats, interval_columns
from mcinterp.model import Head, HeadSet
from mcinterp.model.head_sweep import HeadChange, HeadSweep
from mcinterp.runs import Checkpoint

MOST = 3
"""So many inputs are told of each head."""
_HEAD = {
    "head": "layer and head, from 0, which alone attends uniformly",
    "rank": "1 for the input whose score rises most",
}
COLUMNS = {
    "heads": {
        **_HEAD,
        "sample": "place of the input in the batch, from 0",
        "n": "inputs of the batch which are scored; the ranked ones are the extremes of so many, not an average",
        "seed": "of the batch",
        "clean": "score of the input with all heads (see the fact `score`)",
        "ablated": "the same without the head",
        "rise": "ablated − clean",
        "other_rise": "control: on the same input, the median rise of the layer's other heads, each taken out alone",
        **interval_columns("mean_rise", "mean rise over all n inputs, paired"),
    },
    "head_inputs": {"sample": "place of the input in the batch, from 0", **PLACE},
    "head_answers": {
        **_HEAD,
        **{name: meaning.replace("answers", "answers without the head") for name, meaning in ANSWER.items()},
        "clean_answer": "what it answers with all heads",
    },
}
"""Columns of every table, by its name."""


def head_examples(checkpoint: Checkpoint, batch: Any, seed: int, score: str) -> dict[str, list[dict[str, Any]]]:
    """Take out every head alone, by uniform attention, and rank the inputs of a batch by how much their score rises.

    Args:
        checkpoint: what to look at.
        batch: inputs, one at least scored.
        seed: which they were drawn with.
        score: by which they are ranked.

    Returns:
        rows of the tables in `COLUMNS`.
    """
    task, sweep = checkpoint.task, HeadSweep(checkpoint.model)
    bench = _Bench.of(checkpoint, sweep, batch, score)
    top = {head: _first(bench.rise[head]) for head in bench.rise}
    needed = sorted({sample for samples in top.values() for sample in samples})
    found: dict[str, list[dict[str, Any]]] = {"heads": [], "head_inputs": [], "head_answers": []}
    for head, samples in top.items():
        for rank, sample in enumerate(samples, 1):
            found["heads"].append({"head": str(head), "rank": rank, **bench.row(head, sample), "seed": seed})
            about = {"head": str(head), "rank": rank}
            found["head_answers"] += [{**about, **row} for row in _answers(task, sweep, _one(batch, sample), head)]
    found["head_inputs"] = [
        {"sample": sample, **row} for sample in needed for row in input_rows(task, _one(batch, sample))
    ]
    return found


@dataclass(frozen=True)
class _Bench:
    """The score of every input of a batch, with all heads and without each."""

    score: str
    clean: SampleScores
    ablated: Mapping[Head, SampleScores]
    rise: Mapping[Head, Floats]

    @classmethod
    def of(cls, checkpoint: Checkpoint, sweep: HeadSweep, batch: Any, score: str) -> _Bench:
        task, shape = checkpoint.task, transformer(checkpoint.config)
        heads = [Head(*pair) for pair in product(range(shape.n_layers), range(shape.n_heads))]
        changes = {head: _without(head) for head in heads}
        clean, parts = [], defaultdict(list)
        for part in sweep.parts(batch.inputs):
            own = batch.part(part.samples)
            clean.append(SampleScores.told(task, part.run.answers, own))
            for head, answers in sweep.answers(part.run, changes):
                parts[head].append(SampleScores.told(task, answers, own))
        whole, ablated = SampleScores.joined(clean), {head: SampleScores.joined(parts[head]) for head in heads}
        rise = {head: one.each(score) - whole.each(score) for head, one in ablated.items()}
        return cls(score, whole, ablated, rise)

    def row(self, head: Head, sample: int) -> dict[str, Any]:
        """What is told of a head on an input."""
        others = [rise[sample] for other, rise in self.rise.items() if other.layer == head.layer and other != head]
        return {
            "sample": sample,
            "n": int(np.isfinite(self.rise[head]).sum()),
            "clean": float(self.clean.each(self.score)[sample]),
            "ablated": float(self.ablated[head].each(self.score)[sample]),
            "rise": float(self.rise[head][sample]),
            "other_rise": float(np.median(others)) if others else np.nan,
            **self.ablated[head].minus(self.clean, self.score).columns("mean_rise"),
        }


def _first(rise: Floats) -> list[int]:
    """Where it rises most, at most `MOST` places; the first among equals."""
    order = np.argsort(-rise, kind="stable")
    return [int(place) for place in order[: min(MOST, int(np.isfinite(rise).sum()))]]


def _answers(task: Any, sweep: HeadSweep, one: Any, head: Head) -> list[dict[str, Any]]:
    """What is answered to an input without a head, and with all."""
    clean = sweep.clean(one.inputs)
    (_, ablated), *_ = sweep.answers(clean, {head: _without(head)})
    pairs = zip(answer_rows(task, ablated, one), answer_rows(task, clean.answers, one), strict=True)
    return [{**row, "clean_answer": other["answer"]} for row, other in pairs]


def _without(head: Head) -> HeadChange:
    """The head alone attends to all that it may see alike."""
    return HeadChange(HeadSet(str(head), (head,)), None)


def _one(batch: Any, sample: int) -> Any:
    return batch.part(slice(sample, sample + 1))
