"""Does the model minimise the nuclear norm? Its completions beside those of the convex programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mcinterp.analysis.statistics import interval_columns, mean_estimate, share_estimate
from mcinterp.errors import InputError
from mcinterp.model.blocks import Blocks
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint
from mcinterp.studies.matrix_completion.baselines.solved import (
    RECOVERED,
    Solved,
    SolvedExactly,
    solved_exactly,
    solved_regularised,
)
from mcinterp.studies.matrix_completion.config import matrix_task
from mcinterp.studies.matrix_completion.entry_errors import EntryErrors

SHARES = tuple(round(0.05 * step, 2) for step in range(2, 13))
"""p_mask of the paper's figure."""
WEIGHTS = (0.0005, 0.001, 0.0015, 0.00175, 0.002, 0.005, 0.01)
"""λ of the paper's appendix."""

_P_MASK = {
    "p_mask": "probability that an entry is masked",
    "trained": "whether the model was trained at this p_mask",
    "n": "matrices, the same at each p_mask",
    "seed": "seed of the matrices and masks",
}
ERROR_COLUMNS = {
    **_P_MASK,
    "entries": "entries the error is averaged over: masked or total (observed ones the solver keeps exactly)",
    **interval_columns("model_mse", "MSE of the model's output"),
    **interval_columns("solver_mse", "MSE of the matrix of least nuclear norm that has the observed entries"),
    **interval_columns("difference", "model_mse − solver_mse, paired over matrices: below 0 the model is better"),
}
NORM_COLUMNS = {
    **_P_MASK,
    **interval_columns("model_norm", "nuclear norm of the model's output"),
    **interval_columns("solver_norm", "the least nuclear norm that the observed entries allow"),
    **interval_columns("truth_norm", "nuclear norm of the true matrix"),
    **interval_columns("difference", "model_norm − solver_norm, paired over matrices"),
}
SOLVER_COLUMNS = {
    **_P_MASK,
    **interval_columns(
        "recovered",
        f"share of matrices completed by the solver to within {RECOVERED:.0%} of their norm (exact binomial interval)",
    ),
    **interval_columns("unique", "share of matrices with certainly no other minimiser (exact binomial interval)"),
    "above_truth": "control: minimisers with a larger nuclear norm than the truth; must be 0",
    "observed_error": "control: largest difference from an observed entry; must be 0",
    "transposed_difference": "control: largest relative change of the least norm when the input is transposed; a "
    "maximum, hence without interval",
    "largest_gap": "largest relative duality gap, which bounds a minimiser's excess over the least norm; a maximum",
    "checked": "matrices that cvxpy with Clarabel was given too and solved, by its own word, to its tolerance",
    "reference_difference": "control: largest relative difference between the least norms found by both; a maximum",
}
REGULARISED_COLUMNS = {
    "solution": "the model, or minimiser of (1/|Ω|) ‖P_Ω(X − M)‖² + λ ‖X‖_*",
    "weight": "λ",
    "p_mask": "probability that an entry is masked, as in training",
    "n": "matrices, the same in each row",
    "seed": "seed of the matrices and masks",
    **interval_columns("observed_mse", "MSE over observed entries"),
    **interval_columns("masked_mse", "MSE over masked entries"),
    **interval_columns("total_mse", "MSE over all entries"),
    **interval_columns("difference", "total_mse of the model − this total_mse, paired: below 0 the model is better"),
    "reference_difference": "control: largest relative difference between the least objectives found by the solver and "
    "by cvxpy with Clarabel on the first few matrices; a maximum, hence without interval",
}


def nuclear_norm(
    checkpoint: Checkpoint,
    samples: int = 512,
    regularised_samples: int = 256,
    shares: Sequence[float] = SHARES,
    weights: Sequence[float] = WEIGHTS,
    checked: int = 8,
    seed: int = 0,
) -> Result:
    """Compare the model's completions with nuclear norm minimisation, as a share of entries is masked or another.

    The model was trained at one p_mask; all others are new to it. Matrices are the same at each p_mask, and an entry
    masked at one is masked at every larger one. The minimisers do not depend on the checkpoint and are computed once
    for all checkpoints looked at in one process. Controls: the truth is feasible, so that no minimiser may have a
    larger norm; observed entries are kept; transposing changes nothing; Clarabel finds the same on a few instances.

    Args:
        checkpoint: what to look at.
        samples: matrices at each p_mask, at least 2.
        regularised_samples: matrices, at most `samples` of them, for the regularised problem at the training p_mask.
        shares: each p_mask; that of the training is added if it is not among them.
        weights: λ of the regularised problem.
        checked: matrices of each batch that Clarabel is given as well.
        seed: of matrices and masks.

    Returns:
        tables `errors`, `norms`, `solver` (the controls) and `regularised`. Source: Sec. 3.2, Fig. 3 and App. B of
        arXiv 2410.22244.

    Raises:
        SolverError: if a problem is not solved to the tolerance.
    """
    if samples < 2 or regularised_samples < 2:
        raise InputError(f"nuclear_norm: samples must be at least 2, got {min(samples, regularised_samples)}")
    task = matrix_task(checkpoint.config)
    regularised_samples = min(regularised_samples, samples)
    blocks = Blocks(checkpoint.encoder)
    errors, norms, solver = [], [], []
    for share in sorted({*shares, task.p_mask}):
        solved = solved_exactly(task.model_copy(update={"p_mask": share}), samples, seed, checked, checkpoint.device)
        about = {"p_mask": share, "trained": share == task.p_mask, "n": samples, "seed": seed}
        output = _output(blocks, solved)
        errors += _error_rows(about, output, solved)
        norms.append(_norm_row(about, output, solved))
        solver.append(_solver_row(about, solved))
    alternatives = {
        weight: solved_regularised(task, weight, regularised_samples, seed, checked, checkpoint.device)
        for weight in weights
    }
    return Result(
        "nuclear",
        "Nuclear norm minimisation",
        {
            "samples": samples,
            "regularised_samples": regularised_samples,
            "shares": list(shares),
            "weights": list(weights),
            "checked": checked,
            "seed": seed,
        },
        {
            "p_mask": task.p_mask,
            "recovered_within": RECOVERED,
            "reference": _reference_facts(solver, alternatives),
        },
        {
            "errors": Table.of(ERROR_COLUMNS, errors),
            "norms": Table.of(NORM_COLUMNS, norms),
            "solver": Table.of(SOLVER_COLUMNS, solver),
            "regularised": Table.of(REGULARISED_COLUMNS, _regularised_rows(checkpoint, alternatives, seed)),
        },
    )


def _output(blocks: Blocks, solved: Solved) -> Tensor:
    """The model's answers, (n, rows·cols)."""
    return blocks.complete(solved.batch.inputs)


def _errors(output: Tensor, solved: Solved) -> EntryErrors:
    return EntryErrors.of(output, solved.batch.targets, solved.batch)


def _error_rows(about: dict[str, Any], output: Tensor, solved: SolvedExactly) -> list[dict[str, Any]]:
    model, solver = _errors(output, solved), _errors(solved.completed, solved)
    return [
        {
            **about,
            "entries": entries,
            **model.mse(entries).columns("model_mse"),
            **solver.mse(entries).columns("solver_mse"),
            **model.minus(solver, entries).columns("difference"),
        }
        for entries in ("masked", "total")
    ]


def _norm_row(about: dict[str, Any], output: Tensor, solved: SolvedExactly) -> dict[str, Any]:
    matrices = output.double().view(-1, *solved.batch.shape)
    model = torch.linalg.svdvals(matrices).sum(1).cpu().numpy()
    solver, truth = solved.norm.cpu().numpy(), solved.truth_norm.cpu().numpy()
    return {
        **about,
        **mean_estimate(model).columns("model_norm"),
        **mean_estimate(solver).columns("solver_norm"),
        **mean_estimate(truth).columns("truth_norm"),
        **mean_estimate(model - solver).columns("difference"),
    }


def _solver_row(about: dict[str, Any], solved: SolvedExactly) -> dict[str, Any]:
    return {
        **about,
        **share_estimate(int(solved.recovered.sum()), len(solved.recovered)).columns("recovered"),
        **share_estimate(int(solved.unique.sum()), len(solved.unique)).columns("unique"),
        "above_truth": solved.above_truth,
        "observed_error": solved.observed_error,
        "transposed_difference": solved.transposed_difference,
        "largest_gap": solved.largest_gap,
        "checked": solved.checked,
        "reference_difference": solved.reference_difference,
    }


def _regularised_rows(checkpoint: Checkpoint, solved: dict[float, Solved], seed: int) -> list[dict[str, Any]]:
    """The model and then each λ, on the same matrices."""
    if not solved:
        return []
    first = next(iter(solved.values()))
    model = _errors(_output(Blocks(checkpoint.encoder), first), first)
    about = {"p_mask": matrix_task(checkpoint.config).p_mask, "n": len(first.batch), "seed": seed}
    nan = float("nan")
    rows = [{"solution": "model", "weight": nan, **about, **_mse_columns(model, model), "reference_difference": nan}]
    for weight, found in solved.items():
        columns = _mse_columns(_errors(found.completed, found), model)
        named = {"solution": f"λ = {weight:g}", "weight": weight}
        rows.append({**named, **about, **columns, "reference_difference": found.reference_difference})
    return rows


def _mse_columns(errors: EntryErrors, model: EntryErrors) -> dict[str, float]:
    mse = {name: errors.mse(name).columns(f"{name}_mse") for name in ("observed", "masked", "total")}
    return {**mse["observed"], **mse["masked"], **mse["total"], **model.minus(errors, "total").columns("difference")}


def _reference_facts(solver: list[dict[str, Any]], regularised: dict[float, Solved]) -> dict[str, Any]:
    """How far the batched solver and Clarabel are apart, over all instances that both solved."""
    differences = [row["reference_difference"] for row in solver]
    differences += [found.reference_difference for found in regularised.values()]
    instances = sum(row["checked"] for row in solver) + sum(found.checked for found in regularised.values())
    return {"solver": "cvxpy with Clarabel", "instances": instances, "largest_relative_difference": max(differences)}
