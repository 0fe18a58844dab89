"""The heads of one run at two of its steps: each beside itself, the most changed first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mcinterp.analysis.compare.head_matching import EFFECT, Products, Similarity
from mcinterp.runs import Checkpoint


def same_run(a: Checkpoint, b: Checkpoint) -> bool:
    """Whether two checkpoints are two steps of one run, so that a head is the same head in both."""
    return a.run_name == b.run_name and a.config.hash == b.config.hash and a.step != b.step


def change_rows(
    scored: Similarity, effects: Products, resampled: Similarity, heads: Sequence[str]
) -> list[dict[str, Any]]:
    """A row a head, the least like itself first; heads that attend uniformly come last.

    Args:
        scored: how alike the heads of the two steps are, on the same samples.
        effects: how alike what they do to the answers is.
        resampled: how alike the heads of the first step are to themselves on other samples, which is what a change of
            samples alone changes.
        heads: their names.
    """
    score, control, effect = (
        products.estimate() for products in (scored.products["score"], resampled.products["score"], effects)
    )
    maps, responses = (scored.products[name].correlation for name in ("map", "response"))
    rows = [
        {
            "head": head,
            **score.columns("score", (at, at)),
            "map": float(maps[at, at]),
            "response": float(responses[at, at]),
            **effect.columns(EFFECT, (at, at)),
            **control.columns("resampled", (at, at)),
            "changed": bool(score.high[at, at] < control.low[at, at]),
        }
        for at, head in enumerate(heads)
    ]
    return sorted(rows, key=lambda row: np.inf if np.isnan(row["score"]) else row["score"])
