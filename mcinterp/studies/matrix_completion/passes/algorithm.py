"""What algorithm is it? The model's answers at masked entries against completions computed from the same input."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mcinterp.analysis.compare.agreement import (
    best_scale,
    correlation,
    mean_square,
    scaled,
    unexplained,
    unexplained_difference,
)
from mcinterp.analysis.statistics import Estimate, Floats, interval_columns
from mcinterp.config import RunConfig
from mcinterp.errors import InputError, UnansweredError
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint
from mcinterp.studies.matrix_completion.baselines.candidates import CANDIDATES, Completions, completions
from mcinterp.studies.matrix_completion.baselines.completion import CompletionSettings
from mcinterp.studies.matrix_completion.config import TaskConfig, matrix_task
from mcinterp.studies.matrix_completion.passes.algorithm_bins import COLUMNS as BIN_COLUMNS
from mcinterp.studies.matrix_completion.passes.algorithm_bins import bin_rows, observed_bins, pivot_bins
from mcinterp.studies.matrix_completion.passes.combination import COLUMNS as COMBINATION_COLUMNS
from mcinterp.studies.matrix_completion.passes.combination import WEIGHT_COLUMNS, combination_rows
from mcinterp.studies.matrix_completion.task.batch import MatrixBatch
from mcinterp.studies.matrix_completion.task.completion import MatrixCompletion
from mcinterp.studies.matrix_completion.task.tokens import detokenise

TRUTH = "the truth"

COLUMNS = {
    "candidate": "name of the completion, computed from the observed values and the mask; 'the truth' is none, and "
    "stands for what a perfect completion would leave",
    "meaning": "what it does",
    "parameters": "its numbers",
    "n": "matrices",
    "seed": "seed of the batch, of random starts and of random subsets",
    "defined": "share of the masked entries for which it has an answer; 0 is taken at the others",
    **interval_columns("to_model", "MSE between the candidate and the model's predictions at masked entries"),
    **interval_columns(
        "unexplained",
        "to_model over the mean square (about 0) of the model's predictions: the share that the candidate leaves. "
        "The candidate zero leaves 1; more than 1 is worse than answering 0",
    ),
    **interval_columns("behind", "unexplained minus that of the best candidate, paired over matrices"),
    "scale": "number by which the candidate is multiplied to come nearest to the model",
    **interval_columns("scaled_unexplained", "unexplained of the candidate times its scale; at most 1"),
    **interval_columns("to_truth", "MSE between the candidate and the truth at masked entries"),
    **interval_columns("model_mse", "MSE between the model and the truth at masked entries"),
    **interval_columns("correlation", "correlation of the candidate's and the model's predictions at masked entries"),
    **interval_columns("error_correlation", "correlation of the candidate's and the model's errors, both minus truth"),
    **interval_columns(
        "control_scaled_unexplained",
        "control: scaled_unexplained of the candidate computed for another matrix; 1 is nothing explained",
    ),
    **interval_columns("control_correlation", "control: its correlation with the model's predictions"),
    **interval_columns(
        "untrained_scaled_unexplained", "control: scaled_unexplained of an untrained model's predictions"
    ),
}


@dataclass(frozen=True)
class Problem:
    """A batch as every checkpoint of a run meets it, with what the candidates answer.

    Attributes:
        batch: matrices and masks, on the CPU.
        observed: (n, rows, cols).
        truth: (n, rows·cols).
        completions: of the candidates.
        seed: of the batch and the candidates.
    """

    batch: MatrixBatch
    observed: NDArray[np.bool_]
    truth: Floats
    completions: Completions
    seed: int

    @property
    def masked(self) -> Floats:
        """(n, rows·cols), 1 at masked entries, else 0."""
        return (~self.observed).reshape(len(self.observed), -1).astype(np.float64)


def algorithm_fit(checkpoint: Checkpoint, samples: int = 512, seed: int = 0) -> Result:
    """Compare the model's predictions at masked entries with those of known ways to complete a matrix.

    The candidates (`CANDIDATES`) see what the model sees: the observed values and the mask; beside it they know the
    rank. The share of the mean square of the model's predictions that a candidate leaves says how far it is the
    model's algorithm; the correlation of errors tells apart candidates that are all near the truth. Two controls should
    explain nothing: each candidate computed for another matrix, and an untrained model in place of the model.

    Args:
        checkpoint: what to look at.
        samples: matrices, at least 4.
        seed: of the batch, the candidates' random starts, and the untrained model.

    Returns:
        tables `candidates`, `by_observed` (masked entries by how many entries of their row and column are observed),
        `by_conditioning` (by max |det|^(1/r) over the observed r × r blocks that determine the entry through a
        vanishing minor), `combination` and `weights`; facts name the best candidate.

    Raises:
        InputError: with too few samples.
        UnansweredError: where nothing is masked.
    """
    if samples < 4:
        raise InputError(f"algorithm_fit: samples must be at least 4 (two halves of 2), got {samples}")
    problem = posed_problem(matrix_task(checkpoint.config), samples, seed)
    untrained = _untrained_predictions(checkpoint.config, samples, seed)
    return explained(predicted(checkpoint, problem), problem, untrained)


def explained(predictions: Floats, problem: Problem, untrained: Floats) -> Result:
    """The result for any predictions.

    Args:
        predictions: (n, rows·cols), what to explain.
        problem: the batch they were made on.
        untrained: (n, rows·cols), predictions that no candidate should explain.
    """
    names, answers = problem.completions.names, problem.completions.values
    # Samples are independent, so the neighbour in the batch is another random matrix.
    others = np.roll(answers, 1, axis=1)
    bins = {
        "by_observed": observed_bins(problem.observed),
        "by_conditioning": pivot_bins(problem.completions.pivots, problem.observed),
    }
    joint, weights = combination_rows(names, predictions, answers, others, problem.masked, problem.seed)
    samples = len(predictions)
    return Result(
        "algorithm",
        "What algorithm is it?",
        {"samples": samples, "seed": problem.seed},
        _facts(predictions, problem),
        {
            "candidates": Table.of(COLUMNS, _candidate_rows(predictions, problem, others, untrained)),
            **{
                name: Table.of(BIN_COLUMNS, bin_rows(names, chosen, predictions, answers, problem.truth, problem.seed))
                for name, chosen in bins.items()
            },
            "combination": Table.of(COMBINATION_COLUMNS, joint),
            "weights": Table.of(WEIGHT_COLUMNS, weights),
        },
    )


# Every checkpoint of a run is asked the same matrices and no candidate looks at a model, so what is slow is done once.
@lru_cache(maxsize=2)
def posed_problem(task: TaskConfig, samples: int, seed: int) -> Problem:
    """Draw the matrices and complete them with every candidate.

    Raises:
        UnansweredError: where nothing is masked.
    """
    batch = MatrixCompletion(task).sample(samples, torch.Generator().manual_seed(seed), size="largest")
    observed = batch.observed.view(-1, task.rows, task.cols)
    if bool(observed.all()):
        raise UnansweredError(f"algorithm_fit: no entry of {samples} matrices is masked (p_mask {task.p_mask:g})")
    # The values that the tokens stand for: clipped and truncated where the model's input is.
    values = detokenise(batch.inputs, task).double().view_as(observed)
    rank = min(task.rows, task.cols) if task.factors == "full-rank" else task.rank
    answers = completions(values, observed, CompletionSettings(rank, seed))
    return Problem(batch, observed.numpy(), batch.targets.double().numpy(), answers, seed)


@lru_cache(maxsize=2)
def _untrained_predictions(config: RunConfig, samples: int, seed: int) -> Floats:
    """What a model with other initial weights than the run's answers."""
    start = config.training.seed + 1 + seed
    return predicted(Checkpoint.untrained(config, start), posed_problem(matrix_task(config), samples, seed))


@torch.no_grad()
def predicted(checkpoint: Checkpoint, problem: Problem) -> Floats:
    """The model's answers, (n, rows·cols)."""
    inputs = problem.batch.inputs.to(checkpoint.device)
    return checkpoint.encoder.complete(inputs).double().cpu().numpy()


def _candidate_rows(predictions: Floats, problem: Problem, others: Floats, untrained: Floats) -> list[dict[str, Any]]:
    """A row for every candidate, and one for the truth, which has no control."""
    answers, truth, masked = problem.completions.values, problem.truth, problem.masked
    rows = _rows(predictions, np.concatenate([answers, truth[None]]), problem)
    controls = {
        "control_scaled_unexplained": unexplained(predictions, scaled(predictions, others, masked), masked),
        "control_correlation": correlation(others, predictions, masked),
        "untrained_scaled_unexplained": unexplained(untrained, scaled(untrained, answers, masked), masked),
    }
    defined = (problem.completions.defined * masked).sum((1, 2)) / masked.sum()
    nothing = Estimate(*(np.full(1, np.nan) for _ in range(4)))
    model_mse = mean_square(predictions - truth, masked).columns("model_mse")
    for index, (name, row) in enumerate(zip((*problem.completions.names, TRUTH), rows, strict=True)):
        entry = CANDIDATES.get(name)
        given = {key: estimate if entry else nothing for key, estimate in controls.items()}
        row |= {
            "candidate": name,
            "meaning": entry.meaning if entry else "the masked entries themselves, which the input does not tell",
            "parameters": ", ".join(f"{key} {value:g}" for key, value in entry.parameters.items()) if entry else "",
            "n": len(predictions),
            "seed": problem.seed,
            "defined": float(defined[index]) if entry else math.nan,
            **model_mse,
        }
        for key, estimate in given.items():
            row |= estimate.columns(key, index if entry else 0)
    return [{column: row[column] for column in COLUMNS} for row in rows]


def _rows(predictions: Floats, answers: Floats, problem: Problem) -> list[dict[str, Any]]:
    """The numbers of each of the answers (k, n, pos) against predictions and truth."""
    truth, masked = problem.truth, problem.masked
    scale = best_scale(predictions, answers, masked)
    best = int(_nearest_first(predictions, answers[: len(problem.completions.names)], masked)[0])
    estimates = {
        "to_model": mean_square(answers - predictions, masked),
        "unexplained": unexplained(predictions, answers, masked),
        "behind": unexplained_difference(predictions, answers[best], answers, masked),
        "scaled_unexplained": unexplained(predictions, scaled(predictions, answers, masked), masked),
        "to_truth": mean_square(answers - truth, masked),
        "correlation": correlation(answers, predictions, masked),
        "error_correlation": correlation(answers - truth, predictions - truth, masked),
    }
    rows: list[dict[str, Any]] = [{"scale": float(value)} for value in scale]
    for index, row in enumerate(rows):
        for name, estimate in estimates.items():
            row |= estimate.columns(name, index)
    return rows


def _facts(predictions: Floats, problem: Problem) -> dict[str, Any]:
    """The candidate nearest to the model: what it leaves, and how much more the next one leaves (paired)."""
    answers, masked, names = problem.completions.values, problem.masked, problem.completions.names
    best, second = _nearest_first(predictions, answers, masked)[:2].tolist()
    left = unexplained(predictions, answers[best], masked)
    margin = unexplained_difference(predictions, answers[best], answers[second], masked)
    return {
        "best": names[best],
        **_plain(left.columns("unexplained")),
        "second": names[second],
        **_plain(margin.columns("margin")),
        "prediction_mean_square": float(mean_square(predictions, masked).value),
        "masked_entries": int(masked.sum()),
        "candidates": list(names),
    }


def _nearest_first(predictions: Floats, answers: Floats, masked: Floats) -> NDArray[np.intp]:
    return np.argsort(mean_square(answers - predictions, masked).value, kind="stable")


def _plain(columns: dict[str, float]) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else value for name, value in columns.items()}
