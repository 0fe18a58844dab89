"""Distribution shift: what a checkpoint makes of matrices and masks that it was not trained on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch

from mcinterp.analysis.statistics import Floats, interval_columns, pooled_difference, pooled_estimate
from mcinterp.errors import InputError
from mcinterp.model.blocks import Blocks
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint
from mcinterp.studies.matrix_completion.config import TaskConfig, matrix_task
from mcinterp.studies.matrix_completion.entry_errors import EntryErrors
from mcinterp.studies.matrix_completion.task.batch import MatrixBatch
from mcinterp.studies.matrix_completion.task.completion import MatrixCompletion
from mcinterp.studies.matrix_completion.task.masks import random_observed
from mcinterp.studies.matrix_completion.task.matrices import sample_matrices

LAWS = {
    "uniform factors": ("uniform", 1.0),
    "Gaussian factors": ("gaussian", 0.5),
    "Laplace factors": ("laplace", 0.25),
    "full rank": ("full-rank", 1.0),
}
P_MASKS = tuple(round(0.05 * step, 2) for step in range(2, 13))
TRAINING, FRESH = "training", "training, fresh batch"

COLUMNS = {
    "sweep": "what is varied: law, rank, rank (variance kept: factors scaled so that entries keep the variance that "
    "they have in training) or p_mask; everything else is as in training",
    "condition": "the law, rank or p_mask; training: nothing is varied; training, fresh batch: the control",
    "factors": "law of the factors; full-rank: of the entries themselves",
    "factor_scale": "half-width of the uniform law, standard deviation of the Gaussian, b of the Laplace",
    "rank": "rank of the matrices",
    "p_mask": "probability that an entry is masked",
    "trained": "whether this is the law, rank and p_mask of training",
    "n": "matrices",
    "seed": "seed of the masks, which are the same under every law and rank, and nested over p_mask; matrices have "
    "seeds made from it",
    "n_clipped": "observed entries outside the vocabulary, whose tokens are those of its ends",
    "unseen": "share of observed entries beyond any value that training draws, whose tokens were never trained",
    **interval_columns("observed_mse", "L_obs"),
    **interval_columns("masked_mse", "L_mask"),
    **interval_columns("zero_mse", "L_mask of answering 0: the mean square of the masked entries"),
    **interval_columns("masked_ratio", "masked_mse / zero_mse: below 1 the answer is nearer to the truth than 0 is"),
    **interval_columns(
        "ratio_change",
        "masked_ratio minus that of training, by matrices under the same masks; null for the fresh batch, which shares "
        "nothing but the law (unpaired)",
    ),
}


@dataclass(frozen=True)
class _Condition:
    """One law of matrices and masks.

    Attributes:
        sweep: what is varied.
        name: its value.
        task: the law.
        fresh: whether matrices and masks are other draws than those of the other conditions.
    """

    sweep: str
    name: str
    task: TaskConfig
    fresh: bool = False


def distribution_shift(checkpoint: Checkpoint, samples: int = 1024, seed: int = 0) -> Result:
    """Measure the errors under other laws of the factors, other ranks and other shares of masked entries.

    Values beyond the vocabulary are clipped to its ends in the input, not in the target. Errors are shown beside those
    of answering 0, because laws differ in scale. Two things differ at once where values occur that training never
    draws: the law, and tokens whose embeddings were never trained; `unseen` says how many, and the second rank sweep
    keeps the variance, which makes them rare.

    Args:
        checkpoint: what to look at.
        samples: matrices of each law, at least 4; each rank and p_mask uses half of them.
        seed: of masks and matrices.

    Returns:
        table `shift`, a row for each condition. Source: App. J of arXiv 2410.22244.
    """
    if samples < 4:
        raise InputError(f"distribution_shift: samples must be at least 4, got {samples}")
    # Matrices that fill the grid, whatever sizes it was trained on: a shift of rank reaches beyond a small size's.
    trained = _changed(matrix_task(checkpoint.config), out_of_range="clip", sizes=None)

    blocks = Blocks(checkpoint.encoder)

    @cache
    def measured(task: TaskConfig, fresh: bool, n: int) -> _Measured:
        return _Measured.of(checkpoint, blocks, _batch(task, fresh, samples, seed, n))

    rows = []
    for condition in _conditions(trained):
        n = samples if condition.sweep == "law" else samples // 2
        here, base = measured(condition.task, condition.fresh, n), measured(trained, False, n)
        rows.append({"n": n, "seed": seed, **_row(condition, trained, here, base)})
    return Result(
        "shift",
        "Distribution shift",
        {"samples": samples, "seed": seed},
        {
            "sweeps": list(dict.fromkeys(row["sweep"] for row in rows)),
            "trained": {"factors": trained.factors, "rank": trained.rank, "p_mask": trained.p_mask},
        },
        {"shift": Table.of(COLUMNS, [{name: row[name] for name in COLUMNS} for row in rows])},
    )


def _conditions(trained: TaskConfig) -> list[_Condition]:
    laws = [
        _Condition("law", name, law)
        for name, (factors, scale) in LAWS.items()
        if not _same(law := _changed(trained, factors=factors, factor_scale=scale), trained)
    ]
    controls = [_Condition("law", TRAINING, trained), _Condition("law", FRESH, trained, fresh=True)]
    return [*controls, *laws, *_rank_sweep(trained), *_mask_sweep(trained)]


def _rank_sweep(trained: TaskConfig) -> list[_Condition]:
    """Every rank that matrices of this size can have, with the factors of training where it has factors."""
    factors = {} if trained.factors != "full-rank" else {"factors": "uniform", "factor_scale": 1.0}
    law = _changed(trained, **factors)
    ranks = range(1, min(trained.rows, trained.cols) + 1)
    # An entry is a sum of `rank` products of two factors, so that its variance goes with rank · scale⁴.
    kept = [_changed(law, rank=rank, factor_scale=law.factor_scale * (law.rank / rank) ** 0.25) for rank in ranks]
    return [
        *(_Condition("rank", f"rank {rank}", _changed(law, rank=rank)) for rank in ranks),
        *(_Condition("rank (variance kept)", f"rank {task.rank}", task) for task in kept),
    ]


def _mask_sweep(trained: TaskConfig) -> list[_Condition]:
    shares = sorted({*P_MASKS, trained.p_mask})
    return [_Condition("p_mask", f"p_mask {share:g}", _changed(trained, p_mask=share)) for share in shares]


def _changed(task: TaskConfig, **changes: Any) -> TaskConfig:
    return TaskConfig(**{**task.model_dump(), **changes})


def _same(task: TaskConfig, other: TaskConfig) -> bool:
    """Whether two laws are one; a full-rank law has no rank."""
    return task == other or (task.factors == "full-rank" and _changed(task, rank=other.rank) == other)


@dataclass(frozen=True)
class _Measured:
    """The errors of one condition, and those of answering 0, sample by sample."""

    batch: MatrixBatch
    errors: EntryErrors
    zero: EntryErrors

    @classmethod
    def of(cls, checkpoint: Checkpoint, blocks: Blocks, drawn: MatrixBatch) -> _Measured:
        batch = checkpoint.task.to(drawn, torch.device(checkpoint.device))
        output = blocks.complete(batch.inputs)
        errors, zero = (EntryErrors.of(x, batch.targets, batch) for x in (output, torch.zeros_like(output)))
        return cls(batch, errors, zero)

    @property
    def ratio(self) -> tuple[Floats, Floats]:
        """The masked errors and those of answering 0, to be divided."""
        return self.errors.sums["masked"], self.zero.sums["masked"]


def _batch(task: TaskConfig, fresh: bool, drawn: int, seed: int, n: int) -> MatrixBatch:
    """The first `n` of `drawn` matrices: masks as in all conditions, matrices as in those of one law and rank."""
    law = f"{task.factors} {task.factor_scale!r} {task.rank}"
    values, masks = _generator(seed, f"matrices {law}", fresh), _generator(seed, "masks", fresh)
    matrices = sample_matrices(task, drawn, values)
    observed = random_observed(drawn, task.rows, task.cols, task.p_mask, masks)
    return MatrixCompletion(task).batch(matrices[:n], observed[:n])


def _generator(seed: int, stream: str, fresh: bool) -> torch.Generator:
    """A stream of random numbers of its own for each name; fresh ones share nothing with the others."""
    state = np.random.SeedSequence([seed, int(fresh), *stream.encode()]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0]))


def _row(condition: _Condition, trained: TaskConfig, here: _Measured, base: _Measured) -> dict[str, Any]:
    task = condition.task
    return {
        "sweep": condition.sweep,
        "condition": condition.name,
        "factors": task.factors,
        "factor_scale": task.factor_scale,
        "rank": min(task.rows, task.cols) if task.factors == "full-rank" else task.rank,
        "p_mask": task.p_mask,
        "trained": _same(task, trained),
        "n_clipped": here.batch.n_clipped,
        "unseen": _unseen(here.batch, trained),
        **here.errors.mse("observed").columns("observed_mse"),
        **here.errors.mse("masked").columns("masked_mse"),
        **here.zero.mse("masked").columns("zero_mse"),
        **pooled_estimate(*here.ratio).columns("masked_ratio"),
        **pooled_difference(*here.ratio, *base.ratio).columns("ratio_change"),
    }


def _unseen(batch: MatrixBatch, trained: TaskConfig) -> float:
    """The share of observed entries whose size training cannot draw; laws without bounds draw every size."""
    bounds = {"uniform": trained.rank * trained.factor_scale**2, "full-rank": trained.factor_scale}
    bound = round(bounds.get(trained.factors, np.inf), trained.decimals) + 0.5 * 10**-trained.decimals
    beyond = (batch.targets.abs() > bound) & batch.observed
    n_observed = int(batch.observed.sum())
    return int(beyond.sum()) / n_observed if n_observed else float("nan")
