"""Matrix completion as a `Task`: see random entries of a low-rank matrix, answer all of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from mcinterp.studies.matrix_completion.answer_measures import answer_spread, repeated_answers
from mcinterp.studies.matrix_completion.head_classes import MatrixHeadClasses
from mcinterp.studies.matrix_completion.known_answers import KINDS, known_answers
from mcinterp.studies.matrix_completion.probe_targets import MatrixTargets
from mcinterp.studies.matrix_completion.task.batch import MatrixBatch, double
from mcinterp.studies.matrix_completion.task.masks import MaskLike
from mcinterp.studies.matrix_completion.task.matrix_task import MatrixTask
from mcinterp.studies.matrix_completion.task.tokens import (
    MASK_TOKEN,
    detokenise,
    tokenise,
)
from mcinterp.task.offers import AnswerMeasure, Floats, Sums

VALUE_RANGE = 1.5
"""Tokens of values beyond ± this are left out where tokens are shown, as in Fig. 7 of arXiv 2410.22244."""
MOST_SHOWN = 41
"""Of the values that occur, so many are kept in stored circuits, evenly spread."""


class MatrixCompletion(MatrixTask):
    """The task of arXiv 2410.22244: the model answers a number at every entry, all at once."""

    answers_entries = True
    answer_measure_kinds: Mapping[str, AnswerMeasure] = {
        "answer spread": AnswerMeasure(
            "variance of the answers at masked entries over the mean square of their targets, 0 when all answers are "
            "the same",
            "how much the answers at masked entries vary",
            "share of the targets' mean square",
        ),
        "repeated answers": AnswerMeasure(
            "share of masked entries that get the most frequent answer, rounded as the targets are",
            "how often the most frequent answer is given",
            "share of masked entries",
        ),
    }
    known_answer_kinds = KINDS
    blank_name = "mask_key"
    blank_meaning = "MASK"
    blank_token = MASK_TOKEN

    def position_groups(self) -> Mapping[str, list[int]]:
        """The row and the column of every position."""
        rows, cols = np.divmod(np.arange(self.config.n_positions), self.config.cols)
        return {"row": rows.tolist(), "column": cols.tolist()}

    def token_labels(self) -> list[str]:
        """MASK, then the value of each token; PAD where there is one."""
        values = self.token_values()
        return ["MASK", *("PAD" if np.isnan(value) else f"{value:g}" for value in values[1:])]

    def token_values(self) -> Floats:
        """The value of each token, NaN for MASK and PAD."""
        return detokenise(torch.arange(self.config.d_vocab), self.config).double().numpy()

    def head_classes(self) -> MatrixHeadClasses:
        """Rows, columns and identity under random masks; five groups under structured ones."""
        return MatrixHeadClasses(self.config.rows, self.config.cols)

    def head_classes_under(self, name: str, family: MaskLike) -> MatrixHeadClasses:
        """The same, with a mask of one's own in place of the random ones."""
        return MatrixHeadClasses(self.config.rows, self.config.cols, (name, family))

    def answer_measures(self, answers: Float[Tensor, "n entry"], batch: MatrixBatch) -> Sums:
        """How widely answers at masked entries spread, and how many of them are the same."""
        masked = (~batch.observed).cpu().numpy()
        given = np.where(masked, double(answers), 0.0)
        targets = np.where(masked, double(batch.targets), 0.0)
        return {
            "answer spread": answer_spread(given, targets, masked),
            "repeated answers": repeated_answers(given, masked, self.config.decimals),
        }

    def known_answers(self, batch: MatrixBatch) -> Mapping[str, MatrixBatch]:
        """The batch with what known completions give as its targets."""
        return known_answers(batch, self.config)

    def followed_tokens(self, batch: MatrixBatch) -> tuple[np.ndarray, Floats, np.ndarray]:
        """Ids, values and occurrences of the values within ± `VALUE_RANGE` that occur in the matrices."""
        targets = batch.targets.cpu()
        values, counts = torch.unique(targets[targets.abs() <= VALUE_RANGE], return_counts=True)
        ids, _ = tokenise(values[None], torch.ones(1, len(values), dtype=torch.bool), self.config)
        return ids[0].numpy(), values.double().numpy(), counts.numpy()

    def shown_tokens(self, inputs: Int[Tensor, "n pos"]) -> Int[Tensor, " token"]:
        """MASK, and at most `MOST_SHOWN` of the values that occur within ± `VALUE_RANGE`, evenly spread."""
        occurring = torch.unique(inputs)
        values = detokenise(occurring.cpu(), self.config).double()
        kept = occurring.cpu()[values.abs() <= VALUE_RANGE]  # not MASK, whose value is NaN
        values = values[values.abs() <= VALUE_RANGE]
        if len(kept) > MOST_SHOWN:
            wanted = torch.linspace(float(values[0]), float(values[-1]), MOST_SHOWN, dtype=torch.float64)
            kept = kept[torch.unique((values - wanted[:, None]).abs().argmin(1))]
        return torch.cat([torch.tensor([MASK_TOKEN]), kept]).to(inputs.device)

    def probe_targets(self, batch: MatrixBatch) -> MatrixTargets:
        """The masked row, the entry, and the top left singular vector."""
        return MatrixTargets.of(batch)
