"""Heads and sets of heads as data: written L1H0, layer first, both counted from 0."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

from mcinterp.errors import InputError, nearest_name

NO_HEADS = "no heads"
"""How a set that has none is written."""
_HEAD = re.compile(r"L(\d{1,9})H(\d{1,9})", re.IGNORECASE)


class Head(NamedTuple):
    """One attention head; its text is `L1H0`."""

    layer: int
    head: int

    def __str__(self) -> str:
        return f"L{self.layer}H{self.head}"

    @classmethod
    def parse(cls, text: str) -> Head:
        """Read `L1H0`.

        Raises:
            InputError: if the text is not a head.
        """
        match = _HEAD.fullmatch(text.strip())
        if match is None:
            raise InputError(f"{text!r:.80} is not a head; write layer and head, both from 0, as L1H0")
        return cls(int(match[1]), int(match[2]))


@dataclass(frozen=True)
class HeadSet:
    """A named set of heads, in layer order.

    Attributes:
        name: what the set is called in tables: a class name, `all`, or the heads themselves.
        heads: the heads, sorted, each once.
    """

    name: str
    heads: tuple[Head, ...]

    @classmethod
    def of(cls, name: str, heads: Iterable[Head]) -> HeadSet:
        """Make a set of any heads, sorted and without repeats."""
        return cls(name, tuple(sorted(set(heads))))

    @classmethod
    def parse(
        cls, text: str, n_layers: int, n_heads: int, classes: Mapping[str, Iterable[Head]] | None = None
    ) -> HeadSet:
        """Read a set: `all`, `none`, `layer:2`, a class name, or heads such as `L1H0,L2H3`.

        Args:
            text: what to read.
            n_layers: layers of the model.
            n_heads: heads a layer.
            classes: members of each class that may be named.

        Raises:
            InputError: for a name that is none of these, or a head that the model does not have.
        """
        text = text.strip()
        if text == "all":
            return cls.of(text, (Head(*pair) for pair in product(range(n_layers), range(n_heads))))
        if text == "none":
            return cls(text, ())
        if classes is not None and text in classes:
            return cls.of(text, classes[text])
        if text.startswith("layer:"):
            return cls._layer(text, n_layers, n_heads)
        return cls._listed(text, n_layers, n_heads, classes or {})

    @classmethod
    def _layer(cls, text: str, n_layers: int, n_heads: int) -> HeadSet:
        number = text.removeprefix("layer:")
        if not re.fullmatch(r"\d{1,9}", number) or int(number) >= n_layers:
            raise InputError(f"{text!r:.80} names no layer of this model; layers are 0 … {n_layers - 1}")
        return cls.of(text, (Head(int(number), head) for head in range(n_heads)))

    @classmethod
    def _listed(cls, text: str, n_layers: int, n_heads: int, classes: Mapping[str, Iterable[Head]]) -> HeadSet:
        parts = [part for part in text.split(",") if part.strip()]
        unknown = next((part for part in parts if not _HEAD.fullmatch(part.strip())), None)
        if unknown is not None or not parts:
            names = ["all", "none", *classes]
            raise InputError(f"{text!r:.80} is neither heads such as L1H0,L2H3 nor a class{nearest_name(text, names)}")
        heads = [Head.parse(part) for part in parts]
        absent = next((head for head in heads if head.layer >= n_layers or head.head >= n_heads), None)
        if absent is not None:
            raise InputError(f"this model has no head {absent}; layers are 0 … {n_layers - 1}, heads 0 … {n_heads - 1}")
        return cls.of(",".join(map(str, sorted(set(heads)))), heads)

    def by_layer(self) -> dict[int, list[int]]:
        """Head numbers of each layer that has any, layers in order."""
        layers: dict[int, list[int]] = {}
        for head in self.heads:
            layers.setdefault(head.layer, []).append(head.head)
        return layers

    def __iter__(self) -> Iterator[Head]:
        return iter(self.heads)

    def __len__(self) -> int:
        return len(self.heads)

    def __str__(self) -> str:
        return ",".join(map(str, self.heads)) or NO_HEADS
