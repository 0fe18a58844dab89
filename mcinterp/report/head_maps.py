"""What head pages keep of the attention maps of every checkpoint while their results go by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mcinterp.report.maps import Choice, Maps, Picture, rounded, spread
from mcinterp.report.numbers import number
from mcinterp.report.parts import Link
from mcinterp.report.scores import capital
from mcinterp.report.views.attention import head_names, position_names, under
from mcinterp.results import Result

ROOM = 500_000
"""Bytes that the maps of one page may take; what is beyond it is left to the pages of the steps."""
HINT = (
    "Rows are queries, columns are keys, in the order of the positions. Point at a cell to read it; a click opens that "
    "step at this head."
)


@dataclass(frozen=True)
class _Attention:
    """The maps of one checkpoint on one family of inputs.

    Attributes:
        cells: bytes (head, query, key), where they are shown.
        tops: what the largest byte of each stands for, (head,).
        shares: of each head's attention: on the query's own position, and elsewhere in each of its groups, by column of
            the table, (head,); nothing where positions are not grouped.
    """

    cells: np.ndarray | None
    tops: np.ndarray
    shares: Mapping[str, np.ndarray]


class HeadMaps:
    """Collects them: rounded to a byte a cell, but for the first family of inputs at the first and the last step.

    Args:
        steps: the analysed checkpoints, in order.
    """

    def __init__(self, steps: Sequence[int]) -> None:
        self._steps = list(steps)
        self._stored: dict[int, dict[str, _Attention]] = {}
        self._names: list[str] = []
        self._exact: dict[int, tuple[str, np.ndarray]] = {}
        self._words: Mapping[str, str] = {}
        self.positions: list[str] = []
        self.groups: list[str] = []

    def add(self, step: int, attention: Result) -> None:
        """Take in a checkpoint's result of the attention pass."""
        maps = attention.arrays["maps"]
        n_families, n_layers, n_heads = maps.shape[:3]
        maps = maps.reshape(n_families, n_layers * n_heads, *maps.shape[3:])
        self._names = head_names(n_layers, n_heads)
        self.positions, self.groups = position_names(attention), list(attention.facts["position_groups"])
        self._words = attention.facts["family_words"]
        steps, n_shown = self._shown(len(self.positions))
        self._stored[step] = {
            family: self._of(own, attention, index < n_shown and step in steps)
            for index, (family, own) in enumerate(zip(attention.facts["masks"], maps, strict=True))
        }
        first = min(self._exact, default=step)
        family = str(attention.facts["masks"][0])
        # A copy, as a view would keep the maps of all families.
        exact = (family, maps[0].copy())
        self._exact = {first: self._exact.get(first, exact), step: exact}

    def _shown(self, n_positions: int) -> tuple[list[int], int]:
        """Of which steps and of how many families of inputs a page has room for the maps."""
        room = max(1, int(ROOM / (n_positions**2 * 4 / 3)))
        return spread(self._steps, room), max(1, room // len(self._steps))

    @staticmethod
    def _of(maps: np.ndarray, attention: Result, shown: bool) -> _Attention:
        cells, tops = rounded(maps, signed=False) if shown else (None, np.zeros(len(maps)))
        return _Attention(cells, tops, _shares(maps, attention))

    def shares(self, head: str) -> pd.DataFrame:
        """Where the head looks: step, family (`mask`) and the shares; empty where nothing is known."""
        at = self._names.index(head) if head in self._names else -1
        rows = [
            {"step": step, "mask": family, **{name: float(share[at]) for name, share in kept.shares.items()}}
            for step, families in self._stored.items()
            for family, kept in families.items()
            if at >= 0 and kept.shares
        ]
        return pd.DataFrame(rows)

    def maps(self, head: str, pages: Mapping[int, str]) -> Maps | None:
        """Small maps of the head at every step, a choice a family of inputs; None where none is stored."""
        if head not in self._names:
            return None
        at = self._names.index(head)
        families = dict.fromkeys(name for own in self._stored.values() for name, kept in own.items() if _has(kept))
        choices = [
            Choice(name, self.positions, self.positions, ("query", "key"), self._of_family(name, at))
            for name in families
        ]
        drawn = {step for choice in choices for step in choice.pictures}
        places = {
            step: Link(f"step {number(step)}", f"{pages[step]}#step={step}&head={head}&at=attention")
            for step in sorted(drawn)
        }
        return Maps("mask", capital(self._words["one"]), HINT, places, choices) if choices else None

    def left_out(self) -> str:
        """Which maps a page has no room for, in a sentence; empty where it has all."""
        known = dict.fromkeys(family for own in self._stored.values() for family in own)
        shown = {family for own in self._stored.values() for family, kept in own.items() if _has(kept)}
        families = [family for family in known if family not in shown]
        steps = [step for step, own in self._stored.items() if not any(map(_has, own.values()))]
        parts = []
        if families:
            parts.append(f"the {self._words['several']} {', '.join(families)}")
        if steps:
            parts.append(f"{len(steps)} of the {len(self._stored)} steps")
        return f"To keep the page light, {' and '.join(parts)} are left to the pages of the steps." if parts else ""

    def distances(self, head: str) -> pd.DataFrame:
        """Total variation between this head's map and every other's, at the first and the last step, on one family.

        Returns:
            columns head, mask (the family), last, first (NaN where one step alone is stored or its maps are of another
            family).
        """
        if head not in self._names or not self._exact:
            return pd.DataFrame()
        at, steps = self._names.index(head), sorted(self._exact)
        family, last = self._exact[steps[-1]]
        found = pd.DataFrame({"head": self._names, "mask": family, "last": _variation(last, at)})
        other, first = self._exact[steps[0]]
        comparable = len(steps) > 1 and other == family and len(first) == len(last)
        found["first"] = _variation(first, at) if comparable else np.nan
        return found[found["head"] != head].sort_values("last", kind="stable", ignore_index=True)

    @property
    def ends(self) -> tuple[int, int]:
        """First and last step with maps."""
        return min(self._exact), max(self._exact)

    def under(self, family: str) -> str:
        """A family's inputs in a sentence."""
        return under(self._words, family)

    def _of_family(self, family: str, at: int) -> dict[int, Picture]:
        found = {}
        for step, families in self._stored.items():
            kept = families.get(family)
            if kept is not None and kept.cells is not None and at < len(kept.cells):
                found[step] = Picture(kept.cells[at], float(kept.tops[at]), _words(kept, at))
        return found


OWN = "own_position"


def share_meanings(groups: Sequence[str]) -> dict[str, str]:
    """What the columns of the shares mean, for names of the groups of positions."""
    own = "share of the attention on the query's own position, averaged over queries"
    return {OWN: own, **{f"same_{name}": f"share on the other positions of its {name}" for name in groups}}


def _has(kept: _Attention) -> bool:
    return kept.cells is not None


def _words(kept: _Attention, at: int) -> str:
    if not kept.shares:
        return f"largest cell {number(kept.tops[at], 2)}"
    own, *others = (number(share[at], 2) for share in kept.shares.values())
    groups = [name.removeprefix("same_") for name in kept.shares if name != OWN]
    parts = [
        f"{share}{' elsewhere' if not index else ''} in its {name}"
        for index, (name, share) in enumerate(zip(groups, others, strict=True))
    ]
    return ", ".join([f"{own} of the attention on the query's own position", *parts])


def _shares(maps: np.ndarray, attention: Result) -> dict[str, np.ndarray]:
    """As `_Attention.shares`, of maps (head, query, key)."""
    groups = {name: np.asarray(own) for name, own in attention.facts["position_groups"].items()}
    if not groups:
        return {}
    own = np.eye(maps.shape[-1], dtype=bool)
    kinds = {OWN: own, **{f"same_{name}": (of[:, None] == of) & ~own for name, of in groups.items()}}
    return {name: (maps * kind).sum(-1).mean(-1) for name, kind in kinds.items()}


def _variation(maps: np.ndarray, at: int) -> np.ndarray:
    """Half the L1 distance of each map (head, query, key) to one of them, averaged over queries: (head,)."""
    return np.abs(maps.astype(np.float64) - maps[at]).sum(-1).mean(-1) / 2
