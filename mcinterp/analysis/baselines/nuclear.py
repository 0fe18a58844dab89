"""Completion by the smallest nuclear norm."""

from __future__ import annotations

import torch
from torch import Tensor

from mcinterp.analysis.baselines.completion import filled, zero_filled
from mcinterp.analysis.baselines.impute import shrunken

ROUNDS = 400
STEP = 0.3


def nuclear_norm_completion(values: Tensor, observed: Tensor) -> Tensor:
    """Minimise ‖Z‖_* among the matrices that have the observed entries, by the alternating direction method.

    Args:
        values: (n, rows, cols), float; masked entries are not read.
        observed: (n, rows, cols), bool.

    Returns:
        (n, rows, cols).
    """
    completed = zero_filled(values, observed)
    dual = torch.zeros_like(completed)
    for _ in range(ROUNDS):
        small = shrunken(completed + dual, STEP)
        completed = filled(values, observed, small - dual)
        dual = dual + completed - small
    return completed
