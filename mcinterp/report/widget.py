"""The viewer of attention maps, as a page holds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from markupsafe import Markup

from mcinterp.report.parts import Picture, embed_json


@dataclass(frozen=True)
class Family:
    """A family of inputs that attention is shown on.

    Attributes:
        name: in the stored result, and in addresses.
        picture: None where the task draws none.
        said: what the numbers say of it, a sentence; empty where the page says it elsewhere.
    """

    name: str
    picture: Picture | None = None
    said: str = ""

    @property
    def title(self) -> str:
        """What a person calls it."""
        return (self.picture.title if self.picture else "") or self.name

    @property
    def spelled(self) -> str:
        """Its name, by which it can be asked for; empty where the title begins with it and so tells it already."""
        return "" if self.title.startswith(self.name) else self.name


@dataclass(frozen=True)
class Widget:
    """The viewer of attention maps.

    Attributes:
        data: what attention.js draws (see `views.attention.payload`).
        families: of inputs, in the order of the data.
        label: what the chooser of the family says.
        positions: how the name of a position is to be read.
        cells: maps that are too large for the page, (family, head, query, key); None where it holds all.
    """

    data: Mapping[str, Any]
    families: Sequence[Family]
    label: str
    positions: str
    cells: np.ndarray | None = None

    @property
    def json(self) -> Markup:
        """The maps, safe inside a script element."""
        return embed_json(self.data)

    @property
    def shown(self) -> list[tuple[str, str]]:
        """Value and words of every choice of what is shown: groups first where positions are beside the page."""
        return [
            (level["name"], level["words"])
            for level in sorted(self.data["levels"], key=lambda level: not level["maps"])
            if level["maps"] or self.data["folder"]
        ]

    def ending(self, ends: Mapping[str, float]) -> Widget:
        """The same with colours that end where they do on other pages, by name of what is shown."""
        levels = [{**level, "end": ends.get(level["name"], level["end"])} for level in self.data["levels"]]
        return replace(self, data={**self.data, "levels": levels})
