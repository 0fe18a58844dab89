"""Ways to complete a low-rank matrix from its observed entries, without a model: what a model is compared with."""

from mcinterp.studies.matrix_completion.baselines.nuclear import (
    Completion,
    has_unique_minimiser,
    nuclear_norm_completion,
    regularised_completion,
    solve_nuclear_norm,
)
from mcinterp.studies.matrix_completion.baselines.reference import nuclear_norm_reference, regularised_reference

__all__ = [
    "Completion",
    "has_unique_minimiser",
    "nuclear_norm_completion",
    "nuclear_norm_reference",
    "regularised_completion",
    "regularised_reference",
    "solve_nuclear_norm",
]
