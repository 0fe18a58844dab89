"""A stored table as a reader wants it: intervals in one cell, constant columns said once, long lists folded."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from mcinterp.report.headers import header
from mcinterp.report.numbers import interval, is_absent, number, plural
from mcinterp.report.palette import NONE
from mcinterp.report.parts import Cell, Column, Section, TableView

PLAIN_NUMBERS = {"seed"}
"""Whole numbers that are names, not amounts: no thousands separator."""
FEW = 4
"""A list of heads up to this long is shown in its cell."""


def table_view(
    frame: pd.DataFrame,
    meanings: Mapping[str, str],
    caption: str,
    hide: Collection[str] = (),
    folded: bool = False,
    colours: Mapping[str, str] | None = None,
) -> TableView:
    """Show a data frame.

    Args:
        frame: the values.
        meanings: what each column means, for the column's tooltip and the list below the table.
        caption: what the rows are.
        hide: columns left to the CSV file; those without any value are left to it too.
        folded: whether the table starts closed.
        colours: of texts that have one, such as classes of heads.
    """
    names = [name for name in frame.columns if name not in hide and not is_bound(name, frame)]
    names = [name for name in names if frame[name].notna().any()]
    shared = [name for name in names if _is_shared(frame[name])]
    shown = [name for name in names if name not in shared]
    columns = [Column(header(name), _meaning(name, frame, meanings), is_numeric(frame[name])) for name in shown]
    records = frame.to_dict("records")
    rows = [tuple(_coloured(cell(name, record), colours or {}) for name in shown) for record in records]
    return TableView(caption, columns, rows, [_shared(name, records[0]) for name in shared], folded=folded)


def headed(section: Section, heads: Mapping[str, str]) -> Section:
    """A section in whose tables some columns, by their stored names, are headed otherwise."""
    words = {header(name): said for name, said in heads.items()}
    return replace(section, tables=[_headed(view, words) for view in section.tables])


def _headed(view: TableView, words: Mapping[str, str]) -> TableView:
    columns = [replace(column, label=words.get(column.label, column.label)) for column in view.columns]
    return replace(view, columns=columns, shared=[(words.get(label, label), text) for label, text in view.shared])


def label_of(name: str, heads: Mapping[str, str]) -> str:
    """What a column is headed; see `headed`."""
    return heads.get(name) or header(name)


def cell(name: str, record: Mapping[Any, Any]) -> Cell:
    """One value of a record, with its interval where the record has one."""
    value = record[name]
    if isinstance(value, bool | np.bool_):
        return Cell("yes" if value else "no", "1" if value else "0")
    if isinstance(value, str):
        return _text_cell(value)
    if is_absent(value):
        return Cell(number(value))
    if f"{name}_low" in record and f"{name}_high" in record:
        return Cell(interval(value, record[f"{name}_low"], record[f"{name}_high"]), repr(float(value)))
    text = str(int(value)) if name in PLAIN_NUMBERS else number(value)
    return Cell(text, repr(float(value)))


def head_list(heads: Sequence[str]) -> Cell:
    """Names of heads; many of them are counted and folded."""
    text = ", ".join(heads)
    if len(heads) > FEW:
        return Cell(plural(len(heads), "head"), f"{len(heads):04d}", text)
    return Cell(text or number(None))


def _text_cell(value: str) -> Cell:
    if "," in value and " " not in value.replace(", ", ","):
        return head_list([part.strip() for part in value.split(",")])
    return Cell(value)


def _coloured(value: Cell, colours: Mapping[str, str]) -> Cell:
    return replace(value, colour=colours[value.text]) if value.text in colours and value.text != NONE else value


def is_bound(name: str, frame: pd.DataFrame) -> bool:
    """Whether a column is an end of another's interval."""
    return any(name.endswith(end) and name.removesuffix(end) in frame for end in ("_low", "_high"))


def is_numeric(values: pd.Series) -> bool:
    """Whether a column is of numbers."""
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def _is_shared(values: pd.Series) -> bool:
    return len(values) > 1 and is_numeric(values) and bool(values.notna().all()) and values.nunique() == 1


def _meaning(name: str, frame: pd.DataFrame, meanings: Mapping[str, str]) -> str:
    meaning = meanings.get(name, "")
    if f"{name}_low" in frame and f"{name}_high" in frame:
        return f"{meaning}; in brackets its 95 % interval" if meaning else "in brackets its 95 % interval"
    return meaning


def _shared(name: str, record: Mapping[Any, Any]) -> tuple[str, str]:
    return header(name), cell(name, record).text
