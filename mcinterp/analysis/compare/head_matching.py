"""Heads of two models paired by what they attend to, whatever their index.

What is compared of a head is its pattern less uniform attention (the mean over the keys that a query may see), so that
heads which spread alike do not pass for alike. Three correlations of two heads on the same inputs, each 1 for the same
attention and about 0 for attention that has nothing in common:

- score: over all inputs, queries and keys. Heads are paired by it.
- map: over queries and keys, of the two averages over inputs: what is the same whatever the input.
- response: over inputs, queries and keys, of what is left of each pattern when the head's average is taken off: whether
  two heads follow the input in the same way.

Beside them stands what the heads do, which takes no part in pairing them:

- effect: over inputs and answers, of what the answers change by when a head attends uniformly; about 0, not about the
  mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from mcinterp.analysis.statistics import Estimate, Floats, mean_estimate
from mcinterp.model import Head, HeadSet
from mcinterp.model.blocks import Blocks
from mcinterp.model.head_sweep import HeadChange, HeadSweep
from mcinterp.model.interventions import uniform_attention

KINDS = ("score", "map", "response")
EFFECT = "effect"
"""The correlations, as the module's head describes them."""
Pairs = tuple[NDArray[np.intp], NDArray[np.intp]]
"""Heads of A, and the head of B beside each."""
ROUNDING = 1e-6
"""Changes of answers, of the order of 1, that rounding makes."""
FLAT = 1e-12
"""A head whose mean squared distance from uniform attention is below this has no direction to compare."""


@dataclass(frozen=True)
class Products:
    """Inner products of two models' attention, one of each kind for every input and every pair of heads.

    Attributes:
        both: (n, head of A, head of B).
        a: of A's heads with themselves, (n, head of A).
        b: of B's heads with themselves, (n, head of B).
        parts: 1, or 2 where each product is half of what an input adds to one of averages, which are of both models.
    """

    both: Floats
    a: Floats
    b: Floats
    parts: int = 1

    @property
    def correlation(self) -> Floats:
        """Σ both / √(Σ a Σ b), (head of A, head of B); NaN for a head that attends uniformly."""
        return np.asarray(self.both.mean(0) / self._scale())

    def estimate(self) -> Estimate:
        """The correlation with its interval over inputs (delta method), cut at −1 and 1; without a p-value."""
        return _bounded(self.correlation, self._residuals())

    def mean_over(self, pairs: Pairs) -> Estimate:
        """The mean of some pairs' correlations, with an interval over inputs; pairs without one are left out."""
        values, residuals = self.correlation[pairs], self._residuals()[:, *pairs]
        known = np.isfinite(values)
        if not known.any():
            nan = np.asarray(np.nan)
            return Estimate(nan, nan, nan, nan)
        return _bounded(values[known].mean(), residuals[:, known].mean(1))

    def _scale(self) -> Floats:
        a, b = (np.where(part.mean(0) > FLAT, part.mean(0), np.nan) for part in (self.a, self.b))
        return np.asarray(np.sqrt(a[:, None] * b[None, :]))

    def _residuals(self) -> Floats:
        """What each input adds to the error of the correlation, (n, head of A, head of B), zero on average."""
        a, b = (part / np.where(part.mean(0) > FLAT, part.mean(0), np.nan) for part in (self.a, self.b))
        own = (a[:, :, None] + b[:, None, :]) / 2
        return np.asarray(self.parts * (self.both / self._scale() - self.correlation * own))


@dataclass(frozen=True)
class Similarity:
    """How alike the heads of two models are.

    Attributes:
        products: for each of `KINDS`.
        map_a: A's average patterns, (head, query, key).
        map_b: B's.
    """

    products: dict[str, Products]
    map_a: Floats
    map_b: Floats

    @property
    def scores(self) -> Floats:
        """(head of A, head of B)."""
        return self.products["score"].correlation


def similarity(model_a: Blocks, model_b: Blocks, inputs_a: Tensor, inputs_b: Tensor) -> Similarity:
    """Compare the heads of two models, input by input.

    The models run twice, part by part: for the averages and for the products, so that no more than a part of the
    patterns is there at a time.

    Args:
        model_a: A.
        model_b: B, with as many positions; it may have other layers, heads and widths.
        inputs_a: token ids (n, pos).
        inputs_b: the same for B, or others for what is alike on other inputs.
    """
    sums = [torch.zeros(()), torch.zeros(())]
    for pair in _patterns(model_a, model_b, inputs_a, inputs_b):
        sums = [total + part.sum(0) for total, part in zip(sums, pair, strict=True)]
    mean_a, mean_b = (total / len(inputs_a) for total in sums)
    parts = [_products(a, b, mean_a, mean_b) for a, b in _patterns(model_a, model_b, inputs_a, inputs_b)]
    joined = [[torch.cat(each).cpu().numpy() for each in zip(*kind, strict=True)] for kind in zip(*parts, strict=True)]
    products = {
        name: Products(each[0], each[1], each[2], parts=2 if name == "map" else 1)
        for name, each in zip(KINDS, joined, strict=True)
    }
    n_pos = inputs_a.shape[1]
    uniform = uniform_attention(n_pos, model_a.causal).double().numpy()
    map_a, map_b = (mean.cpu().numpy().reshape(-1, n_pos, n_pos) + uniform for mean in (mean_a, mean_b))
    return Similarity(products, map_a, map_b)


def effects(model: Any, inputs: Tensor) -> Floats:
    """What the answers change by when a head attends uniformly, (n, head, answer).

    Exactly 0 for a head that changes them by no more than rounding does.
    """
    sweep, shape = HeadSweep(model), model.model_config
    heads = [Head(*pair) for pair in product(range(shape.n_layers), range(shape.n_heads))]
    changes = {head: HeadChange(HeadSet.of(str(head), [head]), None) for head in heads}
    parts = []
    for start in range(0, len(inputs), sweep.at_once):
        clean = sweep.clean(inputs[start : start + sweep.at_once])
        changed = dict(sweep.answers(clean, changes))
        parts.append(
            torch.stack([(changed[head] - clean.answers).flatten(1) for head in heads], 1).double().cpu().numpy()
        )
    found = np.concatenate(parts)
    return np.where(np.square(found).mean((0, 2))[:, None] > ROUNDING**2, found, 0.0)


def effect_products(a: Floats, b: Floats) -> Products:
    """Inner products of two models' `effects`, on as many inputs with as many answers."""
    return Products(a @ b.swapaxes(1, 2), np.square(a).sum(-1), np.square(b).sum(-1))


def best_assignment(scores: Floats) -> Pairs:
    """Pairs of heads, each head in one at most, whose scores have the largest sum (Kuhn 1955, as scipy solves it).

    Args:
        scores: (head of A, head of B); NaN counts as 0.

    Returns:
        the heads of A in order, and B's head of each; as many as the smaller model has.
    """
    rows, columns = linear_sum_assignment(np.nan_to_num(scores), maximize=True)
    return rows, columns


def _patterns(a: Blocks, b: Blocks, inputs_a: Tensor, inputs_b: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Both models' patterns less uniform attention, part by part, each (n, head, query · key), float64."""
    n, n_pos = inputs_a.shape
    uniform = uniform_attention(n_pos, a.causal).double().to(inputs_a.device)
    # All layers' patterns, in float64 and once more while they are put together.
    kept = max(4 * sum(block.n_heads for block in model.blocks) * n_pos for model in (a, b))
    size = min(a.at_once(kept), b.at_once(kept))
    for start in range(0, n, size):
        both = ((a, inputs_a[start : start + size]), (b, inputs_b[start : start + size]))
        left, right = (
            (torch.cat(list(model.patterns(tokens)), 1).double() - uniform).flatten(2) for model, tokens in both
        )
        yield left, right


def _products(a: Tensor, b: Tensor, mean_a: Tensor, mean_b: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
    """What `Products` holds, for each of `KINDS`, of some inputs' patterns (n, head, query · key)."""
    both, own_a, own_b = a @ b.mT, a.square().sum(-1), b.square().sum(-1)
    to_mean = (a @ mean_b.T + (b @ mean_a.T).mT) / 2
    to_mean_a, to_mean_b = (a * mean_a).sum(-1), (b * mean_b).sum(-1)
    left = (
        both - 2 * to_mean + mean_a @ mean_b.T,
        own_a - 2 * to_mean_a + mean_a.square().sum(-1),
        own_b - 2 * to_mean_b + mean_b.square().sum(-1),
    )
    return [(both, own_a, own_b), (to_mean, to_mean_a, to_mean_b), left]


def _bounded(value: Floats, residuals: Floats) -> Estimate:
    """A correlation with the interval that its residuals (n, …) give, cut at −1 and 1."""
    spread = mean_estimate(residuals)
    nan = np.full_like(np.asarray(value), np.nan)
    return Estimate(np.asarray(value), np.maximum(value + spread.low, -1.0), np.minimum(value + spread.high, 1.0), nan)
