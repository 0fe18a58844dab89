"""The transition matrix that a network implies by its predictions, beside those of the algorithms and the truth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mcinterp.analysis.statistics import interval_columns, mean_estimate, share_estimate
from mcinterp.results import Result, Table
from mcinterp.studies.markov_mixtures.chains import drawn_rows
from mcinterp.studies.markov_mixtures.networks import ABOUT_COLUMNS
from mcinterp.studies.markov_mixtures.oracles import BI_INF, FOUR
from mcinterp.studies.markov_mixtures.readings import FAMILIES, FAMILY_MEANING, Reading, Sequences

IMPLIED = "implied"
TRUTH, MODEL = "truth", "model"
NEARER_COLUMNS = {
    **ABOUT_COLUMNS,
    "n": "OOD sequences in which every state occurs",
    "seed": "seed of the sequences, and of the fresh chains, N for each of them",
    **interval_columns(
        "share",
        "share whose implied matrix, of the model's prediction at the last place of every state, is nearer to one of "
        "the N training chains than to one of N fresh ones (exact binomial interval)",
    ),
    **interval_columns("true", "control: the same of the sequence's own chain"),
    **interval_columns("more", "the first minus the second, paired"),
    **interval_columns("counted", f"control: the same of what {BI_INF} predicts there, which knows no chain"),
}
ROW_COLUMNS = {
    **ABOUT_COLUMNS,
    "family": FAMILY_MEANING,
    "of": "whose: the chain's own (truth), implied by the model at the last checkpoint, or by an algorithm there",
    "state": "that the step is from",
    "next": "that it leads to",
    "probability": "of the step",
}
COLUMNS = {"nearer": NEARER_COLUMNS, "rows": ROW_COLUMNS}


def implied_rows(reading: Reading) -> dict[str, list[dict[str, Any]]]:
    """Rows of the tables, of one network."""
    drawn = [row for family in FAMILIES for row in _drawn(reading, family)]
    return {"nearer": [_nearer(reading)], "rows": drawn}


def implied(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> Result:
    """Implied matrices, of the rows of all networks."""
    tables = {name: Table.of(columns, rows[name]) for name, columns in COLUMNS.items()}
    return Result(IMPLIED, "Which chain does it take a sequence for?", {}, {}, tables)


def last_places(tokens: Tensor, states: int) -> tuple[Tensor, Tensor]:
    """Where every state comes last in each sequence.

    Returns:
        places (n, state), 0 for a state that does not occur; and whether every state occurs, (n,).
    """
    there = torch.nn.functional.one_hot(tokens, states).bool()
    numbered = torch.arange(1, tokens.shape[1] + 1)[None, :, None] * there
    latest = numbered.amax(1)
    return (latest - 1).clamp_min(0), (latest > 0).all(1)


def _matrices(points: Tensor, places: Tensor) -> Tensor:
    """The predictions at the last place of every state, (n, state, next)."""
    return points[torch.arange(len(points))[:, None], places]


def _nearer(reading: Reading) -> dict[str, Any]:
    own, task = reading.unseen, reading.unseen.bench.task
    places, whole = last_places(own.bench.batch.inputs.cpu(), task.d_vocab)
    given = (own.points[-1], own.truth, own.bench.oracles[BI_INF])
    made, true, counted = (_matrices(points, places)[whole] for points in given)
    n, ones = len(made), torch.ones(task.d_vocab, task.d_vocab, dtype=torch.long)
    fresh = drawn_rows(ones, n * len(task.rows), torch.Generator().manual_seed(reading.seed))
    fresh = fresh.view(n, len(task.rows), *ones.shape)
    model, truth, inferred = (
        (_least(matrices, task.rows[None]) < _least(matrices, fresh)).double().numpy()
        for matrices in (made, true, counted)
    )
    return {
        **reading.about(),
        "n": n,
        **share_estimate(int(model.sum()), n).columns("share"),
        **share_estimate(int(truth.sum()), n).columns("true"),
        **mean_estimate(model - truth).columns("more"),
        **mean_estimate(inferred - truth).columns("counted"),
    }


def _least(matrices: Tensor, chains: Tensor) -> Tensor:
    """Distance of each matrix to the nearest of its chains, (n,)."""
    return (matrices[:, None] - chains).square().sum((-1, -2)).amin(1)


def _drawn(reading: Reading, family: str) -> Iterator[dict[str, Any]]:
    """One sequence's matrices: the first in which every state occurs."""
    own: Sequences = reading.of[family]
    places, whole = last_places(own.bench.batch.inputs.cpu(), own.bench.task.d_vocab)
    if not whole.any():
        return
    which = int(np.flatnonzero(whole.numpy())[0])
    shown = {TRUTH: own.truth, MODEL: own.points[-1], **{name: own.bench.oracles[name] for name in FOUR}}
    for name, points in shown.items():
        matrix = _matrices(points, places)[which].numpy()
        for (state, to), probability in np.ndenumerate(matrix):
            yield {
                **reading.network.about,
                "family": family,
                "of": name,
                "state": state,
                "next": to,
                "probability": float(probability),
            }
