"""Least-squares probes of every layer, fitted part by part of the batch: memory does not grow with the matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mcinterp.analysis.statistics import Floats
from mcinterp.model.blocks import Blocks
from mcinterp.task import MatrixBatch

Indices = NDArray[np.int64]

TARGETS = ("masked row", "entry", "singular vector")


@dataclass(frozen=True)
class Targets:
    """What probes are to read, of all matrices: a few numbers a matrix, spread over positions only where needed.

    Attributes:
        rows: each matrix with masked entries at 0, (n, rows, cols).
        entries: its true entries, (n, pos, 1).
        vectors: its top left singular vector, largest element positive, (n, rows).
    """

    rows: Floats
    entries: Floats
    vectors: Floats

    @classmethod
    def of(cls, batch: MatrixBatch) -> Targets:
        """The targets of a batch."""
        matrices = batch.targets.double().cpu().view(-1, *batch.shape)
        seen = matrices * batch.observed.cpu().view(-1, *batch.shape)
        return cls(seen.numpy(), matrices.flatten(1)[..., None].numpy(), _top_left_singular(matrices).numpy())

    def at(self, matrices: slice | Indices) -> dict[str, Floats]:
        """Each target of some matrices at every position, (n, pos, k)."""
        rows, entries, vectors = self.rows[matrices], self.entries[matrices], self.vectors[matrices]
        n_pos = entries.shape[1]
        spread = np.broadcast_to(vectors[:, None], (len(vectors), n_pos, vectors.shape[1]))
        return dict(zip(TARGETS, (rows.repeat(rows.shape[2], axis=1), entries, spread), strict=True))

    def means(self) -> dict[str, Floats]:
        """The mean of each target over matrices and positions, (k,)."""
        means = (self.rows.mean((0, 1)), self.entries.mean((0, 1)), self.vectors.mean(0))
        return dict(zip(TARGETS, means, strict=True))


@dataclass(frozen=True)
class Fitted:
    """The probes of one layer.

    Attributes:
        weights: of every target and then of every control, side by side, (d_model, columns).
        widths: columns of each target.
    """

    weights: Floats
    widths: Sequence[int]

    def predictions(self, resid: Tensor) -> dict[str, tuple[Floats, Floats]]:
        """For each target, the answers of the probe and of its control, (n, pos, k), at a residual stream."""
        found = np.split(_double(resid) @ self.weights, np.cumsum([*self.widths, *self.widths])[:-1], axis=-1)
        return {name: (found[index], found[index + len(TARGETS)]) for index, name in enumerate(TARGETS)}


def fitted(blocks: Blocks, tokens: Tensor, targets: Targets, shuffled: Indices) -> list[Fitted]:
    """Probes of the residual stream after the embeddings and after each block, without intercept.

    The normal equations of all targets, and of those of other matrices, are summed up over parts in float64; they
    share one Gram matrix a layer.

    Args:
        blocks: of the model.
        tokens: its inputs, (n, pos).
        targets: of the same matrices.
        shuffled: for each matrix, the one whose targets the control is fitted to, (n,).
    """
    n_layers, d_model = len(blocks.blocks) + 1, blocks.model.model_config.d_model
    widths = [target.shape[-1] for target in targets.at(slice(1)).values()]
    gram, cross = np.zeros((n_layers, d_model, d_model)), np.zeros((n_layers, d_model, 2 * sum(widths)))
    for matrices in blocks.parts(len(tokens), kept=2 * d_model):
        wanted = [*targets.at(matrices).values(), *targets.at(shuffled[matrices]).values()]
        y = np.concatenate(wanted, axis=-1).reshape(-1, cross.shape[2])
        for layer, resid in enumerate(blocks.residual_stream(tokens[matrices])):
            x = _double(resid).reshape(-1, d_model)
            gram[layer] += x.T @ x
            cross[layer] += x.T @ y
    return [Fitted(smallest_solution(*equations), widths) for equations in zip(gram, cross, strict=True)]


def smallest_solution(gram: Floats, cross: Floats) -> Floats:
    """The w that minimises ‖x w − y‖², the smallest where several do.

    Directions in which x, computed in float32, has rounding alone (LayerNorm leaves one) count as absent.

    Args:
        gram: xᵀx, (d, d).
        cross: xᵀy, (d, k).

    Returns:
        (d, k).
    """
    values, vectors = np.linalg.eigh(gram)
    kept = values > values[-1] * len(gram) * float(np.finfo(np.float32).eps) ** 2
    return np.asarray((vectors[:, kept] / values[kept]) @ (vectors[:, kept].T @ cross))


def _double(resid: Tensor) -> Floats:
    return resid.cpu().numpy().astype(np.float64)


def _top_left_singular(matrices: Tensor) -> Tensor:
    vectors = torch.linalg.svd(matrices).U[:, :, 0]
    largest = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))
    return vectors * largest.sign()
