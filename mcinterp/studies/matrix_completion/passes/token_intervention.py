"""Token intervention: whether the model answers the value of the token it is given, or what belongs there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from mcinterp.analysis.statistics import interval_columns
from mcinterp.errors import InputError
from mcinterp.model.blocks import Blocks
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint
from mcinterp.studies.matrix_completion.config import TaskConfig, matrix_task
from mcinterp.studies.matrix_completion.entry_errors import EntryErrors
from mcinterp.studies.matrix_completion.task.batch import MatrixBatch
from mcinterp.studies.matrix_completion.task.completion import MatrixCompletion
from mcinterp.studies.matrix_completion.task.matrices import sample_matrices
from mcinterp.studies.matrix_completion.task.tokens import MASK_TOKEN, value_token

PAPER_VALUES = (0.44, -0.24)
OWN, FULL_RANK = "own law", "full rank"

COLUMNS = {
    "input": "own law: matrices as in training; full rank: entries i.i.d. uniform in [−1, 1], under the same masks",
    "token": "what stands at every masked entry: MASK, as in training, or the token of a value",
    "value": "the value c of that token; 0 for MASK",
    "n": "matrices",
    "seed": "seed of matrices and masks; the full-rank matrices have seed + 1",
    "n_clipped": "observed entries outside the vocabulary, whose tokens are those of its ends",
    **interval_columns("observed_mse", "L_obs: MSE between output and truth at the entries left alone"),
    **interval_columns("value_mse", "MSE between output and c at the replaced entries: 0 for a model that copies"),
    **interval_columns("control_mse", "control: MSE to c, at the same entries, of the output with MASK there"),
    **interval_columns(
        "copied",
        "control_mse − value_mse, paired over matrices: positive when the token moves the output to its value, null "
        "for a model that ignores it, and 0 by construction for MASK",
    ),
    **interval_columns("masked_mse", "MSE between output and truth at the replaced entries"),
    **interval_columns("zero_mse", "the same of answering 0 there"),
    **interval_columns(
        "gained", "zero_mse − masked_mse, paired over matrices: positive when nearer to the truth than 0"
    ),
    **interval_columns(
        "observed_change",
        "observed_mse minus that with MASK left in place, paired over matrices: null for a model that copies entry by "
        "entry, and 0 by construction for MASK",
    ),
}


def token_intervention(
    checkpoint: Checkpoint, constants: Sequence[float | None] | None = None, samples: int = 512, seed: int = 0
) -> Result:
    """Put the token of a constant in the place of every MASK, and see whether the output there is that constant.

    A model that copies answers c where the token of c stands, 0 at MASK, and the truth elsewhere, for matrices of any
    rank. One that completes answers the truth at MASK; what it makes of a value it is given there is what this asks.
    The control is the output at the same entries with MASK left in place.

    Args:
        checkpoint: what to look at.
        constants: values to put in, None for MASK itself; without them MASK, 0.44 and −0.24, the latter two rounded to
            the vocabulary's step and left out where they lie outside it.
        samples: matrices of each kind of input, at least 2.
        seed: of the matrices of the own law and of all masks; the full-rank matrices have seed + 1.

    Returns:
        table `tokens`, a row for each kind of input and constant. Source: Sec. 3.1.1 and Table 1 of arXiv 2410.22244.

    Raises:
        InputError: for a value that has no token.
    """
    if samples < 2:
        raise InputError(f"token_intervention: samples must be at least 2, got {samples}")
    config = matrix_task(checkpoint.config)
    chosen = list(dict.fromkeys(_default_constants(config) if constants is None else constants))
    if not chosen:
        raise InputError("token_intervention: constants must name a value or None for MASK, got none")
    tokens = {value: _token(value, config) for value in chosen}
    blocks = Blocks(checkpoint.encoder)
    rows = [
        {"input": name, "n": samples, "seed": seed, **row}
        for name, batch in _inputs(checkpoint, samples, seed).items()
        for row in _rows(blocks, batch, tokens)
    ]
    return Result(
        "tokens",
        "Token intervention",
        {"constants": None if constants is None else list(constants), "samples": samples, "seed": seed},
        {"inputs": [OWN, FULL_RANK], "constants": chosen},
        {"tokens": Table.of(COLUMNS, [{name: row[name] for name in COLUMNS} for row in rows])},
    )


def _default_constants(config: TaskConfig) -> list[float | None]:
    values = [round(value, config.decimals) for value in PAPER_VALUES]
    return [None, *(value for value in values if config.v_min <= value <= config.v_max)]


def _token(value: float | None, config: TaskConfig) -> int:
    """The token of a constant; values between two tokens have none, though inputs are rounded to one."""
    if value is None:
        return MASK_TOKEN
    on_grid = np.isfinite(value) and abs(value - round(value, config.decimals)) < 1e-9
    if not on_grid or not config.v_min <= value <= config.v_max:
        raise InputError(
            f"token_intervention: {value!r} has no token; the vocabulary holds {config.v_min:g} to {config.v_max:g} in "
            f"steps of {10**-config.decimals:g}, and None stands for MASK"
        )
    return value_token(value, config)


def token_name(value: float | None) -> str:
    """What stands at the masked entries, in words."""
    return "MASK" if value is None else f"value {value:g}".replace("-", "−")


def _inputs(checkpoint: Checkpoint, samples: int, seed: int) -> dict[str, MatrixBatch]:
    """Matrices of the run's own law, and full-rank ones, under the same masks."""
    own = checkpoint.sample(samples, seed)
    changes = {"factors": "full-rank", "factor_scale": 1.0, "out_of_range": "clip"}
    config = TaskConfig(**{**matrix_task(checkpoint.config).model_dump(), **changes})
    # Another seed, because the masks come from later in the stream that the first one gives.
    matrices = sample_matrices(config, samples, torch.Generator().manual_seed(seed + 1))
    task = MatrixCompletion(config)
    full_rank = task.batch(matrices, own.observed.cpu().view(samples, config.rows, config.cols))
    return {OWN: own, FULL_RANK: task.to(full_rank, own.inputs.device)}


def _rows(blocks: Blocks, batch: MatrixBatch, tokens: dict[float | None, int]) -> list[dict[str, Any]]:
    clean = blocks.complete(batch.inputs)
    to_truth_clean = EntryErrors.of(clean, batch.targets, batch)
    zero = EntryErrors.of(torch.zeros_like(clean), batch.targets, batch)
    rows = []
    for value, token in tokens.items():
        output = clean
        if value is not None:
            output = blocks.complete(torch.where(batch.observed, batch.inputs, token))
        constant = torch.full_like(output, value or 0.0)
        to_truth = EntryErrors.of(output, batch.targets, batch)
        to_value, control = (EntryErrors.of(answer, constant, batch) for answer in (output, clean))
        rows.append(
            {
                "token": token_name(value),
                "value": float(value or 0.0),
                "n_clipped": batch.n_clipped,
                **to_truth.mse("observed").columns("observed_mse"),
                **to_value.mse("masked").columns("value_mse"),
                **control.mse("masked").columns("control_mse"),
                **control.minus(to_value, "masked").columns("copied"),
                **to_truth.mse("masked").columns("masked_mse"),
                **zero.mse("masked").columns("zero_mse"),
                **zero.minus(to_truth, "masked").columns("gained"),
                **to_truth.minus(to_truth_clean, "observed").columns("observed_change"),
            }
        )
    return rows
