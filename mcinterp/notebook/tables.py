"""Tables in a notebook: plain HTML in the colours of whatever it stands in."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup

from mcinterp.report.numbers import plural
from mcinterp.report.parts import Cell, Column, TableView, visible

_RULES = (
    "{color:inherit;font:13px/1.5 system-ui,sans-serif;max-width:75rem}",
    " h3{font-size:1.25em;margin:.3em 0 .5em}",
    " h4{font-size:1em;margin:1em 0 .2em}",
    " p{margin:.3em 0;max-width:60rem}",
    " figcaption{margin:.3em 0;max-width:60rem}",
    " figure{margin:.8em 0}",
    " .scroll{overflow:auto;max-height:30rem;margin:.2em 0 .6em}",
    " table{border-collapse:collapse;border:none;margin:0;font-size:12px;color:inherit;table-layout:auto}",
    " tbody tr{background:none}",
    " th{font-weight:600}",
    " :is(th,td){border:none;border-bottom:1px solid #8885;padding:.25em .8em .25em 0;text-align:left;"
    "vertical-align:top;background:none;color:inherit;white-space:nowrap;max-width:none}",
    " :is(th,td).words{white-space:normal;min-width:12em}",
    " :is(th,td).number{text-align:right;font-variant-numeric:tabular-nums}",
    " .swatch{display:inline-block;width:.8em;height:.8em;margin-right:.4em;border:1px solid #8885}",
    " small{display:block;opacity:.75}",
    " summary{cursor:pointer}",
    " dl{margin:.3em 0 .8em}",
    " dt{font-weight:600}",
    " dd{margin:0 0 .2em 1.2em}",
)
# The class thrice: a notebook's own rules for tables are not to win.
STYLE = Markup("<style>{}</style>").format(Markup("").join(Markup(".mcinterp-cell" * 3 + rule) for rule in _RULES))
LONG = 30
"""A text of more letters than this is broken into lines."""


def framed(title: str, parts: Iterable[Markup]) -> Markup:
    """What a cell shows, under its heading and with the style of all that this package shows."""
    return Markup('<div class="mcinterp-cell">{}<h3>{}</h3>{}</div>').format(
        STYLE, visible(title), Markup("").join(parts)
    )


def sentence(text: str) -> Markup:
    """A finding."""
    return Markup("<p>{}</p>").format(visible(text))


def table(view: TableView) -> Markup:
    """A table as the pages have it; a folded one opens at a click."""
    body = _shared(view) + _rows(view) + _meanings(view.columns)
    if view.folded:
        caption = f"{view.caption} ({plural(len(view.rows), 'row')})"
        return Markup("<details><summary>{}</summary>{}</details>").format(visible(caption), body)
    return Markup("<h4>{}</h4>{}").format(visible(view.caption), body)


def _rows(view: TableView) -> Markup:
    heads = Markup("").join(_head(column) for column in view.columns)
    rows = Markup("").join(
        _group(view, index) + Markup("<tr>{}</tr>").format(_cells(row, view.columns))
        for index, row in enumerate(view.rows)
    )
    return Markup('<div class="scroll"><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>').format(
        heads, rows
    )


def _head(column: Column) -> Markup:
    kind = "number" if column.numeric else ""
    return Markup('<th scope="col" class="{}" title="{}">{}</th>').format(
        kind, visible(column.meaning), visible(column.label)
    )


def _group(view: TableView, index: int) -> Markup:
    if index not in view.groups:
        return Markup("")
    return Markup('<tr><th colspan="{}" scope="colgroup">{}</th></tr>').format(
        len(view.columns), visible(view.groups[index])
    )


def _cells(row: tuple[Cell, ...], columns: Iterable[Column]) -> Markup:
    return Markup("").join(_cell(cell, column) for cell, column in zip(row, columns, strict=True))


def _cell(cell: Cell, column: Column) -> Markup:
    kind = "number" if column.numeric else "words" if len(cell.text) > LONG else ""
    colour = Markup('<span class="swatch" style="background:{}"></span>').format(cell.colour) if cell.colour else ""
    note = Markup("<small>{}</small>").format(visible(cell.note)) if cell.note else ""
    return Markup('<td class="{}" title="{}">{}{}{}</td>').format(
        kind, visible(cell.more), colour, visible(cell.text), note
    )


def _shared(view: TableView) -> Markup:
    if not view.shared:
        return Markup("")
    said = " · ".join(f"{name} {value}" for name, value in view.shared)
    return Markup("<p>The same in every row: {}.</p>").format(visible(said))


def _meanings(columns: Iterable[Column]) -> Markup:
    meant = [column for column in columns if column.meaning]
    if not meant:
        return Markup("")
    listed = Markup("").join(
        Markup("<dt>{}</dt><dd>{}</dd>").format(visible(column.label), visible(column.meaning)) for column in meant
    )
    return Markup("<details><summary>What the columns mean</summary><dl>{}</dl></details>").format(listed)
