"""Representations of labelled classes along any axis, such as step, context or layer: means, components, Isomap.

Points are (cell, class, d): a cell is a place on the axis. A class that a cell lacks is NaN there, never 0, so that
no picture and no number takes what was not seen for something.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.linalg import orthogonal_procrustes
from scipy.sparse import csr_array
from sklearn.manifold import Isomap

from mcinterp.analysis.statistics import Floats
from mcinterp.errors import InputError

Ints = NDArray[np.int64]
NAN = float("nan")


class ClassMeans:
    """Means of states by cell and class, from one part after the other.

    Args:
        n_cells: places on the axis.
        n_classes: labels.
        width: numbers of a state.

    Attributes:
        sums: (cell, class, d).
        counts: (cell, class).
    """

    def __init__(self, n_cells: int, n_classes: int, width: int) -> None:
        self.sums: Floats = np.zeros((n_cells, n_classes, width))
        self.counts: Ints = np.zeros((n_cells, n_classes), dtype=np.int64)

    def add(self, states: Float[np.ndarray, "state d"], classes: Ints, cells: Ints) -> None:
        """Take in states with their classes and cells, (state,); a cell of −1 is left out.

        Raises:
            InputError: if they are not as many, or of another width.
        """
        if states.shape != (len(classes), self.sums.shape[2]) or classes.shape != cells.shape:
            raise InputError(
                f"states must be ({len(classes)}, {self.sums.shape[2]}), as there are {len(classes)} classes and "
                f"{len(cells)} cells, got {states.shape}"
            )
        own = np.flatnonzero(cells >= 0)
        places = cells[own] * self.counts.shape[1] + classes[own]
        # Sparse sums take a fraction of the time of any loop over classes.
        chosen = csr_array((np.ones(len(own)), (places, own)), shape=(self.counts.size, len(states)))
        self.sums += (chosen @ states).reshape(self.sums.shape)
        self.counts += np.bincount(places, minlength=self.counts.size).reshape(self.counts.shape)

    @property
    def means(self) -> Floats:
        """(cell, class, d); NaN where a cell lacks a class."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self.sums / np.where(self.counts, self.counts, NAN)[..., None])

    def merged(self, groups: Sequence[slice]) -> ClassMeans:
        """Neighbouring cells as one, for each group of them."""
        found = ClassMeans(len(groups), *self.sums.shape[1:])
        for place, group in enumerate(groups):
            found.sums[place], found.counts[place] = self.sums[group].sum(0), self.counts[group].sum(0)
        return found


def along(points: Float[np.ndarray, "cell class d"], measure: Callable[[Floats], float]) -> Floats:
    """A measure of the points of every cell, (cell,); NaN where one lacks a class."""
    return np.array([measure(own) if np.isfinite(own).all() else NAN for own in points])


def components_along(points: Float[np.ndarray, "cell class d"], n: int = 2) -> Float[np.ndarray, "cell class n"]:
    """The first principal components of every cell, with the signs that leave them nearest to those before.

    A class that a cell lacks is NaN, and components beyond those that there are, are 0.
    """
    return _signed([_laid(own, n, _scores) for own in points])


def isomap_along(
    points: Float[np.ndarray, "cell class d"], neighbours: int, n: int = 2
) -> Float[np.ndarray, "cell class n"]:
    """The first coordinates of Isomap of every cell, signs likewise; NaN of a cell with too few classes.

    Args:
        points: with NaN where a class lacks.
        neighbours: of a class that are joined to it.
        n: coordinates.
    """
    return _signed([_laid(own, n, lambda present: isomap(present, neighbours, n)) for own in points])


def isomap(points: Float[np.ndarray, "class d"], neighbours: int, n: int = 2) -> Float[np.ndarray, "class n"]:
    """The first coordinates of Isomap; NaN where there are too few classes.

    Neighbourhoods that do not hang together are joined by their nearest points.
    """
    if len(points) <= max(neighbours, n):
        return np.full((len(points), n), NAN)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The number of connected components")
        warnings.filterwarnings("ignore", message="Changing the sparsity structure")
        return np.asarray(Isomap(n_neighbors=neighbours, n_components=n).fit_transform(points))


def turned_along(planes: Float[np.ndarray, "cell class n"]) -> Float[np.ndarray, "cell class n"]:
    """The same planes, each turned or mirrored as a whole so that its classes move least from the one before.

    Where two components have nearly the same variance, as on a ring, each alone means nothing, but their plane does.
    """
    found = [planes[0]]
    for plane in planes[1:]:
        both = np.isfinite(plane).all(1) & np.isfinite(found[-1]).all(1)
        found.append(plane @ orthogonal_procrustes(plane[both], found[-1][both])[0] if both.any() else plane)
    return np.stack(found)


def component_shares(points: Float[np.ndarray, "class d"]) -> Floats:
    """Share of the variance that each principal component has, (component,)."""
    squares = np.linalg.svd(points - points.mean(0), compute_uv=False)[: len(points) - 1] ** 2
    return np.asarray(squares / squares.sum())


def effects_beside(sums: Float[np.ndarray, "class other d"], counts: Ints) -> Float[np.ndarray, "class d"]:
    """What each class adds to a state, beside what another label of it adds: least squares on both, additively.

    Effects are of mean 0 over classes. What the two labels cannot be told apart by (as parity, where classes and labels
    alternate) is shared by both, as of least norm.

    Args:
        sums: of states by class and other label.
        counts: (class, other).
    """
    n, n_others, width = sums.shape
    products = np.zeros((n + n_others, n + n_others))
    products[:n, :n], products[n:, n:] = np.diag(counts.sum(1)), np.diag(counts.sum(0))
    products[:n, n:], products[n:, :n] = counts, counts.T
    targets = np.concatenate([sums.sum(1), sums.sum(0)])
    mean = targets[:n].sum(0) / max(counts.sum(), 1)
    centred = targets - np.diag(products)[:, None] * mean
    effects = np.linalg.lstsq(products, centred, rcond=1e-10)[0][:n]
    return np.asarray(effects - effects.mean(0)).reshape(n, width)


def _scores(points: Floats) -> Floats:
    """What the points (n, d) are on their principal components, (n, component)."""
    left, values, _ = np.linalg.svd(points - points.mean(0), False)
    return np.asarray(left * values)


def _laid(points: Floats, n: int, lay: Callable[[Floats], Floats]) -> Floats:
    """Coordinates of the classes that are there; NaN of the others."""
    present = np.isfinite(points).all(1)
    found = np.full((len(points), n), NAN)
    if present.sum() > 1:
        coordinates = lay(points[present])[:, :n]
        found[present] = 0.0
        found[np.ix_(np.flatnonzero(present), np.arange(coordinates.shape[1]))] = coordinates
    return found


def _signed(cells: list[Floats]) -> Floats:
    """Every cell's axes with the signs that leave them nearest to those before."""
    found = cells[:1]
    for cell in cells[1:]:
        likeness = np.nansum(cell * found[-1], axis=0)
        found.append(cell * np.where(likeness < 0, -1.0, 1.0))
    return np.stack(found)
