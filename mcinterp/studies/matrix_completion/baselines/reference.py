"""The same problems one by one through cvxpy and Clarabel: slow, and the judge of the batched solver."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcinterp.errors import SolverError

Floats = NDArray[np.float64]


def nuclear_norm_reference(values: Floats, observed: NDArray[np.bool_]) -> Floats:
    """Minimise ‖X‖_* subject to X = M on observed entries.

    Args:
        values: M, (n, rows, cols); masked entries are not looked at.
        observed: (n, rows, cols), True where observed.

    Returns:
        (n, rows, cols).

    Raises:
        SolverError: for any status but `optimal`, naming the instance.
    """
    program = _constrained(*values.shape[1:])
    solved = [program.solve(index, *pair) for index, pair in enumerate(_pairs(values, observed))]
    return np.array(solved).reshape(values.shape)


def regularised_reference(values: Floats, observed: NDArray[np.bool_], lam: float) -> Floats:
    """Minimise (1/|Ω|) ‖P_Ω(X − M)‖_F² + λ ‖X‖_*; arguments and errors as for `nuclear_norm_reference`."""
    program = _regularised(*values.shape[1:])
    pairs = enumerate(_pairs(values, observed))
    solved = [program.solve(index, matrix, mask, lam * mask.sum()) for index, (matrix, mask) in pairs]
    return np.array(solved).reshape(values.shape)


def _pairs(values: Floats, observed: NDArray[np.bool_]) -> Iterable[tuple[Floats, Floats]]:
    """Each matrix, zero where masked, with its mask as numbers."""
    masks = np.asarray(observed, dtype=np.float64)
    return zip(np.where(observed, values, 0.0), masks, strict=True)


@dataclass(frozen=True)
class _Program:
    """A problem whose parameters are set anew for each instance, so that cvxpy compiles it once."""

    problem: Any
    unknown: Any
    mask: Any
    target: Any
    weight: Any = None

    def solve(self, index: int, target: Floats, mask: Floats, weight: float = 0.0) -> Floats:
        import cvxpy

        self.mask.value, self.target.value = mask, target
        if self.weight is not None:
            self.weight.value = weight
        try:
            with warnings.catch_warnings():
                # The status says the same, and is refused below.
                warnings.filterwarnings("ignore", message="Solution may be inaccurate")
                # A warm start would keep the scaling of the instance before, and with it a trace of the order.
                self.problem.solve(solver=cvxpy.CLARABEL, warm_start=False)
        except cvxpy.error.SolverError as error:
            raise SolverError(f"Clarabel failed on instance {index}: {error}") from None
        if self.problem.status != cvxpy.OPTIMAL:
            raise SolverError(f"Clarabel calls instance {index} {self.problem.status!r}, expected 'optimal'")
        return np.asarray(self.unknown.value)


@lru_cache
def _constrained(rows: int, cols: int) -> _Program:
    from cvxpy import Minimize, Parameter, Problem, Variable, multiply, normNuc  # type: ignore[attr-defined]

    unknown, mask, target = Variable((rows, cols)), Parameter((rows, cols)), Parameter((rows, cols))
    problem = Problem(Minimize(normNuc(unknown)), [multiply(mask, unknown) == target])
    return _Program(problem, unknown, mask, target)


@lru_cache
def _regularised(rows: int, cols: int) -> _Program:
    from cvxpy import (  # type: ignore[attr-defined]
        Minimize,
        Parameter,
        Problem,
        Variable,
        multiply,
        normNuc,
        sum_squares,
    )

    unknown, mask, target = Variable((rows, cols)), Parameter((rows, cols)), Parameter((rows, cols))
    weight = Parameter(nonneg=True)
    # Times |Ω|, so that no parameter divides: weight is λ |Ω|.
    objective = sum_squares(multiply(mask, unknown) - target) + weight * normNuc(unknown)
    return _Program(Problem(Minimize(objective)), unknown, mask, target, weight)
