"""Known ways to complete a matrix that are quick, for every checkpoint; the pass `algorithm` has many more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mcinterp.studies.matrix_completion.baselines.candidates import CANDIDATES
from mcinterp.studies.matrix_completion.baselines.completion import CompletionSettings
from mcinterp.studies.matrix_completion.config import TaskConfig
from mcinterp.studies.matrix_completion.task.batch import MatrixBatch
from mcinterp.studies.matrix_completion.task.tokens import detokenise

ZERO = "zero"
QUICK = (ZERO, "row and column mean", "nuclear norm", "hard-impute", "minors", "gradient descent, 10 steps")
KINDS: Mapping[str, str] = {name: CANDIDATES[name].meaning for name in QUICK}


def known_answers(batch: MatrixBatch, config: TaskConfig, seed: int = 0) -> dict[str, MatrixBatch]:
    """The batch with each completion as its targets, 0 where one has no answer."""
    observed = batch.observed.cpu().view(-1, *batch.shape)
    # The values that the tokens stand for: clipped and truncated where the model's input is.
    values = detokenise(batch.inputs.cpu(), config).double().view_as(observed)
    rank = min(batch.shape) if config.factors == "full-rank" else config.rank
    settings = CompletionSettings(rank, seed)
    completed = {name: CANDIDATES[name].complete(values, observed, settings) for name in QUICK}
    return {
        name: replace(batch, targets=matrices.nan_to_num(nan=0.0).flatten(1).to(batch.targets))
        for name, matrices in completed.items()
    }
