"""What head pages keep of the attention maps of every checkpoint while their results go by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mcinterp.report.maps import Choice, Maps, Picture, rounded, spread
from mcinterp.report.numbers import number
from mcinterp.report.parts import Link
from mcinterp.report.views.attention import SEPARATOR, head_names, position_names
from mcinterp.results import Result

ROOM = 500_000
"""Bytes that the maps of one page may take; steps and masks beyond it are left to the checkpoints' pages."""
HINT = (
    "Rows are queries, columns are keys, in the order of the positions, row by row. Point at a cell to read it; a "
    "click opens that step at this head."
)


@dataclass(frozen=True)
class _Attention:
    """The maps of one checkpoint under one mask.

    Attributes:
        cells: bytes (head, query, key), where they are shown.
        tops: what the largest byte of each stands for, (head,).
        shares: of each head's attention: on the query's own position, elsewhere in its row, elsewhere in its column,
            (3, head); None where positions are no entries.
    """

    cells: np.ndarray | None
    tops: np.ndarray
    shares: np.ndarray | None


class HeadMaps:
    """Collects them: rounded to a byte a cell, but for the first mask at the first and the last step.

    Args:
        steps: the analysed checkpoints, in order.
    """

    def __init__(self, steps: Sequence[int]) -> None:
        self._steps = list(steps)
        self._stored: dict[int, dict[str, _Attention]] = {}
        self._names: list[str] = []
        self._exact: dict[int, tuple[str, np.ndarray]] = {}
        self.positions: list[str] = []

    def add(self, step: int, attention: Result) -> None:
        """Take in a checkpoint's result of the attention pass."""
        maps = attention.arrays["maps"]
        n_mask, n_layers, n_heads = maps.shape[:3]
        maps = maps.reshape(n_mask, n_layers * n_heads, *maps.shape[3:])
        self._names = head_names(n_layers, n_heads)
        self.positions = position_names(attention)
        steps, n_masks = self._shown(len(self.positions))
        self._stored[step] = {
            mask: self._of(own, attention, index < n_masks and step in steps)
            for index, (mask, own) in enumerate(zip(attention.facts["masks"], maps, strict=True))
        }
        first = min(self._exact, default=step)
        mask = str(attention.facts["masks"][0])
        self._exact = {first: self._exact.get(first, (mask, maps[0])), step: (mask, maps[0])}

    def _shown(self, n_positions: int) -> tuple[list[int], int]:
        """Of which steps and of how many masks a page has room for the maps."""
        room = max(1, int(ROOM / (n_positions**2 * 4 / 3)))
        return spread(self._steps, room), max(1, room // len(self._steps))

    @staticmethod
    def _of(maps: np.ndarray, attention: Result, shown: bool) -> _Attention:
        cells, tops = rounded(maps, signed=False)
        return _Attention(cells if shown else None, tops, _shares(maps, attention))

    def shares(self, head: str) -> pd.DataFrame:
        """Where the head looks: step, mask and the shares; empty where nothing is known."""
        at = self._names.index(head) if head in self._names else -1
        rows = [
            {"step": step, "mask": mask, **dict(zip(SHARES, kept.shares[:, at].tolist(), strict=True))}
            for step, masks in self._stored.items()
            for mask, kept in masks.items()
            if at >= 0 and kept.shares is not None
        ]
        return pd.DataFrame(rows)

    def maps(self, head: str, pages: Mapping[int, str]) -> Maps | None:
        """Small maps of the head at every step, a choice a mask; None where none is stored."""
        if head not in self._names:
            return None
        at = self._names.index(head)
        masks = dict.fromkeys(mask for own in self._stored.values() for mask, kept in own.items() if _has(kept))
        choices = [
            Choice(mask, self.positions, self.positions, ("query", "key"), self._of_mask(mask, at)) for mask in masks
        ]
        drawn = {step for choice in choices for step in choice.pictures}
        places = {
            step: Link(f"step {number(step)}", f"{pages[step]}#step={step}&head={head}&at=attention")
            for step in sorted(drawn)
        }
        return Maps("mask", "Mask", HINT, places, choices) if choices else None

    def left_out(self) -> str:
        """Which maps a page has no room for, in a sentence; empty where it has all."""
        known = dict.fromkeys(mask for own in self._stored.values() for mask in own)
        shown = {mask for own in self._stored.values() for mask, kept in own.items() if _has(kept)}
        masks = [mask for mask in known if mask not in shown]
        steps = [step for step, own in self._stored.items() if not any(map(_has, own.values()))]
        parts = []
        if masks:
            parts.append(f"the masks {', '.join(masks)}")
        if steps:
            parts.append(f"{len(steps)} of the {len(self._stored)} steps")
        return f"To keep the page light, {' and '.join(parts)} are left to the pages of the steps." if parts else ""

    def distances(self, head: str) -> pd.DataFrame:
        """Total variation between this head's map and every other's, at the first and the last step, under one mask.

        Returns:
            columns head, mask, last, first (NaN where one step alone is stored or its maps have another mask).
        """
        if head not in self._names or not self._exact:
            return pd.DataFrame()
        at, steps = self._names.index(head), sorted(self._exact)
        mask, last = self._exact[steps[-1]]
        found = pd.DataFrame({"head": self._names, "mask": mask, "last": _variation(last, at)})
        other, first = self._exact[steps[0]]
        comparable = len(steps) > 1 and other == mask and len(first) == len(last)
        found["first"] = _variation(first, at) if comparable else np.nan
        return found[found["head"] != head].sort_values("last", kind="stable", ignore_index=True)

    @property
    def ends(self) -> tuple[int, int]:
        """First and last step with maps."""
        return min(self._exact), max(self._exact)

    def _of_mask(self, mask: str, at: int) -> dict[int, Picture]:
        found = {}
        for step, masks in self._stored.items():
            kept = masks.get(mask)
            if kept is not None and kept.cells is not None and at < len(kept.cells):
                found[step] = Picture(kept.cells[at], float(kept.tops[at]), _words(kept, at))
        return found


SHARES = ("own_position", "same_row", "same_column")
SHARE_MEANINGS = {
    "own_position": "share of the attention on the query's own position, averaged over queries",
    "same_row": "share on the other entries of its row",
    "same_column": "share on the other entries of its column",
}


def _has(kept: _Attention) -> bool:
    return kept.cells is not None


def _words(kept: _Attention, at: int) -> str:
    if kept.shares is None:
        return f"largest cell {number(kept.tops[at], 2)}"
    own, row, column = (number(share, 2) for share in kept.shares[:, at])
    return f"{own} of the attention on the query's own position, {row} elsewhere in its row, {column} in its column"


def _shares(maps: np.ndarray, attention: Result) -> np.ndarray | None:
    """As `_Attention.shares`, of maps (head, query, key); a sequence has positions that are no entries."""
    rows, cols = attention.facts["rows"], attention.facts["cols"]
    if SEPARATOR in position_names(attention) or rows * cols != maps.shape[-1]:
        return None
    row, column = np.divmod(np.arange(rows * cols), cols)
    own = np.eye(rows * cols, dtype=bool)
    kinds = (own, (row[:, None] == row) & ~own, (column[:, None] == column) & ~own)
    return np.stack([(maps * kind).sum(-1).mean(-1) for kind in kinds])


def _variation(maps: np.ndarray, at: int) -> np.ndarray:
    """Half the L1 distance of each map (head, query, key) to one of them, averaged over queries: (head,)."""
    return np.abs(maps.astype(np.float64) - maps[at]).sum(-1).mean(-1) / 2
