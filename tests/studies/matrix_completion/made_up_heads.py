"""Heads made up by hand, as functions from an observed mask (rows, cols) to a pattern (query, key)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Pattern = NDArray[np.float64]
Head = Callable[[Mask], Pattern]
"""Also of weights: not normalised, and where a query has none it attends uniformly."""


def grid(observed: Mask) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row and column of every position."""
    row, col = np.indices(observed.shape)
    return row.ravel(), col.ravel()


def same_row(observed: Mask) -> Pattern:
    row, _ = grid(observed)
    return (row[:, None] == row) * 1.0


def same_column(observed: Mask) -> Pattern:
    _, col = grid(observed)
    return (col[:, None] == col) * 1.0


def identity(observed: Mask) -> Pattern:
    return np.eye(observed.size)


def row(observed: Mask) -> Pattern:
    return same_row(observed) - identity(observed)


def column(observed: Mask) -> Pattern:
    return same_column(observed) - identity(observed)


def uniform(observed: Mask) -> Pattern:
    return np.ones((observed.size, observed.size))


def to_keys(keys: NDArray[np.bool_]) -> Pattern:
    """Every query on the same keys, uniform where there are none."""
    return np.tile(keys * 1.0, (len(keys), 1))


def mask_keys(observed: Mask) -> Pattern:
    return to_keys(~observed.ravel())


def observed_keys(observed: Mask) -> Pattern:
    return to_keys(observed.ravel())


def in_masked_rows(observed: Mask) -> NDArray[np.bool_]:
    """Queries in rows of which one entry alone is observed."""
    return (observed.sum(1) == 1).repeat(observed.shape[1])


def hits(observed: Mask) -> Pattern:
    """At masked entries of masked rows, the row's only observed entry; nothing elsewhere."""
    seen = observed.ravel()
    return same_row(observed) * seen * (in_masked_rows(observed) & ~seen)[:, None]


def hitting(elsewhere: Head) -> Head:
    """In masked rows on the only observed entry, elsewhere as another head."""

    def head(observed: Mask) -> Pattern:
        found = hits(observed)
        return np.where(found.sum(1, keepdims=True) > 0, found, elsewhere(observed))

    return head


def off_diagonals(observed: Mask) -> Pattern:
    """The observed other entries of the query's column."""
    return column(observed) * observed.ravel()


def row_observed(observed: Mask) -> Pattern:
    return row(observed) * observed.ravel()


def collecting(observed: Mask) -> Pattern:
    """Every query on the only observed entries of masked rows."""
    return to_keys(in_masked_rows(observed) & observed.ravel())


def longest_run(column: NDArray[np.bool_]) -> int:
    return max(map(len, "".join("x" if seen else " " for seen in column).split()), default=0)


def on_columns(chosen: Callable[[Mask], NDArray[np.bool_]]) -> Head:
    """Every query on all entries of columns that the mask chooses."""
    return lambda observed: to_keys(np.tile(chosen(observed), observed.shape[0]))


def largest(values: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.arange(len(values)) == values.argmax()


def masked_runs(observed: Mask) -> NDArray[np.bool_]:
    return largest(np.array([longest_run(own) for own in ~observed.T]))


longest_column = on_columns(lambda observed: largest(np.array([longest_run(own) for own in observed.T])))
fullest_column = on_columns(lambda observed: largest(observed.sum(0)))
fullest_columns = on_columns(lambda observed: observed.sum(0) == observed.sum(0).max())
emptiest_column = on_columns(lambda observed: largest(-observed.sum(0)))
complete_columns = on_columns(lambda observed: observed.all(0))
longest_hole = on_columns(masked_runs)
first_column = on_columns(lambda observed: np.arange(observed.shape[1]) == 0)


def next_row(observed: Mask) -> Pattern:
    """Every entry of the row below, around the edge."""
    place, _ = grid(observed)
    return ((place[:, None] + 1) % observed.shape[0] == place) * 1.0


def corners(observed: Mask) -> Pattern:
    place, col = grid(observed)
    return to_keys(((place == 0) | (place == place.max())) & ((col == 0) | (col == col.max())))


def middle_row(observed: Mask) -> Pattern:
    place, _ = grid(observed)
    return to_keys(place == observed.shape[0] // 2)


def first_key(observed: Mask) -> Pattern:
    return to_keys(np.arange(observed.size) == 0)


def neighbour(distance: int) -> Head:
    """The position so many further, around the edge."""
    return lambda observed: np.roll(np.eye(observed.size), distance, axis=1)


def diagonal(observed: Mask) -> Pattern:
    """One row further and one column further."""
    place, col = grid(observed)
    rows, cols = observed.shape
    return np.eye(observed.size)[(place + 1) % rows * cols + (col + 1) % cols]


def half(first: Head, second: Head) -> Head:
    """Half of the attention as one head, half as another."""
    return lambda observed: normalised(first(observed)) + normalised(second(observed))


def by_place(first: Head, second: Head, share: float = 0.5) -> Head:
    """Queries of the first columns as one head, the others as another."""

    def head(observed: Mask) -> Pattern:
        _, col = grid(observed)
        here = col < share * observed.shape[1]
        return np.where(here[:, None], normalised(first(observed)), normalised(second(observed)))

    return head


def normalised(weights: Pattern) -> Pattern:
    """Attention: 1 in total for each query, uniform where it has no weights."""
    totals = weights.sum(1, keepdims=True)
    return np.where(totals > 0, weights / np.where(totals > 0, totals, 1), 1 / weights.shape[1])


class Noisy:
    """A head with attention of which a share is random, new each time."""

    def __init__(self, head: Head, share: float, seed: int) -> None:
        self._head, self._share, self._rng = head, share, np.random.default_rng(seed)

    def __call__(self, observed: Mask) -> Pattern:
        random = normalised(self._rng.random((observed.size, observed.size)))
        return (1 - self._share) * normalised(self._head(observed)) + self._share * random


class RandomKey:
    """Every query on one key, drawn anew each time."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def __call__(self, observed: Mask) -> Pattern:
        return np.eye(observed.size)[self._rng.integers(observed.size, size=observed.size)]
