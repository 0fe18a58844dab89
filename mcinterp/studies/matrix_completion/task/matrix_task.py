"""What both tasks of matrices share: masks, errors over entries, and what passes may ask of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mcinterp.errors import InputError
from mcinterp.studies.matrix_completion.config import TaskConfig
from mcinterp.studies.matrix_completion.task.batch import MatrixBatch, double, entry_sums, entry_weights
from mcinterp.studies.matrix_completion.task.masks import MaskLike, observed_mask, observed_masks, random_observed
from mcinterp.studies.matrix_completion.task.matrices import own_matrices, sample_matrices
from mcinterp.studies.matrix_completion.task.named_masks import RANDOM, is_random, named_masks, spelled_mask
from mcinterp.studies.matrix_completion.task.sizes import SizeLike, fixed_size, present_entries
from mcinterp.studies.matrix_completion.task.structured import viewer_masks
from mcinterp.studies.matrix_completion.task.tokens import (
    MASK_TOKEN,
    n_outside,
    outside_sentence,
    token_ids,
    tokenise,
)
from mcinterp.task.batch import ScoreKind
from mcinterp.task.finite import not_finite
from mcinterp.task.inside import FamilyWords
from mcinterp.task.offers import Comparable, Floats, SampleScore, Shown, ShownForm, Sums

_Tokeniser = Callable[[Tensor, Tensor, TaskConfig], tuple[Tensor, int]]


class MatrixTask:
    """Matrices with masks, and mean squared error over all entries, observed and masked together."""

    score_kinds: Mapping[str, ScoreKind] = {
        "observed_mse": ScoreKind("L_obs, mean squared error over observed entries"),
        "masked_mse": ScoreKind("L_mask, mean squared error over masked entries"),
        "masked_abs_mean": ScoreKind("mean |prediction| at masked entries", beside=True),
    }
    score_names: tuple[str, ...] = tuple(score_kinds)
    progress_score = "masked_mse"
    loss_name = "mean squared error"
    sample_score_kinds: Mapping[str, SampleScore] = {
        "masked": SampleScore(
            "L_mask", False, "", "masked entries", "No entry was masked", "mean squared error over masked entries"
        ),
        "observed": SampleScore(
            "L_obs", False, "", "observed entries", "No entry was observed", "mean squared error over observed entries"
        ),
        "total": SampleScore("L", True, "", "all entries", spelled="mean squared error over all entries"),
    }
    curve_labels: Mapping[str, str] = {
        "loss": "L",
        "observed_mse": "L_obs",
        "masked_mse": "L_mask",
        "masked_abs_mean": "mean |prediction|, masked",
    }
    score_unit = "mse"
    unit_words = ("MSE", "mean squared error")
    zero_words = "answering 0"
    zero_sentence = "the error of answering 0 at masked entries"
    sample_names = ("matrix", "matrices")
    counterpart_names = ("X", "−X")
    same_inputs = ("kind", "rows", "cols", "sizes", "v_min", "v_max", "decimals", "tokens")
    """Fields of the configuration that two models must share to be given the same inputs."""
    shown_axes: Mapping[str, tuple[str, ...]] = {"observed": ("row", "col")}
    condition = "mask"
    family_words = FamilyWords("mask", "masks", "under the {} mask", "under every mask")
    key_name = "masked_mass"
    key_words = "masked keys"
    key_meaning = "attention on masked keys (in a sequence, those of its first part)"

    def __init__(self, config: TaskConfig) -> None:
        self.config = config

    def sample(
        self, n: int, generator: torch.Generator, mask: MaskLike | None = None, size: SizeLike = "mixed"
    ) -> MatrixBatch:
        """Draw `n` matrices; mask each at random with `p_mask`, or all with the same `mask`.

        Matrices are drawn before sizes and masks, so that the same generator state gives the same matrices under every
        mask; those of a smaller size are the top left blocks of the same.

        Args:
            mask: None for random masks, or one of `task.masks`: a name, or drawn by hand, True where observed. It has
                the rows and columns of `size`; where sizes are mixed, those of the largest, and each matrix takes its
                block.
            size: in a task of several sizes, which to draw; without meaning in others.

        Raises:
            InputError: if the mask or the size does not fit the task.
        """
        matrices = sample_matrices(self.config, n, generator)
        present = present_entries(self.config, n, size, generator)
        if mask is None or is_random(mask):
            observed = random_observed(n, self.config.rows, self.config.cols, self.config.p_mask, generator)
        else:
            rows, cols = fixed_size(self.config, size)
            own = observed_mask(mask, rows, cols)
            own = F.pad(own, (0, self.config.cols - cols, 0, self.config.rows - rows))
            observed = own.to(generator.device).expand(n, -1, -1)
        return self.batch(matrices, observed, present)

    def examples(
        self, n: int, generator: torch.Generator, mask: MaskLike | None = None, size: SizeLike = "largest"
    ) -> MatrixBatch:
        """As `sample`, of the largest size where there are several: every position is then an entry, as passes need."""
        return self.sample(n, generator, mask, size)

    def draw(self, n: int, generator: torch.Generator) -> MatrixBatch:
        """As `sample` with random masks and mixed sizes; values without a token are clipped, for `n_unfit` to count."""
        matrices = sample_matrices(self.config, n, generator)
        present = present_entries(self.config, n, "mixed", generator)
        observed = random_observed(n, self.config.rows, self.config.cols, self.config.p_mask, generator)
        return self._made(matrices, observed, present, _clipped_tokens)

    def n_unfit(self, batch: MatrixBatch) -> Int[Tensor, ""]:
        """How many values that have to be tokens lie outside the vocabulary, unless clipped."""
        outside = n_outside(batch.targets, self._in_tokens(batch), self.config)
        return torch.zeros_like(outside) if self.config.out_of_range == "clip" else outside

    def unfit_sentence(self, n_unfit: int) -> str:
        """That so many of the values lie outside the vocabulary, and what helps."""
        return outside_sentence(f"{n_unfit}", self.config)

    def batch(self, matrices: Any, observed: MaskLike, present: Tensor | None = None) -> MatrixBatch:
        """Make a batch of given matrices and masks; matrices are rounded.

        Args:
            matrices: (n, rows, cols), numbers: a tensor, an array, nested lists, or a list of arrays or data frames. A
                single matrix is put in a list.
            observed: boolean (n, rows, cols), True where observed; or one mask for all, as `sample` takes it.
            present: bool, (n, rows, cols), False where a matrix of a smaller size has no entry, whatever the other two
                hold there; None where all have all.

        Raises:
            InputError: if the shapes do not fit the task, a value is no number or has no token, or the task has no
                padding.
        """
        matrices, size = own_matrices(matrices), (self.config.rows, self.config.cols)
        self._check_shapes(matrices, [matrices])
        observed = observed_masks(observed, len(matrices), *size).to(matrices.device)
        self._check_shapes(matrices, [matrices, observed] if present is None else [matrices, observed, present])
        if problem := not_finite(matrices if present is None else matrices.masked_fill(~present, 0.0)):
            raise InputError(f"batch: matrices hold {problem.replace('first in row', 'first in matrix')}")
        return self._made(matrices, observed, present, tokenise)

    def _check_shapes(self, matrices: Tensor, given: Sequence[Tensor]) -> None:
        rows, cols = self.config.rows, self.config.cols
        if any(tuple(each.shape) != (len(matrices), rows, cols) for each in given):
            raise InputError(
                f"batch: matrices and masks must have shape (n, {rows}, {cols}), got "
                f"{' and '.join(str(tuple(each.shape)) for each in given)}"
                f"{'; put a single matrix in a list' if tuple(matrices.shape) == (rows, cols) else ''}"
            )

    def _made(self, matrices: Tensor, observed: Tensor, present: Tensor | None, tokens_of: _Tokeniser) -> MatrixBatch:
        values = matrices.round(decimals=self.config.decimals).flatten(1)
        seen = observed.flatten(1).contiguous()
        if present is not None:
            return self._padded(values, seen, present.flatten(1), tokens_of)
        tokens, n_clipped = tokens_of(values, seen, self.config)
        return MatrixBatch(tokens, values, seen, (self.config.rows, self.config.cols), n_clipped)

    def _padded(
        self,
        values: Float[Tensor, "n entry"],
        seen: Bool[Tensor, "n entry"],
        present: Bool[Tensor, "n entry"],
        tokens_of: _Tokeniser,
    ) -> MatrixBatch:
        """A batch of several sizes."""
        if self.config.pad_token is None:
            raise InputError("batch: the task has no token for padding; task.sizes makes a task of several sizes")
        seen = seen & present
        tokens, n_clipped = tokens_of(values, seen, self.config)
        tokens = tokens.masked_fill(~present, self.config.pad_token)
        values = values.masked_fill(~present, 0.0)
        return MatrixBatch(tokens, values, seen, (self.config.rows, self.config.cols), n_clipped, present)

    def _in_tokens(self, batch: MatrixBatch) -> Bool[Tensor, "n entry"]:
        """Which targets the model is given as tokens."""
        return batch.observed

    def sample_scores(self, answers: Float[Tensor, "n entry"], batch: MatrixBatch) -> Sums:
        """Squared errors over masked, observed and all entries, matrix by matrix; padding is in none."""
        return entry_sums(answers, batch.targets, batch)

    def zero_answers(self, batch: MatrixBatch) -> Float[Tensor, "n entry"]:
        """The answer 0 at every entry."""
        return batch.targets * 0

    def counterpart(self, batch: MatrixBatch) -> MatrixBatch:
        """The batch of −X under the same masks."""
        return self.negated(batch)

    def comparable_answers(self, answers: Float[Tensor, "n entry"], batch: MatrixBatch) -> Comparable:
        """The answers beside the true entries, with the weights of masked, observed and all entries."""
        return Comparable(double(answers), double(batch.targets), entry_weights(batch))

    def shown_form(self) -> ShownForm:
        """The entries as they lie in their matrix."""
        rows, cols = self.config.rows, self.config.cols
        labels = [f"{row},{col}" for row in range(rows) for col in range(cols)]
        return ShownForm(labels, (rows, cols), "answer − truth", "masked")

    def shown_examples(self, answers: Float[Tensor, "n entry"], batch: MatrixBatch) -> Shown:
        """Every entry, as it is given where it is observed, and as it is answered."""
        present = (batch.observed | batch.masked).cpu().numpy()
        truth = np.where(present, double(batch.targets), np.nan)
        answer = np.where(present, double(answers), np.nan)
        return Shown(truth, np.where(batch.observed.cpu().numpy(), truth, np.nan), answer, answer - truth)

    def inputs_for_attention(self) -> list[str]:
        """Random masks and the structured ones."""
        return [RANDOM, *viewer_masks(self.config.rows, self.config.cols)]

    def named_inputs(self, given: Any) -> dict[str, MaskLike]:
        """One mask or several by name, see `task.named_masks`."""
        return named_masks(given, self.config.rows, self.config.cols)

    def spelled_inputs(self, family: MaskLike) -> str:
        """The name by which a mask can be had again."""
        return spelled_mask(family, self.config.rows, self.config.cols)

    def attention_choice(self, family: MaskLike) -> Mapping[str, Any]:
        """The mask of a family: none of its own for random ones."""
        return {"mask": None if is_random(family) else family}

    def attended_keys(self, batch: MatrixBatch) -> Bool[Tensor, "n pos"]:
        """Positions that hold MASK."""
        return batch.inputs == MASK_TOKEN

    def shown_beside(self, batch: MatrixBatch) -> Mapping[str, Floats]:
        """`observed`: the fraction of samples in which an entry is observed, (row, col)."""
        shape = (self.config.rows, self.config.cols)
        return {"observed": batch.observed.float().mean(0).view(shape).cpu().numpy()}

    def position_facts(self) -> Mapping[str, Any]:
        """How positions lie: the rows and columns of their matrix."""
        return {
            "rows": self.config.rows,
            "cols": self.config.cols,
            "position_words": "row,column of the matrix",
        }

    def position_labels(self) -> list[str]:
        """`row,col` of every position."""
        return [f"{row},{col}" for row in range(self.config.rows) for col in range(self.config.cols)]

    def negated(self, batch: MatrixBatch) -> MatrixBatch:
        """The batch of −X under the same masks: the corrupt input of activation patching."""
        shape = (len(batch), self.config.rows, self.config.cols)
        present = None if batch.present is None else batch.present.view(shape)
        return self.batch(-batch.targets.view(shape), batch.observed.view(shape), present)

    def loss(self, output: Float[Tensor, "n entry"], batch: MatrixBatch) -> Float[Tensor, ""]:
        """Mean squared error over all entries that there are."""
        error = (output - batch.targets).square()
        if batch.present is None:
            return error.mean()
        return (error * batch.present).sum() / batch.present.sum()

    def scores(self, output: Float[Tensor, "n entry"], batch: MatrixBatch) -> Mapping[str, Float[Tensor, ""]]:
        """MSE over observed and over masked entries, and mean |prediction| at masked ones; NaN where there are none."""
        error = (output - batch.targets).square()
        masked, seen = batch.masked.to(error.dtype), batch.observed.to(error.dtype)
        n_masked, n_observed = masked.sum(), seen.sum()
        return {
            "observed_mse": (error * seen).sum() / n_observed,
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
            present=None if batch.present is None else batch.present.to(device),
        )


def _clipped_tokens(values: Tensor, observed: Tensor, config: TaskConfig) -> tuple[Tensor, int]:
    """Tokens without a count, which would have to be waited for."""
    return token_ids(values, observed, config), 0
