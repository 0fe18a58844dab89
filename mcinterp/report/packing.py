"""Attention maps in a byte a cell, as packed.js reads them: off by the same small share wherever a cell lies.

A page of large maps keeps them in files beside it, one a head and family of inputs, which it loads as it shows them.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence

import numpy as np

from mcinterp.report.parts import embed_json

SPAN = 1e-5
"""Cells below this share of the largest are taken for 0."""
LEVELS = 254
"""Steps between the smallest cell and the largest, each the same factor; 0 has a byte of its own."""
LARGE = 500_000
"""Cells of all heads on one family of inputs: where there are more, a page shows groups of positions first, and single
positions one head at a time."""


def pack(values: np.ndarray) -> list[float | str]:
    """One map as smallest cell, largest cell and base64 of a byte a cell, row by row.

    Byte 0 is 0, byte b from 1 on is smallest · (largest / smallest)^((b − 1) / 254): a cell is off by less than 2.3 %
    of itself, by less where cells differ less.

    Args:
        values: of a map, not negative, (query, key); what is not finite counts as 0.
    """
    values = np.nan_to_num(np.asarray(values, dtype=np.float64), posinf=0.0, neginf=0.0)
    top = float(values.max(initial=0.0))
    kept = (values > 0) & (values >= SPAN * top)
    low = float(values.min(initial=top, where=kept))
    # Where all cells are alike their logarithms say so whatever they are divided by.
    share = np.log(np.where(kept, values, top or 1.0) / (low or 1.0)) / (np.log(top / low) if top > low else 1.0)
    codes = np.where(kept, 1 + np.rint(LEVELS * share.clip(0, 1)), 0).astype(np.uint8)
    return [low, top, base64.b64encode(codes.tobytes()).decode("ascii")]


def file_name(family: int, head: int) -> str:
    """Where a page looks for a map, in the folder of its maps."""
    return f"{family}-{head}.js"


def files(maps: np.ndarray) -> Iterator[tuple[str, str]]:
    """Name and text of a script for each map, (family, head, query, key)."""
    for family, heads in enumerate(maps):
        for head, values in enumerate(heads):
            yield file_name(family, head), f'mcinterp.take("{file_name(family, head)}",{embed_json(pack(values))});\n'


def grouped(maps: np.ndarray, groups: Sequence[int]) -> np.ndarray:
    """Attention of the queries of each group on all keys of each group, averaged over the queries.

    Args:
        maps: (…, query, key).
        groups: of every position, from 0.
    """
    member = np.eye(max(groups) + 1, dtype=np.float32)[list(groups)]
    return np.einsum("...qk,qi,kj->...ij", maps, member / member.sum(0), member, optimize=True)
