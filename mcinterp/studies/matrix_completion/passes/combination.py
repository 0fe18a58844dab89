"""Several answers together: what mixes or combines them to fit a model's best, tested on matrices left out."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import nnls

from mcinterp.analysis.compare.agreement import best_scale, unexplained, unexplained_difference
from mcinterp.analysis.mixture import mixture_weights
from mcinterp.analysis.statistics import Floats, interval_columns

SOME = 1e-9
"""A smaller weight is none."""

COLUMNS = {
    "fit": "one candidate (chosen on the training half), the same times its best scale, a mixture of all candidates "
    "(weights of at least 0, 1 together), or a non-negative combination of them, which may also be larger or smaller",
    "candidates": "the candidate, or how many have a weight above 0",
    "n_train": "matrices it is chosen and fitted on: the first half of the batch",
    "n_test": "matrices it is tested on: the other half",
    "seed": "seed of the batch",
    "train_unexplained": "share of the mean square of the model's masked predictions that it leaves on the first half",
    **interval_columns("unexplained", "the same on the other half"),
    **interval_columns("gain", "unexplained of the one candidate minus this, paired over the test matrices"),
    **interval_columns(
        "control_unexplained",
        "control: the same fit with candidates computed for other matrices; 1 or more is nothing explained",
    ),
}
WEIGHT_COLUMNS = {
    "candidate": "see the table of candidates",
    "weight": "in the non-negative combination; candidates that agree share theirs arbitrarily",
    "mixture_weight": "in the mixture, likewise",
    "control_weight": "the same with candidates computed for other matrices; near 0",
}


def combination_rows(
    names: tuple[str, ...], predictions: Floats, answers: Floats, control: Floats, weight: Floats, seed: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Fit on the first half of the samples, test on the other.

    Args:
        names: of the answers.
        predictions: (n, pos), the model's.
        answers: (candidates, n, pos).
        control: (candidates, n, pos), answers that cannot know the sample.
        weight: (n, pos), 1 at the entries that count, else 0.
        seed: of the batch, for the tables.

    Returns:
        rows of `COLUMNS`, and of `WEIGHT_COLUMNS`.
    """
    half = len(predictions) // 2
    train, test = slice(None, half), slice(half, None)
    real = _fits(names, predictions[train], answers[:, train], weight[train])
    null = _fits(names, predictions[train], control[:, train], weight[train])
    single = _answer(answers[:, test], real["one candidate"])
    rows = []
    for fit, weights in real.items():
        mine = _answer(answers[:, test], weights)
        rows.append(
            {
                "fit": fit,
                "candidates": _named(names, weights, real["one candidate"], fit),
                "n_train": half,
                "n_test": len(predictions) - half,
                "seed": seed,
                "train_unexplained": float(
                    unexplained(predictions[train], _answer(answers[:, train], weights), weight[train]).value
                ),
                **unexplained(predictions[test], mine, weight[test]).columns("unexplained"),
                **unexplained_difference(predictions[test], mine, single, weight[test]).columns("gain"),
                **unexplained(predictions[test], _answer(control[:, test], null[fit]), weight[test]).columns(
                    "control_unexplained"
                ),
            }
        )
    columns = zip(names, real["combination"], real["mixture"], null["combination"], strict=True)
    return rows, [dict(zip(WEIGHT_COLUMNS, (name, *map(float, each)), strict=True)) for name, *each in columns]


def _fits(names: tuple[str, ...], predictions: Floats, answers: Floats, weight: Floats) -> dict[str, Floats]:
    """Weights of every answer, for each kind of fit."""
    one = np.zeros(len(names))
    best = int(_squares(predictions, answers, weight).argmin())
    one[best] = 1.0
    scale = max(float(best_scale(predictions, answers[best], weight)), 0.0)
    chosen = weight > 0
    combined, _ = nnls(answers[:, chosen].T, predictions[chosen])
    return {
        "one candidate": one,
        "one candidate, scaled": scale * one,
        "mixture": mixture_weights(predictions[chosen], answers[:, chosen]),
        "combination": combined,
    }


def _squares(predictions: Floats, answers: Floats, weight: Floats) -> Floats:
    return np.asarray(((predictions - answers) ** 2 * weight).sum((-2, -1)))


def _answer(answers: Floats, weights: Floats) -> Floats:
    return np.tensordot(weights, answers, 1)


def _named(names: tuple[str, ...], weights: Floats, one: Floats, fit: str) -> str:
    of_all = fit in ("mixture", "combination")
    return f"{int((weights > SOME).sum())} of {len(names)}" if of_all else names[int(one.argmax())]
