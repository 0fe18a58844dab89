"""The candidates by name: completions that a model's answers may follow, computed from what the model was shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mcinterp.analysis.statistics import Floats
from mcinterp.errors import InputError
from mcinterp.studies.matrix_completion.baselines.completion import CompletionSettings
from mcinterp.studies.matrix_completion.baselines.factorisation import (
    RESTARTS,
    RIDGE,
    alternating_least_squares,
    unrolled_descent,
    unrolled_least_squares,
)
from mcinterp.studies.matrix_completion.baselines.impute import hard_impute, soft_impute
from mcinterp.studies.matrix_completion.baselines.means import column_mean, row_and_column_mean, row_mean, zero
from mcinterp.studies.matrix_completion.baselines.minors import CAP, largest_minor, largest_pivot, weighted_minors
from mcinterp.studies.matrix_completion.baselines.nuclear import nuclear_norm_completion
from mcinterp.studies.matrix_completion.baselines.regression import column_regression, row_regression

Complete = Callable[[Tensor, Tensor, CompletionSettings], Tensor]


@dataclass(frozen=True)
class Candidate:
    """A way to complete matrices.

    Attributes:
        name: as tables and figures write it.
        meaning: what it does, in a line.
        complete: from values (n, rows, cols), float64, observed (n, rows, cols), bool, and settings to completed
            matrices (n, rows, cols): the observed values, and NaN where the candidate has no answer.
        parameters: the numbers that `complete` was given.
    """

    name: str
    meaning: str
    complete: Complete
    parameters: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Completions:
    """What every candidate answers on a batch of matrices.

    Attributes:
        names: of the candidates.
        values: (candidates, n, rows·cols), 0 where a candidate has no answer.
        defined: (candidates, n, rows·cols), whether it has one.
        pivots: (n, rows·cols), conditioning of each masked entry (`minors.largest_pivot`).
    """

    names: tuple[str, ...]
    values: Floats
    defined: NDArray[np.bool_]
    pivots: Floats


def completions(values: Tensor, observed: Tensor, settings: CompletionSettings) -> Completions:
    """Complete matrices with every candidate.

    Args:
        values: (n, rows, cols), float64; masked entries are not read.
        observed: (n, rows, cols), bool.
        settings: rank and seed.

    Raises:
        InputError: if the shapes differ or the rank does not fit them.
    """
    if values.ndim != 3 or values.shape != observed.shape:
        raise InputError(
            f"completions: values and masks must have one shape (n, rows, cols), got {tuple(values.shape)} and "
            f"{tuple(observed.shape)}"
        )
    if not 1 <= settings.rank <= min(values.shape[1:]):
        raise InputError(f"completions: rank {settings.rank} does not fit matrices of shape {tuple(values.shape[1:])}")
    answers = torch.stack([entry.complete(values, observed, settings) for entry in CANDIDATES.values()]).flatten(2)
    pivots = largest_pivot(values, observed, settings).flatten(1)
    return Completions(
        tuple(CANDIDATES), answers.nan_to_num(nan=0.0).numpy(), (~answers.isnan()).numpy(), pivots.numpy()
    )


def _nuclear(values: Tensor, observed: Tensor, settings: CompletionSettings) -> Tensor:
    return nuclear_norm_completion(values, observed)


def _means() -> list[Candidate]:
    return [
        Candidate("zero", "0 at every masked entry", zero),
        Candidate("row mean", "mean of the observed entries of the row", row_mean),
        Candidate("column mean", "mean of the observed entries of the column", column_mean),
        Candidate("row and column mean", "average of the row's and the column's mean", row_and_column_mean),
    ]


def _norms() -> list[Candidate]:
    soft = [
        Candidate(
            f"soft-impute, λ = {penalty:g}",
            "minimises ½‖Z − X‖² over the observed entries + λ‖Z‖_*",
            partial(soft_impute, penalty=penalty),
            {"λ": penalty},
        )
        for penalty in (0.03, 0.1, 0.3, 1.0)
    ]
    nuclear = Candidate("nuclear norm", "the smallest nuclear norm with the observed entries as they are", _nuclear)
    hard = Candidate("hard-impute", "masked entries filled from the truncated SVD of rank r, until still", hard_impute)
    return [nuclear, *soft, hard]


def _factorisations() -> list[Candidate]:
    return [
        Candidate(
            "least squares" if ridge == RIDGE else f"least squares, ridge {ridge:g}",
            "U Vᵀ of rank r fitted to the observed entries by alternating least squares from random starts until "
            "still, the best fit of them; without a ridge it also fits the rounding, at any price elsewhere",
            partial(alternating_least_squares, ridge=ridge),
            {"ridge": ridge, "restarts": RESTARTS},
        )
        for ridge in (RIDGE, 0.01, 0.1)
    ]


def _rules() -> list[Candidate]:
    return [
        Candidate(
            "minors",
            "vanishing (r+1) × (r+1) minors (rank 1: X_ik X_lj / X_lk), averaged with weight det² of the pivot",
            weighted_minors,
            {"pivots at most": CAP},
        ),
        Candidate(
            "minors, shrunken",
            "the same, with 0.1 added to the sum of the weights",
            partial(weighted_minors, shrinkage=0.1),
            {"pivots at most": CAP, "shrinkage": 0.1},
        ),
        Candidate(
            "largest minor", "the one minor with the largest |det| of the pivot", largest_minor, {"pivots at most": CAP}
        ),
        Candidate(
            "row regression",
            "least squares of rank r on the observed entries of the row, over complete rows",
            row_regression,
        ),
        Candidate("column regression", "the same with rows and columns exchanged", column_regression),
    ]


def _unrolled() -> list[Candidate]:
    sweeps = [
        Candidate(
            f"least squares, {steps} {'sweep' if steps == 1 else 'sweeps'}",
            "so many sweeps of alternating least squares, ridge 0.01, from the SVD of the zero-filled matrix",
            partial(unrolled_least_squares, steps=steps, ridge=0.01),
            {"sweeps": steps, "ridge": 0.01},
        )
        for steps in (1, 2, 3, 5, 10)
    ]
    descents = [
        Candidate(
            f"gradient descent, {steps} {'step' if steps == 1 else 'steps'}",
            "so many steps of gradient descent on U and V from the truncated SVD of the zero-filled matrix",
            partial(unrolled_descent, steps=steps),
            {"steps": steps},
        )
        for steps in (1, 2, 3, 5, 10, 30)
    ]
    return [*sweeps, *descents]


CANDIDATES: dict[str, Candidate] = {
    entry.name: entry for entry in (*_means(), *_norms(), *_factorisations(), *_rules(), *_unrolled())
}
