"""Texts with their exact laws, read back from stored results, and averages over them.

Texts of one beginning share its tree, and with it tokens and laws; beginnings are what is independent. So every average
is a ratio of sums over beginnings, with an interval over these.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mcinterp.analysis.skewed_t import Floats
from mcinterp.analysis.statistics import Estimate, pooled_estimate, share_estimate
from mcinterp.results import Result


@dataclass(frozen=True)
class Branches:
    """What may come next at a position; see `mcinterp.analysis.forking.Branching`.

    Attributes:
        weights: of the branches, (branch,).
        laws: of the outcome after each, (branch, outcome).
        base: which of them the text goes on with.
    """

    weights: Floats
    laws: Floats
    base: int


@dataclass(frozen=True)
class Text:
    """A text, from its beginning to its end.

    Attributes:
        start: number of its beginning.
        laws: of the outcome before each token, (T, outcome).
        last: the law at its end, (outcome,).
        branches: before each token.
        kinds: of the tokens.
        entropy: of the next token before each, nats, (T,).
        change: total variation that each token makes, (T,).
        truth_change: the same of the graph's laws, (T,).
    """

    start: int
    laws: Floats
    last: Floats
    branches: Sequence[Branches]
    kinds: Sequence[str]
    entropy: Floats
    change: Floats
    truth_change: Floats

    def __len__(self) -> int:
        return len(self.laws)


def all_texts(result: Result) -> list[Text]:
    """The texts of a stored result of `laws`."""
    frame, arrays = result.table("tokens"), result.arrays
    branches = list(_branches(result, len(frame)))
    found = []
    for text, rows in frame.groupby("text", sort=True):
        at = rows.index.to_numpy()
        floats = (rows[name].to_numpy(dtype=np.float64) for name in ("entropy", "change", "truth_change"))
        found.append(
            Text(
                int(rows["start"].iloc[0]),
                arrays["law"][at],
                arrays["last"][int(str(text))],
                [branches[i] for i in at],
                rows["kind"].tolist(),
                *floats,
            )
        )
    return found


def _branches(result: Result, n_rows: int) -> Iterator[Branches]:
    arrays = result.arrays
    edges = np.searchsorted(arrays["branch_row"], np.arange(n_rows + 1))
    for begin, end in pairwise(edges):
        part = slice(begin, end)
        yield Branches(
            arrays["branch_weight"][part], arrays["branch_law"][part], int(arrays["branch_base"][part].argmax())
        )


def over_starts(sums: Sequence[float] | Floats, counts: Sequence[float] | Floats, starts: Sequence[int]) -> Estimate:
    """Σ sums / Σ counts, with an interval over beginnings; NaN where there is nothing to count.

    Args:
        sums: of each text.
        counts: of each text.
        starts: its beginning.
    """
    numbers = np.unique(np.asarray(starts), return_inverse=True)[1]
    over, under = (np.bincount(numbers, np.asarray(part, dtype=np.float64)).astype(float) for part in (sums, counts))
    if not under.any():
        nan = np.asarray(np.nan)
        return Estimate(nan, nan, nan, nan)
    return pooled_estimate(over, under)


def share_of(those: Sequence[NDArray[np.bool_]], of: Sequence[NDArray[np.bool_]], texts: Sequence[Text]) -> Estimate:
    """Which part of some tokens are others, too, with an interval over beginnings.

    Where all or none are, beginnings show no spread, and the interval is the exact binomial one over tokens.

    Args:
        those: of each text, which tokens are so, (T,).
        of: of each text, which are counted, (T,).
        texts: whose tokens they are.
    """
    both = [int((one & other).sum()) for one, other in zip(those, of, strict=True)]
    counts = [int(other.sum()) for other in of]
    if sum(counts) and sum(both) in (0, sum(counts)):
        return share_estimate(sum(both), sum(counts))
    return over_starts(both, counts, [text.start for text in texts])
