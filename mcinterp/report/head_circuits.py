"""What head pages keep of the circuits of every checkpoint while their results go by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcinterp.report.maps import Choice, Maps, Picture, rounded, spread
from mcinterp.report.numbers import number
from mcinterp.report.parts import Link
from mcinterp.report.views.attention import head_names
from mcinterp.results import Result

ROOM = 250_000
"""Bytes that the pictures of one page may take; further steps are left to the stored results."""
CURVES = 6
HINT = (
    "QK circuits: rows are queries, columns keys; higher scores draw attention, and only differences between the keys "
    "of a query matter. OV circuit: what a position adds to the answer of a query that attends to it alone. Point at a "
    "cell to read it."
)
POSITIONS, TOKENS, WRITTEN = "QK, positions", "QK, tokens", "OV, positions"


@dataclass(frozen=True)
class _Stored:
    """A checkpoint's circuits: bytes and largest values of each kind, and what tokens write, (head, token)."""

    pictures: Mapping[str, tuple[np.ndarray, np.ndarray]]
    written: np.ndarray


class HeadCircuits:
    """Collects them, rounded to a byte a cell.

    Args:
        steps: the analysed checkpoints, in order.
    """

    def __init__(self, steps: Sequence[int]) -> None:
        self._steps = list(steps)
        self._stored: dict[int, _Stored] = {}
        self._names: list[str] = []
        self._labels: dict[str, tuple[list[str], list[str]]] = {}
        self.values: list[float] = []
        self.blank = ""

    def add(self, step: int, circuits: Result) -> None:
        """Take in a checkpoint's result of the circuits pass, if the page has room for it and it is like the others."""
        arrays, facts = circuits.arrays, circuits.facts
        n_layers, n_heads = arrays["qk_position"].shape[:2]
        values, positions = arrays["values"].tolist(), list(facts["positions"])
        size = sum(arrays[name][0, 0].size for name in ("qk_position", "qk_token", "ov_position"))
        if step not in spread(self._steps, max(1, int(ROOM / (size * 4 / 3)))):
            return
        if self._stored and not np.array_equal(values, self.values, equal_nan=True):
            return
        self.values, self._names, self.blank = values, head_names(n_layers, n_heads), facts["blank"][1]
        tokens = [self.blank if np.isnan(value) else number(round(value, 6)) for value in values]
        grid = _grid(facts, positions)
        self._labels = {POSITIONS: (positions, positions), TOKENS: (tokens, tokens), WRITTEN: grid}
        kinds = {
            POSITIONS: arrays["qk_position"],
            TOKENS: arrays["qk_token"],
            WRITTEN: arrays["ov_position"].reshape(n_layers, n_heads, *map(len, grid)),
        }
        pictures = {name: rounded(_centred(array, name), signed=True) for name, array in kinds.items()}
        self._stored[step] = _Stored(pictures, arrays["ov_token"].reshape(n_layers * n_heads, -1))

    def maps(self, head: str, pages: Mapping[int, str]) -> Maps | None:
        """Pictures of the head's circuits at every step that is kept; None where there is none."""
        if head not in self._names:
            return None
        at = self._names.index(head)
        pairs = ("query", "key")
        written = ("row", "column") if len(self._labels[WRITTEN][0]) > 1 else ("", "position")
        axes = {POSITIONS: pairs, TOKENS: pairs, WRITTEN: written}
        choices = [
            Choice(name, *self._labels[name], axes[name], self._pictures(name, at), signed=True)
            for name in self._labels
        ]
        places = {
            step: Link(f"step {number(step)}", f"{pages[step]}#step={step}&head={head}&at=circuits")
            for step in self._stored
        }
        return Maps("circuit", "Circuit", HINT, places, choices)

    def written(self, head: str) -> dict[int, np.ndarray]:
        """Step → what each token writes by this head, at some steps evenly spread."""
        if head not in self._names:
            return {}
        steps = spread(list(self._stored), CURVES)
        return {step: self._stored[step].written[self._names.index(head)] for step in steps}

    def _pictures(self, name: str, at: int) -> dict[int, Picture]:
        found = {}
        for step, stored in self._stored.items():
            cells, tops = stored.pictures[name]
            found[step] = Picture(cells[at], float(tops[at]), f"largest size {number(float(tops[at]), 2)}")
        return found


def _grid(facts: Mapping[str, Any], positions: list[str]) -> tuple[list[str], list[str]]:
    """Names of the rows and of the columns that positions lie in; one row where they lie in none."""
    if "rows" not in facts:
        return [""], positions
    return [str(row) for row in range(facts["rows"])], [str(col) for col in range(facts["cols"])]


def _centred(array: np.ndarray, name: str) -> np.ndarray:
    """Maps of all heads, (head, row, column); scores less each query's mean over keys, which softmax does not see."""
    maps = array.reshape(-1, *array.shape[2:]).astype(np.float64)
    return maps if name == WRITTEN else maps - maps.mean(-1, keepdims=True)
