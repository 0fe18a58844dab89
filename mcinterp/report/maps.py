"""Small pictures of one quantity side by side, a picture a checkpoint: drawn by maps.js from a byte a cell."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from mcinterp.report.parts import Link, embed_json

LEVELS, ZERO = 255, 128
"""A byte is 0 … 255 of the largest value, or 1 … 255 from minus to plus the largest, where 128 is 0."""


@dataclass(frozen=True)
class Picture:
    """One map.

    Attributes:
        cells: bytes (row, column), see `LEVELS`.
        top: what the largest byte stands for.
        alt: the picture in words.
    """

    cells: np.ndarray
    top: float
    alt: str = ""


@dataclass(frozen=True)
class Choice:
    """Maps of one kind, of which one is shown at a time for every checkpoint.

    Attributes:
        name: of the kind.
        rows, columns: names of the rows and of the columns.
        axes: what a row and what a column is.
        pictures: by place; places may be without one.
        signed: whether values lie on both sides of 0.
    """

    name: str
    rows: Sequence[str]
    columns: Sequence[str]
    axes: tuple[str, str]
    pictures: Mapping[int, Picture]
    signed: bool = False


@dataclass(frozen=True)
class Maps:
    """Maps over checkpoints with a chooser of their kind.

    Attributes:
        key: what a choice is, in the page's address, such as circuit.
        label: what the chooser says.
        hint: how the maps are to be read.
        places: where each map leads, step → link.
        choices: the kinds, at least one.
    """

    key: str
    label: str
    hint: str
    places: Mapping[int, Link]
    choices: Sequence[Choice]

    @property
    def tiles(self) -> list[tuple[Link, str]]:
        """Link and words of every place, as the first choice has them."""
        return [(link, self._alt(self.choices[0], place)) for place, link in self.places.items()]

    @property
    def json(self) -> Markup:
        """What maps.js draws, safe inside a script element."""
        return embed_json({"key": self.key, "choices": [self._choice(choice) for choice in self.choices]})

    def _choice(self, choice: Choice) -> dict[str, object]:
        return {
            "name": choice.name,
            "rows": list(choice.rows),
            "columns": list(choice.columns),
            "axes": list(choice.axes),
            "signed": choice.signed,
            "maps": [self._picture(choice, place) for place in self.places],
        }

    def _picture(self, choice: Choice, place: int) -> dict[str, object]:
        words: dict[str, object] = {"alt": self._alt(choice, place)}
        if place in choice.pictures:
            picture = choice.pictures[place]
            data = base64.b64encode(np.ascontiguousarray(picture.cells).tobytes()).decode("ascii")
            words |= {"top": float(f"{picture.top:.4g}"), "data": data}
        return words

    def _alt(self, choice: Choice, place: int) -> str:
        if place not in choice.pictures:
            return f"{self.places[place].text}, {choice.name}: not stored"
        words = choice.pictures[place].alt
        return f"{self.places[place].text}, {choice.name}{': ' if words else ''}{words}"


def rounded(values: np.ndarray, signed: bool) -> tuple[np.ndarray, np.ndarray]:
    """Maps (map, row, column) as bytes, and what the largest byte of each stands for, (map,)."""
    values = np.nan_to_num(np.asarray(values, dtype=np.float64), posinf=0.0, neginf=0.0)
    top = np.abs(values).max(axis=(1, 2), initial=0.0)
    share = values / np.where(top > 0, top, 1.0)[:, None, None]
    scaled = ZERO + (ZERO - 1) * share if signed else LEVELS * share.clip(0)
    return np.rint(scaled).astype(np.uint8), top


def spread(places: Sequence[int], count: int) -> list[int]:
    """At most `count` of these, the first and the last among them where there is room, evenly spread."""
    chosen = {round(at) for at in np.linspace(0, len(places) - 1, max(1, min(count, len(places))))}
    return [places[at] for at in sorted(chosen)]
