"""The numbers that a run's generators are seeded with."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

LARGEST_SEED = 2**63 - 1


class Seeds(NamedTuple):
    """What each generator of a run is seeded with, 0 … 2⁶³.

    Attributes:
        weights: of the initial weights.
        data: of the batches.
        chain: of the ground truth that a task draws once, such as its Markov chains.
    """

    weights: int
    data: int
    chain: int


def chain_number(seed: int) -> int:
    """What the generator of a ground truth is seeded with, below 2⁶³.

    It is hashed from the seed, so that equal seeds of chain and data, or of chain and weights, draw other numbers.
    """
    return int.from_bytes(hashlib.sha256(f"chain {seed}".encode()).digest()[:8], "big") >> 1
