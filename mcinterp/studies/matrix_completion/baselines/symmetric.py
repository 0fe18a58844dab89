"""The best answer that looks at no place: symmetric in the observed entries, the same at every masked one.

With entries Σ_r u_ir v_jr of independent factors whose law is symmetric about 0, a masked entry correlates with no
observed one and with no product of two. The lowest product that says anything of it is that of three, X_il X_kl X_kj,
the other corners of a rectangle: E[X_ij X_il X_kl X_kj] = rank · Var(u)² Var(v)², rank / 81 for factors uniform in
[−1, 1]. A symmetric function does not see which three are corners. The lowest that says anything is therefore the sum
of all products of three different entries, of which the corners are a few and the rest is noise; terms of the same and
of higher degree take some of that noise away.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mcinterp.analysis.statistics import Floats


def triples(values: Floats) -> Floats:
    """Sum of the products of three different entries, (n, entry) to (n,), by Newton's identity; 0 where hidden."""
    first, second, third = (_power_sum(values, power) for power in (1, 2, 3))
    return np.asarray((first**3 - 3 * first * second + 2 * third) / 6)


def symmetric_terms(values: Floats, degree: int) -> Floats:
    """A basis of the odd symmetric polynomials of the entries: products of power sums, one for each partition.

    Args:
        values: (n, entry), 0 where hidden.
        degree: the largest; even degrees are left out, as −X has the answer −x.

    Returns:
        (n, term): of degree 3 Σx, Σx³, Σx² Σx and (Σx)³.
    """
    sums = {power: _power_sum(values, power) for power in range(1, degree + 1)}
    parts = [own for size in range(1, degree + 1, 2) for own in partitions(size)]
    return np.stack([np.prod([sums[power] for power in own], axis=0) for own in parts], axis=1)


def partitions(total: int, largest: int | None = None) -> Iterator[tuple[int, ...]]:
    """The ways to write a number as a sum of whole numbers, the largest first."""
    if total == 0:
        yield ()
    for first in range(min(total, largest or total), 0, -1):
        yield from ((first, *rest) for rest in partitions(total - first, first))


def _power_sum(values: Floats, power: int) -> Floats:
    return np.asarray((values**power).sum(1))


@dataclass(frozen=True)
class BestSymmetric:
    """The symmetric polynomial of the observed entries that is nearest to the masked ones.

    Attributes:
        degree: the largest of its terms.
        weights: of `symmetric_terms`, (term,).
    """

    degree: int
    weights: Floats

    @classmethod
    def fitted(cls, values: Floats, targets: Floats, masked: Floats, degree: int) -> BestSymmetric:
        """By least squares over the masked entries of matrices.

        Args:
            values: (n, entry), what is observed, 0 where hidden.
            targets: (n, entry), the matrices.
            masked: (n, entry), 1 at the entries to be answered, else 0.
            degree: an odd number.
        """
        terms, counts = symmetric_terms(values, degree), masked.sum(1)
        size = np.sqrt((terms**2).mean(0))
        size[size == 0] = 1.0
        root = np.sqrt(np.maximum(counts, 1))
        means = np.where(counts > 0, (targets * masked).sum(1) / root, 0.0)
        weights = np.linalg.lstsq(terms / size * np.where(counts > 0, root, 0.0)[:, None], means)[0]
        return cls(degree, np.asarray(weights / size))

    def answers(self, values: Floats) -> Floats:
        """What it answers at every masked entry of a matrix, (n, entry) to (n,)."""
        return np.asarray(symmetric_terms(values, self.degree) @ self.weights)
