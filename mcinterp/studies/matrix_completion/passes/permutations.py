"""Permutations of the positions of a matrix, by what they leave of a position's place.

A permutation is an array `order` over positions in row-major order; position p takes the place of `order[p]`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import factorial

import numpy as np
from numpy.typing import NDArray

Order = NDArray[np.int64]


def everything(rows: int, cols: int, count: int, generator: np.random.Generator) -> list[Order]:
    """Permutations of all positions."""
    return _different(lambda: generator.permutation(rows * cols), count, factorial(rows * cols) - 1)


def whole_rows(rows: int, cols: int, count: int, generator: np.random.Generator) -> list[Order]:
    """Rows exchanged as wholes: which positions share a row or a column stays."""
    grid = _grid(rows, cols)
    return _different(lambda: grid[generator.permutation(rows)].ravel(), count, factorial(rows) - 1)


def whole_columns(rows: int, cols: int, count: int, generator: np.random.Generator) -> list[Order]:
    """Columns exchanged as wholes: which positions share a row or a column stays."""
    grid = _grid(rows, cols)
    return _different(lambda: grid[:, generator.permutation(cols)].ravel(), count, factorial(cols) - 1)


def within_columns(rows: int, cols: int, count: int, generator: np.random.Generator) -> list[Order]:
    """Each column shuffled on its own: the column stays, which positions share a row is broken."""
    grid = _grid(rows, cols)
    possible = factorial(rows) ** cols - factorial(rows)
    return _different(lambda: generator.permuted(grid, axis=0).ravel(), count, possible, _keeps_rows(rows, cols))


def within_rows(rows: int, cols: int, count: int, generator: np.random.Generator) -> list[Order]:
    """Each row shuffled on its own: the row stays, which positions share a column is broken."""
    grid = _grid(rows, cols)
    possible = factorial(cols) ** rows - factorial(cols)
    return _different(lambda: generator.permuted(grid, axis=1).ravel(), count, possible, _keeps_columns(rows, cols))


def transposition(rows: int, cols: int) -> list[Order]:
    """Row and column exchanged; only a square matrix of more than one entry has it."""
    return [_grid(rows, cols).T.ravel()] if rows == cols > 1 else []


def identity(rows: int, cols: int) -> list[Order]:
    """Every position left where it is."""
    return [_grid(rows, cols).ravel()]


def _grid(rows: int, cols: int) -> Order:
    return np.arange(rows * cols).reshape(rows, cols)


def _keeps_rows(rows: int, cols: int) -> Callable[[Order], bool]:
    """Whether positions of one row come from one row."""
    return lambda order: bool((np.ptp(order.reshape(rows, cols) // cols, axis=1) == 0).all())


def _keeps_columns(rows: int, cols: int) -> Callable[[Order], bool]:
    """Whether positions of one column come from one column."""
    return lambda order: bool((np.ptp(order.reshape(rows, cols) % cols, axis=0) == 0).all())


def _different(
    draw: Callable[[], Order], count: int, possible: int, refused: Callable[[Order], bool] | None = None
) -> list[Order]:
    """At most `count` different draws, none of them the identity or refused; `possible` of them exist."""
    found: list[Order] = []
    while len(found) < min(count, possible):
        order = draw()
        is_identity = bool((order == np.arange(len(order))).all())
        known = any(np.array_equal(order, other) for other in found)
        if not (is_identity or known or (refused and refused(order))):
            found.append(order)
    return found
