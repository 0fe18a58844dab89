"""What answers at masked entries may follow before the drop: numbers of a matrix, products of entries, the place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mcinterp.analysis.statistics import Floats
from mcinterp.errors import UnansweredError
from mcinterp.runs import Checkpoint
from mcinterp.studies.matrix_completion.baselines.symmetric import BestSymmetric, triples
from mcinterp.studies.matrix_completion.task.batch import MatrixBatch, double
from mcinterp.studies.matrix_completion.task.tokens import detokenise

CHUNK = 256
"""Matrices of one forward pass."""
TIMES = 20
"""The symmetric answers are fitted on so many times as many other matrices."""
BEST, CUBIC, CUBE, PLACE, TRUTH = "best symmetric, degree 5", "best symmetric, degree 3", "sum cubed", "place", "truth"
KINDS: Mapping[str, str] = {
    PLACE: "what the model answers at the entry's place in the matrices of the other half of the batch, in the mean",
    "sum": "S, the sum of the observed entries",
    CUBE: "S³",
    "triples": "the sum of the products of three different observed entries",
    CUBIC: "the polynomial of degree 3, symmetric in the observed entries, that is nearest to the masked ones",
    BEST: "the same of degree 5",
    "X Xᵀ X": "the entry of X Xᵀ X, of the matrix with 0 where it is masked: the sum of X_ik X_lk X_lj",
    TRUTH: "the entry itself, which is no candidate: what a perfect answer would have",
}


@dataclass(frozen=True)
class Shown:
    """A batch as a model sees it, and what answers to it may follow.

    Attributes:
        batch: the matrices.
        values: (n, entry), what is observed, 0 elsewhere.
        masked: (n, entry), 1 at the entries to be answered, else 0.
        best: the symmetric answers by degree's name.
        permuted: ids of the same matrices with the observed entries of each dealt out anew to their places.
    """

    batch: MatrixBatch
    values: Floats
    masked: Floats
    best: Mapping[str, BestSymmetric]
    permuted: Tensor

    @classmethod
    def of(cls, checkpoint: Checkpoint, samples: int, seed: int) -> Shown:
        """Draw a batch, and fit the symmetric answers on others, drawn with the next seed.

        Raises:
            UnansweredError: where no entry is masked.
        """
        batch, others = checkpoint.sample(samples, seed), checkpoint.sample(TIMES * samples, seed + 1)
        masked = double(batch.masked)
        if not masked.any():
            raise UnansweredError(f"hidden_shelf: no entry of {samples} matrices is masked")
        fitted_on = observed_values(checkpoint, others), double(others.targets), double(others.masked)
        best = {name: BestSymmetric.fitted(*fitted_on, degree) for name, degree in ((CUBIC, 3), (BEST, 5))}
        return cls(batch, observed_values(checkpoint, batch), masked, best, permuted_inputs(batch, seed))

    @property
    def targets(self) -> Floats:
        """The matrices, (n, entry)."""
        return double(self.batch.targets)

    @property
    def counts(self) -> Floats:
        """Masked entries of each matrix."""
        return np.asarray(self.masked.sum(1))

    @property
    def best_answers(self) -> Floats:
        """What the best symmetric answer is at every entry, (n, entry)."""
        return self.followed[BEST]

    @property
    def followed(self) -> dict[str, Floats]:
        """What answers may follow whatever the model is, (n, entry) each; all but their place."""
        total = self.values.sum(1)
        numbers = {"sum": total, CUBE: total**3, "triples": triples(self.values)}
        numbers |= {name: one.answers(self.values) for name, one in self.best.items()}
        known = {name: np.repeat(own[:, None], self.values.shape[1], axis=1) for name, own in numbers.items()}
        matrices = self.values.reshape(-1, *self.batch.shape)
        product = matrices @ matrices.transpose(0, 2, 1) @ matrices
        return {**known, "X Xᵀ X": product.reshape(self.values.shape), TRUTH: self.targets}

    def of_place(self, answers: Floats) -> Floats:
        """The mean answer at each place to the matrices of the other half, (n, entry)."""
        half = len(answers) // 2
        first, second = (_by_place(answers[part], self.masked[part]) for part in (slice(half), slice(half, None)))
        return np.concatenate([np.tile(second, (half, 1)), np.tile(first, (len(answers) - half, 1))])


def observed_values(checkpoint: Checkpoint, batch: MatrixBatch) -> Floats:
    """The values that the tokens stand for, (n, entry): clipped and truncated where the model's input is; else 0."""
    return double(detokenise(batch.inputs.cpu(), checkpoint.task.config).nan_to_num(nan=0.0))


def permuted_inputs(batch: MatrixBatch, seed: int) -> Tensor:
    """Ids of the batch with the observed entries of every matrix dealt out anew to the places of observed entries."""
    inputs, observed = batch.inputs.cpu(), batch.observed.cpu()
    drawn = torch.rand(observed.shape, generator=torch.Generator().manual_seed(seed))
    # What is hidden comes last in both orders, in the order of its places, and so stays where it is.
    order = drawn.masked_fill(~observed, 2.0).argsort(dim=1, stable=True)
    places = (~observed).int().argsort(dim=1, stable=True)
    return torch.empty_like(inputs).scatter_(1, places, inputs.gather(1, order)).to(batch.inputs.device)


@torch.no_grad()
def answers_of(checkpoint: Checkpoint, inputs: Tensor) -> Floats:
    """What a checkpoint answers at every entry, (n, entry)."""
    return double(torch.cat([checkpoint.model.complete(chunk) for chunk in torch.split(inputs, CHUNK)]))


def of_others(values: Floats) -> Floats:
    """The same of other matrices: those half a batch further on."""
    return np.roll(values, len(values) // 2, axis=0)


def dealt_out(answers: Floats, masked: Floats) -> Floats:
    """The answers at each place given to other matrices in which it is masked too, each place's in its own way."""
    dealt = np.zeros_like(answers)
    for place in range(answers.shape[1]):
        where = np.flatnonzero(masked[:, place])
        dealt[where, place] = np.roll(answers[where, place], place + 1)
    return dealt


def _by_place(answers: Floats, masked: Floats) -> Floats:
    """The mean answer at each place; that of all places where one is never masked."""
    counts = masked.sum(0)
    everywhere = (answers * masked).sum() / max(1.0, counts.sum())
    return np.where(counts > 0, (answers * masked).sum(0) / np.maximum(counts, 1), everywhere)
