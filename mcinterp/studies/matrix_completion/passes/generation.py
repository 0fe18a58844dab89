"""Generation: how much of the matrix a sequence model writes rightly, given the true tokens and on its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mcinterp.analysis.statistics import Floats, interval_columns, pooled_estimate
from mcinterp.errors import InputError
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint
from mcinterp.studies.matrix_completion.config import matrix_task
from mcinterp.studies.matrix_completion.gpt import MatrixGPT
from mcinterp.studies.matrix_completion.task.batch import MatrixBatch
from mcinterp.studies.matrix_completion.task.sequence import most_probable_values
from mcinterp.studies.matrix_completion.task.tokens import detokenise, value_token

TEACHER_FORCED = "teacher forced"
GREEDY = "greedy"
ZERO = "baseline: the token of 0"
OTHER_PROMPT = "control: greedy on another matrix's prompt"
CHANCE = "chance: that other matrix itself"
ENTRIES = ("masked", "observed", "all")
COLUMNS = {
    "answers": "teacher forced: each token after the true ones before it; greedy: each after those that the model "
    "wrote; baseline: the token of the value nearest to 0 at every entry; control: greedy, after the masked entries of "
    "another matrix; chance: the true tokens of that other matrix",
    "entries": "masked, observed (by the mask of the scored matrix) or all",
    "n": "matrices",
    "seed": "seed of the batch",
    **interval_columns("exact", "share of entries whose token is right"),
    **interval_columns("within_one", "share of entries whose token is right or the next above or below"),
    **interval_columns("size", "share of entries whose absolute value is right to one step"),
    **interval_columns("sign", "share of right signs where neither the true value nor the answer is 0 (chance: 0.5)"),
    **interval_columns("mse", "mean squared error of the tokens' values"),
    **interval_columns("exact_excess", "exact minus that of the control, paired over matrices"),
}


def generation(checkpoint: Checkpoint, samples: int = 256, seed: int = 0) -> Result:
    """Let a GPT write matrices, and compare every entry's token with the true one.

    The control writes after the prompt of another matrix: what it writes knows nothing of the matrix it is scored
    against, so that a model that completes its prompt is right no more often than that other matrix itself would be.

    Args:
        checkpoint: what to look at; its model must be a GPT.
        samples: matrices, at least 2.
        seed: of the batch.

    Returns:
        table `generation`. Source: App. G of arXiv 2410.22244.

    Raises:
        InputError: if the model is no GPT, or for fewer than 2 matrices.
    """
    if samples < 2:
        raise InputError(f"generation: samples must be at least 2, got {samples}")
    model, config = checkpoint.gpt, matrix_task(checkpoint.config)
    batch = checkpoint.sample(samples, seed)
    answers = {name: tokens.cpu() for name, tokens in _answers(model, batch, checkpoint).items()}
    true = batch.inputs[:, -config.n_entries :].cpu()
    values = {name: detokenise(tokens, config) for name, tokens in answers.items()}
    rows = accuracy_rows(answers, values, true, batch.targets.cpu(), batch.observed.cpu(), 10.0**-config.decimals)
    return Result(
        "generation",
        "Generation",
        {"samples": samples, "seed": seed},
        {"answers": list(answers), "vocabulary": config.n_values},
        {"generation": Table.of(COLUMNS, [{**row, "n": samples, "seed": seed} for row in rows])},
    )


@torch.no_grad()
def _answers(model: MatrixGPT, batch: MatrixBatch, checkpoint: Checkpoint) -> dict[str, Tensor]:
    """The tokens of all entries, (n, entries), by each way of answering."""
    n_entries, config = model.n_entries, matrix_task(checkpoint.config)
    prompts, true = batch.inputs[:, : n_entries + 1], batch.inputs[:, n_entries + 1 :]
    logits = model(batch.inputs)[:, n_entries : 2 * n_entries]
    nearest_to_zero = min(max(0.0, config.v_min), config.v_max)
    # Samples are independent, so the neighbour in the batch is another random matrix.
    return {
        TEACHER_FORCED: most_probable_values(logits, config.n_values),
        GREEDY: model.generate_greedily(prompts),
        ZERO: torch.full_like(true, value_token(nearest_to_zero, config)),
        OTHER_PROMPT: model.generate_greedily(prompts.roll(1, dims=0)),
        CHANCE: true.roll(1, dims=0),
    }


def accuracy_rows(
    answers: Mapping[str, Tensor],
    values: Mapping[str, Tensor],
    true: Tensor,
    targets: Tensor,
    observed: Tensor,
    step: float,
) -> list[dict[str, Any]]:
    """Accuracy and error of every way of answering at masked, observed and all entries.

    Args:
        answers: for each way, token ids (n, entries); one of them is `OTHER_PROMPT`, the control.
        values: their values, float, (n, entries).
        true: the right token ids, (n, entries).
        targets: the right values, (n, entries).
        observed: bool, (n, entries).
        step: distance of neighbouring values.
    """
    rows = []
    control = _by_sample(answers[OTHER_PROMPT] == true)
    size = targets.abs()
    for name, tokens in answers.items():
        exact = _by_sample(tokens == true)
        measures = {
            "exact": exact,
            "within_one": _by_sample((tokens - true).abs() <= 1),
            "size": _by_sample((values[name].abs() - size).abs() < 1.5 * step),
            "sign": _by_sample(values[name].sign() == targets.sign()),
            "mse": _by_sample((values[name] - targets).square()),
            "exact_excess": exact - control,
        }
        signed = _by_sample((size > step / 2) & (values[name].abs() > step / 2))
        rows += [
            {"answers": name, "entries": entries, **_columns(measures, _weight(entries, observed), signed)}
            for entries in ENTRIES
        ]
    return rows


def _by_sample(measure: Tensor) -> Floats:
    return measure.double().numpy()


def _weight(entries: str, observed: Tensor) -> Floats:
    """1 where an entry counts, (n, entries)."""
    seen = observed.double().numpy()
    return {"masked": 1 - seen, "observed": seen, "all": np.ones_like(seen)}[entries]


def _columns(measures: Mapping[str, Floats], weight: Floats, signed: Floats) -> dict[str, float]:
    """The table's columns over the entries that `weight` picks; signs over those that have one."""
    columns: dict[str, float] = {}
    for name, measure in measures.items():
        counted = weight * signed if name == "sign" else weight
        columns |= pooled_estimate((measure * counted).sum(1), counted.sum(1)).columns(name)
    return columns
