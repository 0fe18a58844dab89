"""Matrix completion as a sequence: masked entries, separator, all entries, the latter predicted token by token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mcinterp.studies.matrix_completion.task.batch import MatrixBatch
from mcinterp.studies.matrix_completion.task.masks import MaskLike
from mcinterp.studies.matrix_completion.task.matrix_task import MatrixTask
from mcinterp.studies.matrix_completion.task.tokens import separator_token, token_ids, token_values, tokenise
from mcinterp.task.batch import ScoreKind


class MatrixSequence(MatrixTask):
    """The autoregressive task of arXiv 2410.22244, App. G, teacher forced.

    A batch is a `MatrixBatch` whose inputs are sequences of 2·rows·cols + 1 tokens: the entries with MASK where they
    are not observed, the separator, and all entries. `targets` and `observed` are those of the entries. The model's
    output is its logits at the positions whose next token is an entry of the last part, (n, rows·cols, d_vocab).

    The loss is the cross-entropy of that part alone: entries of the first part are drawn at random, so that
    predicting them could teach nothing of completion.
    """

    score_kinds: Mapping[str, ScoreKind] = {
        "observed_cross_entropy": ScoreKind("cross-entropy of the next token, observed entries, nats"),
        "masked_cross_entropy": ScoreKind("cross-entropy of the next token, masked entries, nats"),
        "observed_accuracy": ScoreKind("share of observed entries whose most probable token is right", beside=True),
        "masked_accuracy": ScoreKind("share of masked entries whose most probable token is right", beside=True),
        "observed_mse": ScoreKind(
            "L_obs, mean squared error of the most probable value over observed entries", beside=True
        ),
        "masked_mse": ScoreKind(
            "L_mask, mean squared error of the most probable value over masked entries", beside=True
        ),
    }
    score_names = tuple(score_kinds)
    curve_labels: Mapping[str, str] = {
        "loss": "cross-entropy, all entries",
        "observed_cross_entropy": "cross-entropy, observed entries",
        "masked_cross_entropy": "cross-entropy, masked entries",
        "observed_accuracy": "accuracy, observed entries",
        "masked_accuracy": "accuracy, masked entries",
        "observed_mse": "L_obs",
        "masked_mse": "L_mask",
    }
    progress_score = "masked_cross_entropy"
    written_entries = True
    loss_name = "cross-entropy (nats)"

    def batch(self, matrices: Any, observed: MaskLike, present: Tensor | None = None) -> MatrixBatch:
        """Make a batch of given matrices and masks, as of `MatrixTask`, of one size; matrices are rounded.

        Raises:
            InputError: if the shapes do not fit the task, or a value has no token, be its entry observed or not.
        """
        prompts = super().batch(matrices, observed, present)
        answers, n_clipped = tokenise(prompts.targets, self._in_tokens(prompts), self.config)
        return replace(self._answered(prompts, answers), n_clipped=n_clipped)

    def draw(self, n: int, generator: torch.Generator) -> MatrixBatch:
        """As `sample` with random masks; values without a token are clipped, for `n_unfit` to count."""
        prompts = super().draw(n, generator)
        return self._answered(prompts, token_ids(prompts.targets, self._in_tokens(prompts), self.config))

    def _answered(self, prompts: MatrixBatch, answers: Int[Tensor, "n entry"]) -> MatrixBatch:
        separator = answers.new_full((len(prompts), 1), separator_token(self.config))
        return replace(prompts, inputs=torch.cat([prompts.inputs, separator, answers], dim=1))

    def _in_tokens(self, batch: MatrixBatch) -> Bool[Tensor, "n entry"]:
        """Every entry is a token of the last part."""
        return torch.ones_like(batch.observed)

    def position_labels(self) -> list[str]:
        """`?row,col` in the first part, `sep`, then `=row,col`."""
        entries = super().position_labels()
        return [*(f"?{entry}" for entry in entries), "sep", *(f"={entry}" for entry in entries)]

    def position_facts(self) -> Mapping[str, Any]:
        """How the entries lie in their matrix, and which part of the sequence a label is of."""
        words = "row,column of the matrix, after ? where it may be masked and after = where it is written out"
        rows, cols = self.config.rows, self.config.cols
        given, written = ([[row, col + off] for row in range(rows) for col in range(cols)] for off in (0, cols + 1))
        return {
            **super().position_facts(),
            "position_words": words,
            # Both matrices beside each other, the separator between them.
            "position_places": [*given, [rows // 2, cols], *written],
        }

    def answers(self, batch: MatrixBatch) -> Int[Tensor, "n entry"]:
        """The tokens of all entries: the last part of each sequence."""
        return batch.inputs[:, -self.config.n_entries :]

    def loss(self, output: Float[Tensor, "n entry d_vocab"], batch: MatrixBatch) -> Float[Tensor, ""]:
        """Mean cross-entropy over all entries, of logits."""
        return F.cross_entropy(output.flatten(0, 1), self.answers(batch).flatten())

    def scores(self, output: Float[Tensor, "n entry d_vocab"], batch: MatrixBatch) -> Mapping[str, Float[Tensor, ""]]:
        """Cross-entropy, accuracy and MSE over observed and over masked entries; NaN where there are none."""
        tokens = self.answers(batch)
        predicted = most_probable_values(output, self.config.n_values)
        values = token_values(predicted, self.config)
        by_entry = {
            "cross_entropy": F.cross_entropy(output.transpose(1, 2), tokens, reduction="none"),
            "accuracy": (predicted == tokens).to(output.dtype),
            "mse": (values - batch.targets).square(),
        }
        weights = {"observed": batch.observed.to(output.dtype), "masked": (~batch.observed).to(output.dtype)}
        return {
            f"{entries}_{name}": (score * weight).sum() / weight.sum()
            for name, score in by_entry.items()
            for entries, weight in weights.items()
        }


def most_probable_values(logits: Float[Tensor, "*shape d_vocab"], n_values: int) -> Int[Tensor, "*shape"]:
    """The most probable token that stands for a value."""
    return 1 + logits[..., 1 : n_values + 1].argmax(-1)
