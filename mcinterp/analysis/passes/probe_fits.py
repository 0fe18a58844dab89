"""Least-squares probes of every layer, fitted part by part of the batch: memory does not grow with the samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from mcinterp.analysis.statistics import Floats
from mcinterp.model.blocks import Blocks
from mcinterp.task.inside import ProbeTargets

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Fitted:
    """The probes of one layer.

    Attributes:
        weights: of every target and then of every control, side by side, (d_model, columns).
        widths: columns of each target.
    """

    weights: Floats
    widths: Mapping[str, int]

    def predictions(self, resid: Tensor) -> dict[str, tuple[Floats, Floats]]:
        """For each target, the answers of the probe and of its control, (n, pos, k), at a residual stream."""
        widths = list(self.widths.values())
        found = np.split(_double(resid) @ self.weights, np.cumsum([*widths, *widths])[:-1], axis=-1)
        return {name: (found[index], found[index + len(widths)]) for index, name in enumerate(self.widths)}


def fitted(blocks: Blocks, tokens: Tensor, targets: ProbeTargets, shuffled: Indices) -> list[Fitted]:
    """Probes of the residual stream after the embeddings and after each block, without intercept.

    The normal equations of all targets, and of those of other samples, are summed up over parts in float64; they
    share one xᵀx a layer.

    Args:
        blocks: of the model.
        tokens: its inputs, (n, pos).
        targets: of the same samples.
        shuffled: for each sample, the one whose targets the control is fitted to, (n,).
    """
    n_layers, d_model = len(blocks.blocks) + 1, blocks.model.model_config.d_model
    widths = {name: target.shape[-1] for name, target in targets.at(slice(1)).items()}
    gram, cross = np.zeros((n_layers, d_model, d_model)), np.zeros((n_layers, d_model, 2 * sum(widths.values())))
    for samples in blocks.parts(len(tokens), kept=2 * d_model):
        wanted = [*targets.at(samples).values(), *targets.at(shuffled[samples]).values()]
        y = np.concatenate(wanted, axis=-1).reshape(-1, cross.shape[2])
        for layer, resid in enumerate(blocks.residual_stream(tokens[samples])):
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
