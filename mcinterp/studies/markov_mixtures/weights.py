"""Weights of the mixture of the four algorithms that is nearest to a network's predictions, with their spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mcinterp.analysis.mixture import mixture_of_products
from mcinterp.analysis.statistics import Floats
from mcinterp.studies.markov_mixtures.oracles import FOUR

RESAMPLES = 200


class Products:
    """Sums over places of products of predictions, sequence by sequence: all that least squares knows of them.

    Args:
        points: predictions of each checkpoint, (n, place, k).
        oracles: what is mixed, each (n, place, k).
        where: which places, 0 or 1, (n, place).
    """

    def __init__(self, points: Sequence[Tensor], oracles: Sequence[Tensor], where: Floats) -> None:
        mixed = torch.stack(list(oracles)) * torch.from_numpy(where).double()[..., None]
        self.given = torch.einsum("anpk,bnpk->nab", mixed, mixed).numpy()
        self.against = np.stack([torch.einsum("anpk,npk->na", mixed, each).numpy() for each in points])

    def fitted(self, counts: Floats) -> Floats:
        """Weights at every checkpoint, (step, oracle), each sequence counted so many times, (n,)."""
        given = np.tensordot(counts, self.given, 1)
        return np.stack([mixture_of_products(given, counts @ each) for each in self.against])


@dataclass(frozen=True)
class Weights:
    """Weights of the four at every checkpoint.

    Attributes:
        fitted: of all sequences, (step, oracle).
        resampled: (resample, step, oracle); a resample is of the same sequences at every step.
    """

    fitted: Floats
    resampled: Floats

    @classmethod
    def of(cls, points: Sequence[Tensor], oracles: Mapping[str, Tensor], where: Floats) -> Weights:
        """Fit them to all sequences, and to resamples of these."""
        products, n = Products(points, [oracles[name] for name in FOUR], where), len(where)
        counts = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), RESAMPLES).astype(np.float64)
        return cls(products.fitted(np.ones(n)), np.stack([products.fitted(each) for each in counts]))
