"""Matrix completion as a `Task`: see random entries of a low-rank matrix, answer all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mcinterp.config import TaskConfig
from mcinterp.errors import InputError
from mcinterp.task.batch import Batch, ScoreKind
from mcinterp.task.masks import MaskLike, observed_mask, random_observed
from mcinterp.task.matrices import sample_matrices
from mcinterp.task.tokens import tokenise


@dataclass(frozen=True)
class MatrixBatch(Batch):
    """Matrices with masks; entries are in row-major order.

    Attributes:
        inputs: token ids, int64, (n, rows·cols), MASK where an entry is not observed; for a sequence (n, 2·rows·cols +
            1), the same followed by the separator and the tokens of all entries.
        targets: the rounded matrices, float32, (n, rows·cols).
        observed: bool, (n, rows·cols), False where the model is given MASK.
        shape: (rows, cols).
        n_clipped: how many observed values were clipped to the vocabulary.
    """

    observed: Tensor
    shape: tuple[int, int]
    n_clipped: int = 0


class MatrixCompletion:
    """The task of arXiv 2410.22244: mean squared error over all entries, observed and masked together."""

    score_kinds: Mapping[str, ScoreKind] = {
        "observed_mse": ScoreKind("L_obs, mean squared error over observed entries"),
        "masked_mse": ScoreKind("L_mask, mean squared error over masked entries"),
        "masked_abs_mean": ScoreKind("mean |prediction| at masked entries", beside=True),
    }
    score_names: tuple[str, ...] = tuple(score_kinds)
    progress_score = "masked_mse"
    loss_name = "mean squared error"

    def __init__(self, config: TaskConfig) -> None:
        self.config = config

    def sample(self, n: int, generator: torch.Generator, mask: MaskLike | None = None) -> MatrixBatch:
        """Draw `n` matrices; mask each at random with `p_mask`, or all with the same `mask`.

        Matrices are drawn before masks, so that the same generator state gives the same matrices under every mask.

        Args:
            mask: None for random masks, a name of `mcinterp.task.masks`, or a boolean (rows, cols) array, True where
                observed.
        """
        matrices = sample_matrices(self.config, n, generator)
        if mask is None:
            observed = random_observed(n, self.config.rows, self.config.cols, self.config.p_mask, generator)
        else:
            observed = observed_mask(mask, self.config.rows, self.config.cols).expand(n, -1, -1)
        return self.batch(matrices, observed)

    def batch(self, matrices: Tensor, observed: Tensor) -> MatrixBatch:
        """Make a batch of given matrices and masks, both (n, rows, cols); matrices are rounded.

        Raises:
            InputError: if the shapes do not fit the task, or a value has no token.
        """
        expected = (len(matrices), self.config.rows, self.config.cols)
        if tuple(matrices.shape) != expected or tuple(observed.shape) != expected:
            raise InputError(
                f"batch: matrices and masks must have shape (n, {self.config.rows}, {self.config.cols}), got "
                f"{tuple(matrices.shape)} and {tuple(observed.shape)}"
            )
        values = matrices.round(decimals=self.config.decimals).flatten(1)
        seen = observed.flatten(1).contiguous()
        tokens, n_clipped = tokenise(values, seen, self.config)
        return MatrixBatch(tokens, values, seen, (self.config.rows, self.config.cols), n_clipped)

    def negated(self, batch: MatrixBatch) -> MatrixBatch:
        """The batch of −X under the same masks: the corrupt input of activation patching."""
        shape = (len(batch), self.config.rows, self.config.cols)
        return self.batch(-batch.targets.view(shape), batch.observed.view(shape))

    def loss(self, output: Tensor, batch: MatrixBatch) -> Tensor:
        """Mean squared error over all entries; `output` is (n, rows·cols)."""
        return (output - batch.targets).square().mean()

    def scores(self, output: Tensor, batch: MatrixBatch) -> Mapping[str, Tensor]:
        """MSE over observed and over masked entries, and mean |prediction| at masked ones; NaN where there are none."""
        error = (output - batch.targets).square()
        masked = (~batch.observed).to(error.dtype)
        n_masked, n_observed = masked.sum(), (1 - masked).sum()
        return {
            "observed_mse": (error * (1 - masked)).sum() / n_observed,
            "masked_mse": (error * masked).sum() / n_masked,
            "masked_abs_mean": (output.abs() * masked).sum() / n_masked,
        }

    def to(self, batch: MatrixBatch, device: torch.device) -> MatrixBatch:
        """The same batch on another device."""
        return replace(
            batch,
            inputs=batch.inputs.to(device),
            targets=batch.targets.to(device),
            observed=batch.observed.to(device),
        )
