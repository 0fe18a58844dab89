"""The one place where an estimate and a reference become a verdict, and a verdict a word.

A sentence that says more, less, nearer or as much asks here, so that it says no more than its interval; so does the
rule of a claim, once for each of its bounds. Only what is said of an ablation is decided elsewhere, as it is about all
tests of a page together and not about one interval: `passes.ablation_verdicts`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, TypeAlias

import pandas as pd

Row: TypeAlias = "Mapping[Any, Any] | pd.Series"
"""A table's row."""
Side = Literal["above", "below", "equal", "undecided", "missing"]

NEGLIGIBLE = 0.01
"""A change of a score by a smaller share of it is told as next to nothing, however sure it is."""


@dataclass(frozen=True)
class Judged:
    """An estimate beside a reference, and what its 95 % interval says of the two.

    Attributes:
        value: the estimate.
        low: lower end of its interval.
        high: upper end.
        reference: what it is compared with, taken as known.
        negligible: differences from the reference up to this are too small to matter; at least 0.
    """

    value: float
    low: float
    high: float
    reference: float = 0.0
    negligible: float = 0.0

    @classmethod
    def of(cls, row: Row, column: str, reference: float = 0.0, negligible: float = 0.0) -> Self:
        """A column of a table's row with its interval."""
        return cls(*_estimate(row, column), float(reference), negligible)

    @classmethod
    def beside(cls, row: Row, column: str, other: Row, other_column: str, negligible: float = 0.0) -> Self:
        """A column less another one that has an interval of its own, beside 0.

        The interval of the difference is put together from the two (Zou & Donner 2008, MOVER), as of independent
        estimates; of estimates that rise and fall together it is too wide, never too narrow.
        """
        (a, a_low, a_high), (b, b_low, b_high) = _estimate(row, column), _estimate(other, other_column)
        low, high = math.hypot(a - a_low, b_high - b), math.hypot(a_high - a, b - b_low)
        return cls(a - b, a - b - low, a - b + high, 0.0, negligible)

    @property
    def side(self) -> Side:
        """Where the whole interval lies.

        Returns:
            `equal` if no difference in it matters (without `negligible`, only if it is the reference itself), `above`
            or `below` if the reference lies outside it, `undecided` if inside, `missing` without an interval.
        """
        low, high = self.low - self.reference, self.high - self.reference
        if math.isnan(low) or math.isnan(high):
            return "missing"
        if -self.negligible <= low and high <= self.negligible:
            return "equal"
        if low > 0:
            return "above"
        return "below" if high < 0 else "undecided"

    def say(self, above: str, below: str, undecided: str, equal: str | None = None, missing: str | None = None) -> str:
        """The words for the side; those for `undecided` where there are none for `equal` or `missing`."""
        words: dict[Side, str | None] = {"above": above, "below": below, "equal": equal, "missing": missing}
        found = words.get(self.side)
        return undecided if found is None else found


def _estimate(row: Row, column: str) -> tuple[float, float, float]:
    value, low, high = (float(row[f"{column}{end}"]) for end in ("", "_low", "_high"))
    return value, low, high
