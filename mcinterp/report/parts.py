"""What a page is made of. Everything here is plain text and data; the templates escape it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go
from markupsafe import Markup

from mcinterp.report.figures.base import with_decimals
from mcinterp.report.palette import text_on

if TYPE_CHECKING:
    from mcinterp.report.widget import Widget

_UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def visible(text: str) -> str:
    r"""Write characters that would turn or hide the text around them as what they are, such as \u202e."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def embed_json(value: Any) -> Markup:
    """A value as JSON that may stand inside a script element, whatever its texts hold."""
    return escape_json(json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False))


def escape_json(text: str) -> Markup:
    """Replace what could end a script element or a line of JavaScript, or would turn or hide the text around it."""
    text = _UNSEEN.sub(lambda found: f"\\\\u{ord(found[0]):04x}", text)
    for character, escape in _UNSAFE.items():
        text = text.replace(character, escape)
    return Markup(text)


_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
"""Control characters, marks of direction, and letters without width."""


@dataclass(frozen=True)
class Link:
    """A link to a page or a file of numbers."""

    text: str
    href: str


@dataclass(frozen=True)
class Cell:
    """One table cell: its text, what it sorts by, and what may be folded out or coloured.

    Attributes:
        text: what is shown.
        sort: what it sorts by, if that is not the text.
        more: a longer text, shown when the cell is opened (a tooltip where `short`).
        note: a second, smaller line.
        colour: a swatch before the text, or the whole cell's background where `short`.
        short: the cell is one square of a timeline.
        href: where the text, or the square, leads.
    """

    text: str
    sort: str = ""
    more: str = ""
    note: str = ""
    colour: str = ""
    short: bool = False
    href: str = ""

    @property
    def ink(self) -> str:
        """The text colour that reads well on `colour`."""
        return text_on(self.colour)


@dataclass(frozen=True)
class Column:
    """A column: what its head says, what it means, and whether it is aligned as numbers."""

    label: str
    meaning: str = ""
    numeric: bool = False
    href: str = ""


@dataclass(frozen=True)
class TableView:
    """A table as shown.

    Attributes:
        caption: what the rows are.
        columns: in order.
        rows: one tuple of cells a row, as long as `columns`.
        shared: columns that are the same in every row, said once.
        kind: 'sortable', or 'plain' ('plain wide': without line breaks) where the order of rows means something.
        groups: for a plain table, row index → heading that comes before it.
        folded: whether the table starts closed.
        same: rows that are the same in every column but for chance, which a page can hide.
    """

    caption: str
    columns: Sequence[Column]
    rows: Sequence[tuple[Cell, ...]]
    shared: Sequence[tuple[str, str]] = ()
    kind: str = "sortable"
    groups: Mapping[int, str] = field(default_factory=dict)
    folded: bool = False
    same: frozenset[int] = frozenset()

    @property
    def same_groups(self) -> set[int]:
        """First rows of the groups all of whose rows are the same."""
        ends = [*sorted(self.groups), len(self.rows)]
        return {start for start, end in pairwise(ends) if self.same.issuperset(range(start, end))}


@dataclass(frozen=True)
class FigureView:
    """A plotly figure as shown, with what it says in words.

    Attributes:
        caption: what it says.
        figure: plotly's.
        step_axis: whether its axis of steps can be made logarithmic.
    """

    caption: str
    figure: go.Figure
    step_axis: bool = False

    @property
    def json(self) -> Markup:
        """The figure's data and layout, safe inside a script element."""
        # Plotly writes letters beyond ASCII as escapes, which would hide them from what is replaced.
        return embed_json(json.loads(with_decimals(self.figure).to_json()))

    @property
    def height(self) -> int:
        """Height in CSS pixels, reserved before the script draws."""
        return int(self.figure.layout.height)


@dataclass(frozen=True)
class Picture:
    """A family of inputs as a task draws it.

    Attributes:
        drawing: an SVG element.
        words: what it shows, without a full stop.
        key: what its colours mean, a sentence.
        title: what a person calls the family; '' for its name.
        small: the same drawing for a button, without words.
        marked: positions that stand out in every sample of the family.
        mark: what such a position is.
    """

    drawing: Markup
    words: str
    key: str
    title: str = ""
    small: Markup = field(default_factory=Markup)
    marked: Sequence[int] = ()
    mark: str = ""


AT_ONCE = 480
"""So many letters of a section's sentences stand open."""


@dataclass(frozen=True)
class Section:
    """One pass on a page.

    Attributes:
        name: the pass, used as anchor.
        title: heading.
        sentences: what the numbers say.
        figures, tables, widget: what shows it.
        picture: of the inputs, where they are somebody's own and a task draws them.
        legend: the colours that the section uses, each by what it is of.
        links: the stored numbers.
        drawing: an element that was made safe, drawn by a view itself.
        absent: why there is nothing to show, a sentence; empty where there is.
        leading: how many of the figures a reader sees at once; the others, and tables beside figures, are folded.
        asks: the group that it belongs to, see `mcinterp.declared.Asks`.
        reading: how to read it, paragraphs with what each is about.
    """

    name: str
    title: str
    sentences: Sequence[str] = ()
    figures: Sequence[FigureView] = ()
    tables: Sequence[TableView] = ()
    widget: Widget | None = None
    picture: Picture | None = None
    legend: Mapping[str, str] = field(default_factory=dict)
    links: Sequence[Link] = ()
    drawing: Markup = field(default_factory=Markup)
    absent: str = ""
    leading: int = 1
    asks: str = "computes"
    reading: Sequence[tuple[str, str]] = ()

    @property
    def said(self) -> Sequence[str]:
        """The sentences that a reader sees at once: the first, and those after it as far as a few lines go."""
        lengths = accumulate(len(sentence) for sentence in self.sentences)
        return self.sentences[: max(1, sum(length <= AT_ONCE for length in lengths))]

    @property
    def brief(self) -> bool:
        """Whether it has so little to show that a line is enough."""
        tables = all(view.folded for view in self.tables)
        return bool(self.absent) or (tables and not (self.figures or self.widget or self.picture))

    @property
    def shown(self) -> Sequence[FigureView]:
        """The figures that a reader sees at once: none beside attention maps."""
        return () if self.widget else self.figures[: self.leading]

    @property
    def further(self) -> Sequence[FigureView]:
        """The figures that are folded."""
        return self.figures[len(self.shown) :]

    @property
    def supporting(self) -> Sequence[TableView]:
        """The tables, folded where a figure or another table is seen first."""
        first = 0 if self.figures or self.widget else 1
        return [replace(view, folded=view.folded or at >= first) for at, view in enumerate(self.tables)]

    @property
    def swatches(self) -> list[tuple[str, str, str]]:
        """Name, background and text colour of everything in the legend."""
        return [(name, colour, text_on(colour)) for name, colour in self.legend.items()]
